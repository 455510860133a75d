"""Stored sessions as files that ADK itself reads and runs: session files, tests, eval sets."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import redis
from fastapi.testclient import TestClient
from google.adk.cli.fast_api import get_fast_api_app
from google.adk.evaluation.local_eval_sets_manager import load_eval_set_from_file
from google.adk.runners import Runner
from google.adk.sessions.session import Session
from google.genai import types

from adksess import RedisSessionService, demo
from adksess.demo.agents.remember.agent import root_agent as remember
from tests.cli.sessions import store_session
from tests.cli.terminal import Terminal
from tests.conftest import Run
from tests.scripted import APP, PICTURE, converse, use_script

AGENTS = Path(__file__).parent.parent / "agents"
DEMO_AGENTS = Path(demo.__file__).parent / "agents"


@pytest.fixture
def concierge(target: redis.Redis, target_url: str, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A stored conversation with the scripted agent, as get_session returns it."""
    use_script(monkeypatch)

    async def fill() -> Session:
        async with RedisSessionService(target_url) as service:
            metadata = {"displayName": "My trip to Rome"}
            state = {"given": 1, "__session_metadata__": metadata, "app:limit": 3}
            await converse(service, "trip", state=state)
            return await _get(service, "trip")

    return asyncio.run(fill())


async def _get(service: RedisSessionService, session_id: str, user: str = "ada") -> Session:
    session = await service.get_session(app_name=APP, user_id=user, session_id=session_id)
    assert session is not None
    return session


def _load(url: str, session_id: str, user: str = "ada") -> Session:
    async def load() -> Session:
        async with RedisSessionService(url) as service:
            return await _get(service, session_id, user)

    return asyncio.run(load())


def _adk(*words: object, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "adk"), *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"GOOGLE_API_KEY": "none"} | env,
        timeout=120,
    )


