"""`adksess import`: files that are compressed, damaged, too large or no export."""

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import redis

from adksess.transfer import files
from tests.cli.records import document_record, own_record, session_record
from tests.cli.sessions import store_session

Cli = Callable[..., Any]


class TestFiles:
    def test_a_compressed_file_that_breaks_off(
        self, cli: Cli, tmp_path: Path, target_url: str
    ) -> None:
        path = tmp_path / "all.gz"
        path.write_bytes(gzip.compress(b"x\n" * 5_000)[:-20])
        result = cli("import", path, "-r", target_url)
        assert (result.code, "damaged or incomplete" in result.err) == (1, True)

    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_stdin_compressed_or_not(
        self, cli: Cli, target: redis.Redis, target_url: str, pack: Callable[[bytes], bytes]
    ) -> None:
        store_session(target_url, session_id="one")
        lines = cli("export", "-r", target_url).out.encode()
        target.flushdb()
        words = ["import", "-", "--on-conflict", "fail", "-r", target_url]
        result = subprocess.run(
            [sys.executable, "-m", "adksess", *words],
            input=pack(lines),
            capture_output=True,
            check=True,
        )
        assert b"Imported 1 session," in result.stdout


class TestWrongFiles:
    FILES: ClassVar = [
        ("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01", "it is not text"),
        ("passwd", b"root:x:0:0:root:/root:/bin/bash\n" * 3_000, "neither an export of adksess"),
        ("utf-16", (json.dumps(session_record()) + "\n").encode("utf-16") * 2, "UTF-16"),
        ("utf-16-be", (json.dumps(session_record()) + "\n").encode("utf-16-be") * 2, "not text"),
        ("array", json.dumps([session_record()]).encode(), "JSON array"),
        ("pretty array", json.dumps([session_record()], indent=1).encode(), "JSON array"),
        ("other", b'{"a": 1}\n' * 200, "neither an export of adksess"),
    ]

    @pytest.mark.parametrize(("name", "content", "why"), FILES, ids=[name for name, *_ in FILES])
    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_one_sentence_and_nothing_imported(
        self,
        cli: Cli,
        tmp_path: Path,
        target: redis.Redis,
        target_url: str,
        name: str,
        content: bytes,
        why: str,
        pack: Callable[[bytes], bytes],
    ) -> None:
        path = tmp_path / name
        path.write_bytes(pack(content))
        result = cli("import", path, "-r", target_url)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith(f"error: Cannot import {path}: ")
        assert why in result.err
        assert result.err.endswith("Nothing was imported.\n")
        assert result.err.count("\n") == 1
        assert target.keys("*") == []

    def test_a_byte_order_mark_is_ignored(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        (tmp_path / "x").write_text(json.dumps(session_record()), encoding="utf-8-sig")
        assert cli("import", tmp_path / "x", "-r", target_url).code == 0
        assert target.keys("session:*") == [b"session:a:u:s"]


class TestLimits:
    def _lines(self, count: int) -> bytes:
        return b"".join(
            json.dumps(
                session_record(
                    session_id=f"s{n}",
                    document=document_record()["document"] | {"session_id": f"s{n}"},
                )
            ).encode()
            + b"\n"
            for n in range(count)
        )

    def test_a_truncated_gzip_file_imports_its_whole_lines_and_counts_them(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        whole = gzip.compress(self._lines(500), 1)
        (tmp_path / "x.gz").write_bytes(whole[: len(whole) // 2])
        result = cli("import", tmp_path / "x.gz", "-r", target_url)
        stored = len(target.keys("session:*"))
        assert stored > 100
        assert result.code == 1
        assert result.out == f"Imported {stored} sessions, 0 state values.\n"
        assert f"damaged or incomplete after line {stored}" in result.err

    def test_lines_over_the_limit_are_rejected(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        big = json.dumps(own_record(state={"k": "x" * 1_500_000}))
        (tmp_path / "x").write_bytes(self._lines(1) + big.encode() + b"\n" + self._lines(2))
        words = ("import", tmp_path / "x", "-r", target_url)
        result = cli(*words, "--max-line", "1")
        assert result.code == 1
        assert "line 2 was rejected: it is longer than 1 MiB" in result.err
        assert "--max-line" in result.err
        assert result.out == "Imported 2 sessions, 0 state values, 1 unchanged, 1 rejected.\n"
        assert cli(*words).code == 0

    def test_a_number_of_a_million_digits_is_rejected(
        self, cli: Cli, tmp_path: Path, target: redis.Redis, target_url: str
    ) -> None:
        (tmp_path / "x").write_text(
            json.dumps(own_record()).replace('"k": 1', f'"k": {"7" * 1_000_000}') + "\n"
        )
        result = cli("import", tmp_path / "x", "-r", target_url)
        assert result.code == 1
        assert "line 1 was rejected" in result.err
        assert target.keys("*") == []


def test_lines_are_numbered_as_an_editor_does() -> None:
    data = b"a\n\n  \nb\xe2\x80\xa8c\nd"
    found = list(files.read_lines(io.BufferedReader(io.BytesIO(data))))  # type: ignore[arg-type]
    assert found == [(1, b"a\n"), (4, b"b\xe2\x80\xa8c\n"), (5, b"d")]