class TestSessionFiles:
    def test_adk_reads_what_get_session_returns(
        self, cli: Run, concierge: Session, target_url: str, tmp_path: Path
    ) -> None:
        text = cli("export", "trip", "--format", "adk", "-r", target_url).out
        assert Session.model_validate_json(text) == concierge
        path = tmp_path / "trip.session.json"
        result = cli("export", "trip", "--format", "adk", "--out", path, "-r", target_url)
        assert (result.code, result.out) == (0, "")
        assert path.read_text(encoding="utf-8") == text
        assert "--format adk does not hold: the expiry." in result.err

    def test_the_file_equals_that_of_adk_run(
        self, cli: Run, concierge: Session, target_url: str
    ) -> None:
        saved = concierge.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert cli("export", "trip", "--format", "adk", "-r", target_url).json == saved

    def test_adk_run_resumes_it(
        self, cli: Run, target: redis.Redis, target_url: str, tmp_path: Path
    ) -> None:
        async def converse() -> None:
            async with RedisSessionService(target_url) as service:
                runner = Runner(app_name="remember", agent=remember, session_service=service)
                await service.create_session(app_name="remember", user_id="ada", session_id="s")
                for words in ("my name is Ada", "remember that it rains"):
                    message = types.Content(role="user", parts=[types.Part(text=words)])
                    async for _ in runner.run_async(
                        user_id="ada", session_id="s", new_message=message
                    ):
                        pass

        asyncio.run(converse())
        path = tmp_path / "s.session.json"
        cli("export", "remember/ada/s", "--format", "adk", "--out", path, "-r", target_url)
        agents = tmp_path / "agents"
        shutil.copytree(DEMO_AGENTS / "remember", agents / "remember")
        done = _adk("run", "--resume", path, agents / "remember", stdin="what do you know?\nexit\n")
        assert done.returncode == 0, done.stderr
        assert "You are Ada" in done.stdout
        assert "it rains" in done.stdout
        assert "Turn 3 of this session" in done.stdout

    def test_the_web_ui_imports_it(
        self, cli: Run, target: redis.Redis, target_url: str, tmp_path: Path
    ) -> None:
        """ADK's web UI posts the events and the state of the file to create a session.

        ADK 2.13 rejects events with actions there, those of its own files too.
        """
        store_session(target_url, APP, "ada", "chat", texts=("hi", "there"), state={"k": [1]})
        chat = _load(target_url, "chat")
        agents = tmp_path / "agents"
        shutil.copytree(AGENTS / "concierge", agents / "concierge")
        file = cli("export", "chat", "--format", "adk", "-r", target_url).json
        app = get_fast_api_app(agents_dir=str(agents), session_service_uri="memory://", web=False)
        body = {"events": file["events"], "state": file["state"]}
        answer = TestClient(app).post(f"/apps/{APP}/users/bob/sessions", json=body)
        assert answer.status_code == 200, answer.text
        session = Session.model_validate(answer.json())
        assert [e.content for e in session.events] == [e.content for e in chat.events]
        assert session.state == chat.state

    def test_an_imported_session_equals_the_original(
        self, cli: Run, concierge: Session, target: redis.Redis, target_url: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "trip.session.json"
        cli("export", "trip", "--format", "adk", "--out", path, "-r", target_url)
        target.flushdb()
        words = ("import", path, "-r", target_url)
        dry = cli(*words, "--dry-run")
        assert dry.out == "Would import 1 session, 2 state values.\n"
        result = cli(*words)
        assert (result.code, result.out) == (0, "Imported 1 session, 2 state values.\n")
        assert _load(target_url, "trip") == concierge
        assert 86_000 < target.ttl("session:concierge:ada:trip") <= 86_400
        assert cli(*words).out == "Imported 0 sessions, 0 state values, 1 unchanged.\n"
        changed = json.loads(path.read_text()) | {"state": {"given": 2}}
        path.write_text(json.dumps(changed))
        assert cli(*words).out == "Imported 0 sessions, 0 state values, 1 skipped.\n"
        assert cli(*words, "--on-conflict", "fail").code == 1
        assert "1 replaced" in cli(*words, "--on-conflict", "replace", "--ttl", "0").out
        assert _load(target_url, "trip").state["given"] == 2
        assert target.ttl("session:concierge:ada:trip") == -1

    def test_names_can_be_replaced(
        self, cli: Run, concierge: Session, target_url: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "trip.session.json"
        cli("export", "trip", "--format", "adk", "--out", path, "-r", target_url)
        words = ("--app", APP, "--user", "bob", "--id", "copy", "-r", target_url)
        assert cli("import", path, *words).code == 0
        copy = _load(target_url, "copy", "bob")
        assert copy.events == concierge.events
        renamed = ("--rename-user", "ada=carol", "-r", target_url)
        assert cli("import", path, *renamed).code == 0
        assert _load(target_url, "trip", "carol").events == concierge.events
        export = tmp_path / "all.ndjson"
        cli("export", "--out", export, "-r", target_url)
        wrong = cli("import", export, "--user", "x", "-r", target_url)
        assert (wrong.code, "--rename-user" in wrong.err) == (1, True)
        assert cli("import", path, path, "--id", "x", "-r", target_url).code == 2

    def test_a_folder_and_a_zip_file_of_them(
        self, cli: Run, concierge: Session, target: redis.Redis, target_url: str, tmp_path: Path
    ) -> None:
        folder = tmp_path / "out"
        words = ("--id", "second", "--user", "a/b", "-r", target_url)
        single = tmp_path / "one.json"
        cli("export", "trip", "--format", "adk", "--out", single, "-r", target_url)
        cli("import", single, *words)
        cli("import", single, "--user", "other", "-r", target_url)
        several = cli("export", "--app", APP, "--format", "adk", "-r", target_url)
        assert (several.code, "--out DIR/" in several.err, several.out) == (1, True, "")
        result = cli(
            "export", "--app", APP, "--format", "adk", "--out", f"{folder}/", "-r", target_url
        )
        assert result.err.startswith(f"Exported 3 sessions to {folder}/.\n")
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["second.session.json", "trip-2.session.json", "trip.session.json"]
        archive = tmp_path / "all.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for path in folder.iterdir():
                file.write(path, f"sessions/{path.name}")
            file.writestr("sessions/package.json", "{}")
            file.writestr("README.md", "hello")
        before = {key: target.get(key) for key in target.keys("session:*")}
        for source, code in ((folder, 0), (archive, 1)):
            target.flushdb()
            result = cli("import", source, "-r", target_url)
            assert (result.code, "Imported 3 sessions" in result.out) == (code, True), result.err
            assert target.keys("session:*").sort() == list(before).sort()
        assert "sessions/package.json was rejected: it is not a session file" in result.err

    def test_names_of_files_are_safe(
        self, cli: Run, concierge: Session, target_url: str, tmp_path: Path
    ) -> None:
        single = tmp_path / "one.json"
        cli("export", "trip", "--format", "adk", "--out", single, "-r", target_url)
        for session_id in ("../../escape", "..", "a/b", "\x1b[31m", "é ü"):
            cli("import", single, "--id", session_id, "-r", target_url)
        folder = tmp_path / "deep" / "out"
        result = cli(
            "export", "--app", APP, "--format", "adk", "--out", f"{folder}/", "-r", target_url
        )
        assert result.code == 0, result.err
        assert len(list(folder.iterdir())) == 6
        assert {path.parent for path in tmp_path.rglob("*.session.json")} == {folder}


class TestCredentials:
    def test_credentials_are_removed_by_default(
        self, cli: Run, target: redis.Redis, target_url: str
    ) -> None:
        oauth = {"clientId": "me", "clientSecret": "hush-1", "accessToken": "hush-2"}
        credential = {"authType": "oauth2", "oauth2": oauth}
        config = {
            "authScheme": {"type": "http", "scheme": "bearer"},
            "rawAuthCredential": credential,
            "exchangedAuthCredential": credential,
        }
        call = {"id": "c", "name": "adk_request_credential", "args": {"authConfig": config}}
        answer = {"id": "c", "name": "adk_request_credential", "response": config}
        session = {
            "id": "s",
            "appName": "a",
            "userId": "u",
            "state": {"tool_key": credential, "bigquery_token_cache": "hush-3", "plain": "kept"},
            "events": [
                {"author": "agent", "content": {"parts": [{"functionCall": call}]}},
                {"author": "user", "content": {"parts": [{"functionResponse": answer}]}},
            ],
        }
        imported = cli_stdin(session, target_url)
        assert imported.returncode == 0, imported.stderr
        result = cli("export", "a/u/s", "--format", "adk", "-r", target_url)
        assert "hush" not in result.out
        assert '"plain": "kept"' in result.out
        assert "credentials (--with-credentials keeps them)" in result.err
        Session.model_validate_json(result.out)
        kept = cli("export", "a/u/s", "--format", "adk", "--with-credentials", "-r", target_url)
        assert kept.out.count("hush") == 11


def cli_stdin(session: dict[str, Any], url: str) -> subprocess.CompletedProcess[str]:
    """Import a session file from stdin, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "adksess", "import", "-", "-r", url],
        input=json.dumps(session),
        capture_output=True,
        text=True,
        check=False,
    )


class TestReplay:
    def test_adk_test_passes(
        self, cli: Run, concierge: Session, target_url: str, tmp_path: Path
    ) -> None:
        agents = tmp_path / "agents"
        shutil.copytree(AGENTS / "concierge", agents / "concierge")
        folder = agents / "concierge" / "tests"
        words = ("export", "trip", "--format", "test", "--out", f"{folder}/", "-r", target_url)
        for _ in range(2):  # the second export replaces the file of the first
            assert cli(*words).code == 0
        assert [path.name for path in folder.iterdir()] == ["My_trip_to_Rome.json"]
        done = _adk("test", agents, "-p", "no:cacheprovider", "--rootdir", str(tmp_path))
        assert "1 passed" in done.stdout, done.stdout
        # and it is a test: another answer fails
        path = folder / "My_trip_to_Rome.json"
        path.write_text(path.read_text().replace("21.5", "22.5"))
        assert "1 failed" in _adk("test", agents, "--rootdir", str(tmp_path)).stdout

    def test_a_file_of_another_session_is_not_overwritten(
        self, cli: Run, concierge: Session, target_url: str, tmp_path: Path
    ) -> None:
        (tmp_path / "My_trip_to_Rome.json").write_text('{"events": []}')
        cli("export", "trip", "--format", "test", "--out", f"{tmp_path}/", "-r", target_url)
        assert (tmp_path / "My_trip_to_Rome.json").read_text() == '{"events": []}'
        assert (tmp_path / "My_trip_to_Rome-2.json").exists()

    def test_a_session_without_a_text_of_the_user_is_named(
        self, cli: Run, target: redis.Redis, target_url: str
    ) -> None:
        cli_stdin({"id": "s", "appName": "a", "userId": "u", "events": []}, target_url)
        result = cli("export", "a/u/s", "--format", "test", "-r", target_url)
        assert (result.code, result.out) == (1, "")
        assert "a/u/s was not exported: the user sent no text" in result.err


class TestEvalSets:
    def test_adk_loads_it_with_the_initial_state(
        self, cli: Run, concierge: Session, target_url: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "refunds.evalset.json"
        words = ("export", "trip", "--format", "evalset", "--out", path, "-r", target_url)
        for _ in range(2):
            assert cli(*words).code == 0
        eval_set = load_eval_set_from_file(str(path), "refunds")
        assert eval_set.eval_set_id == "refunds"
        (case,) = eval_set.eval_cases
        assert case.eval_id == "trip"
        assert case.session_input is not None
        assert case.session_input.state == {"given": 1, "app:limit": 3}
        assert case.conversation is not None
        said = [turn.user_content.parts[0].text for turn in case.conversation]  # type: ignore[index]
        assert said[:3] == ["hello there", "what is the weather?", "show me a picture"]
        picture = case.conversation[2].final_response
        assert picture is not None
        assert picture.parts is not None
        assert picture.parts[0].inline_data == types.Blob(mime_type="image/png", data=PICTURE)

    def test_other_cases_of_the_set_are_kept(
        self, cli: Run, concierge: Session, target_url: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "refunds.evalset.json"
        cli("export", "trip", "--format", "evalset", "--out", path, "-r", target_url)
        fields = json.loads(path.read_text())
        fields["description"] = "by hand"
        fields["eval_cases"][0]["eval_id"] = "other"
        path.write_text(json.dumps(fields))
        cli("export", "trip", "--format", "evalset", "--out", path, "-r", target_url)
        after = json.loads(path.read_text())
        assert [case["eval_id"] for case in after["eval_cases"]] == ["other", "trip"]
        assert after["description"] == "by hand"

    def test_another_file_is_not_overwritten(
        self, cli: Run, concierge: Session, target_url: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "package.json"
        path.write_text('{"name": "mine"}')
        result = cli("export", "trip", "--format", "evalset", "--out", path, "-r", target_url)
        assert (result.code, "is not an eval set" in result.err) == (1, True)
        assert path.read_text() == '{"name": "mine"}'


@pytest.mark.parametrize("name", ["adk", "test", "evalset", "md", "html"])
def test_nothing_selected_writes_nothing(
    cli: Run, target: redis.Redis, target_url: str, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "x.json"
    result = cli("export", "--app", "no", "--format", name, "--out", path, "-r", target_url)
    assert (result.code, path.exists()) == (3, False)


@pytest.mark.parametrize("name", ["md", "html"])
def test_transcripts_are_those_of_show(
    cli: Run, concierge: Session, target_url: str, tmp_path: Path, name: str
) -> None:
    shown = cli("show", "trip", "-o", name, "--utc", "-r", target_url)
    assert (shown.code, "what is the weather?" in shown.out) == (0, True)
    words = ("export", "trip", "--format", name, "-r", target_url)
    assert cli(*words).out == shown.out
    result = cli(*words, "--out", f"{tmp_path}/")
    assert (tmp_path / f"trip.{name}").read_text(encoding="utf-8") == shown.out
    assert f"note: --format {name} does not hold: state; the expiry.\n" in result.err


@pytest.mark.parametrize(
    "words", [("test", "--with-credentials"), ("adk", "--allow-empty")], ids=" ".join
)
def test_options_of_other_formats_are_rejected(
    cli: Run, target: redis.Redis, target_url: str, words: tuple[str, str]
) -> None:
    result = cli("export", "--format", *words, "-r", target_url)
    assert (result.code, words[1] in result.err, result.out) == (2, True, "")


def test_stored_text_cannot_control_a_terminal(target: redis.Redis, target_url: str) -> None:
    store_session(target_url, session_id="odd", texts=("a\x9b31m b\u202e c",))
    words = ("export", "odd", "--format", "adk", "-r", target_url)
    with Terminal(*words) as terminal:
        assert terminal.end() == 0
        assert "\\u009b31m" in terminal.seen
        assert "\\u202e" in terminal.seen
        assert not {"\x9b", "\u202e"} & set(terminal.seen)
