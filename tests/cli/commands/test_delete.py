"""`adksess delete`, `flush` and `ttl`: what they change, and what they leave alone."""

import time

import pytest
import redis

from tests.cli.sessions import store_session
from tests.conftest import Run


def _ids(run: Run) -> set[str]:
    return set(run("list", "-o", "ids", "-n", "0").out.split())


@pytest.fixture
def three(valkey_url: str, database: redis.Redis) -> None:
    store_session(valkey_url, "demo", "ada", "ada-first", user_state={"name": "Ada"})
    store_session(valkey_url, "demo", "ada", "ada-second")
    store_session(valkey_url, "other", "bob", "bob-first", ttl=0)


@pytest.mark.usefixtures("three")
class TestDelete:
    def test_nothing_chosen_is_never_everything(self, run: Run) -> None:
        assert run("delete", "--yes").code == 2
        assert run("delete", "-", "--yes", stdin="").code == 0
        assert run("delete", "ada-first", "--app", "demo", "--yes").code == 2
        assert len(_ids(run)) == 3

    def test_without_a_terminal_it_asks_for_yes(self, run: Run) -> None:
        result = run("delete", "ada-first", stdin="y\n")
        assert result.code == 2
        assert "--yes" in result.err
        assert len(_ids(run)) == 3

    def test_dry_run_changes_nothing(self, run: Run) -> None:
        result = run("delete", "--app", "demo", "--dry-run")
        assert result.code == 0
        assert "2 sessions" in result.out
        assert "user ada" in result.out
        assert len(_ids(run)) == 3

    def test_by_id_and_index(self, run: Run, database: redis.Redis) -> None:
        result = run("delete", "ada-f", "--yes")
        assert (result.code, "1 session" in result.out) == (0, True)
        assert _ids(run) == {"ada-second", "bob-first"}
        assert database.zrange("user_sessions:demo:ada", 0, -1) == [b"ada-second"]
        assert database.exists("user_state:demo:ada")

    def test_one_missing_id_does_not_keep_the_others(self, run: Run) -> None:
        result = run("delete", "ada-first", "nothing-here", "--yes")
        assert result.code == 3
        assert "nothing-here" in result.err
        assert _ids(run) == {"ada-second", "bob-first"}

    def test_one_ambiguous_id_keeps_them_all(self, run: Run) -> None:
        assert run("delete", "bob-first", "ada-", "--yes").code == 2
        assert len(_ids(run)) == 3

    def test_a_piped_list(self, run: Run) -> None:
        ids = run("list", "--app", "demo", "-o", "ids").out
        assert run("delete", "-", "--yes", stdin=ids).code == 0
        assert _ids(run) == {"bob-first"}

    def test_filters(self, run: Run, valkey_url: str) -> None:
        store_session(valkey_url, "demo", "ada", "ancient", now=time.time() - 90 * 86_400)
        assert "1 session" in run("delete", "--idle", "30d", "--yes").out
        assert "ancient" not in _ids(run)
        run("delete", "--no-ttl", "--yes")
        assert _ids(run) == {"ada-first", "ada-second"}

    def test_user_state_goes_when_asked(self, run: Run, database: redis.Redis) -> None:
        assert run("delete", "--app", "demo", "--with-user-state", "--yes").code == 2
        result = run("delete", "--app", "demo", "--user", "ada", "--with-user-state", "--yes")
        assert result.code == 0
        assert "Artifacts" in result.err
        assert not database.exists("user_state:demo:ada")
        assert _ids(run) == {"bob-first"}

    def test_user_state_without_sessions(self, run: Run, database: redis.Redis) -> None:
        words = ("delete", "--app", "demo", "--user", "ada", "--yes")
        run(*words)
        assert database.exists("user_state:demo:ada")
        run(*words, "--with-user-state")
        assert not database.exists("user_state:demo:ada")


@pytest.mark.usefixtures("three")
class TestFlush:
    def test_foreign_keys_stay(self, run: Run, database: redis.Redis) -> None:
        foreign = {f"foreign:{n}": f"value {n}" for n in range(500)}
        foreign |= {"session:php": "a:1", "session:web:prod:1": "text", "session": "x"}
        foreign |= {"xsession:demo:ada:s": "{}", "prod:session:demo:ada:s": "{}"}
        database.mset(foreign)
        result = run("flush", "--yes")
        assert result.code == 0
        assert "3 sessions" in result.out
        assert _ids(run) == set()
        assert database.mget(list(foreign)) == [value.encode() for value in foreign.values()]
        assert database.exists("user_state:demo:ada")

    def test_it_refuses_without_yes_and_says_what_it_would_do(self, run: Run) -> None:
        result = run("flush")
        assert result.code == 2
        assert "3 sessions" in result.err
        assert "3 sessions" in run("flush", "--dry-run").out
        assert len(_ids(run)) == 3

    def test_sessions_of_other_tools_go_and_what_is_none_is_named(
        self, run: Run, database: redis.Redis
    ) -> None:
        database.set("session:demo:ada:plain", '{"events": [], "state": {}}')
        database.set("session:demo:ada:broken", "no session")
        database.hset("session:demo:ada:hash", "a", "b")
        for words in (["--app", "nothing"], []):
            result = run("flush", "--yes", *words)
            assert result.code == 0
        assert "4 sessions" in result.out
        assert "demo/ada/broken was not changed" in result.err
        assert "demo/ada/hash was not changed" in result.err
        left = {b"session:demo:ada:broken", b"session:demo:ada:hash", b"user_state:demo:ada"}
        assert set(database.keys("*")) == left

    def test_filters_limit_it(self, run: Run) -> None:
        run("flush", "--app", "demo", "--yes")
        assert _ids(run) == {"bob-first"}

    def test_state_goes_when_asked(self, run: Run, database: redis.Redis) -> None:
        database.set("user_state:not:ours", "a string")
        run("flush", "--state", "--yes")
        assert database.keys("*") == [b"user_state:not:ours"]
        assert run("flush", "--state", "--idle", "1d", "--yes").code == 2

    def test_nothing_there_is_no_error(self, run: Run) -> None:
        run("flush", "--yes")
        result = run("flush", "--yes")
        assert (result.code, result.out) == (0, "Nothing to delete.\n")

    def test_only_under_the_prefix(self, run: Run, valkey_url: str) -> None:
        store_session(f"{valkey_url}?prefix=prod:", "demo", "ada", "in-prod")
        run("flush", "--yes")
        assert run("list", "--prefix", "prod:", "-o", "ids").out == "in-prod\n"


@pytest.mark.usefixtures("three")
class TestTtl:
    def test_in_words_and_seconds(self, run: Run) -> None:
        out = run("ttl", "ada-first").out
        assert "23h 59m" in out or "1 day" in out
        assert "never" in run("ttl", "bob-first").out
        (row,) = run("ttl", "bob-first", "-o", "json").json
        assert row["ttl_seconds"] is None

    def test_set_keeps_the_index_alive(self, run: Run, database: redis.Redis) -> None:
        assert run("ttl", "ada-first", "--set", "7d").code == 0
        assert 604_700 < database.ttl("session:demo:ada:ada-first") <= 604_800
        assert database.ttl("user_sessions:demo:ada") >= 604_700
        score = database.zscore("user_sessions:demo:ada", "ada-first")
        assert score is not None
        assert abs(score - time.time() - 604_800) < 60

    def test_persist_and_back(self, run: Run, database: redis.Redis) -> None:
        run("ttl", "ada-first", "--persist")
        assert database.ttl("session:demo:ada:ada-first") == -1
        assert database.ttl("user_sessions:demo:ada") == -1
        run("ttl", "ada-first", "--set", "2h")
        assert 7_100 < database.ttl("session:demo:ada:ada-first") <= 7_200
        assert database.ttl("user_sessions:demo:ada") > 7_200

    def test_in_bulk_it_asks(self, run: Run, database: redis.Redis) -> None:
        assert run("ttl", "--app", "demo", "--set", "1h").code == 2
        assert "2 sessions" in run("ttl", "--app", "demo", "--set", "1h", "--dry-run").out
        assert database.ttl("session:demo:ada:ada-first") > 7_200
        assert run("ttl", "--app", "demo", "--set", "1h", "--yes").code == 0
        assert database.ttl("session:demo:ada:ada-second") <= 3_600

    @pytest.mark.parametrize("wrong", ["soon", "-1", "5 parsecs", ""])
    def test_a_bad_duration_changes_nothing(
        self, run: Run, database: redis.Redis, wrong: str
    ) -> None:
        assert run("ttl", "ada-first", "--set", wrong).code == 2
        assert database.ttl("session:demo:ada:ada-first") > 86_000

    def test_missing_and_contradicting(self, run: Run) -> None:
        assert run("ttl").code == 2
        assert run("ttl", "not-there").code == 3
        assert run("ttl", "ada-first", "--set", "1h", "--persist").code == 2


@pytest.mark.usefixtures("three")
def test_stats(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, "demo", "carl", "c1", texts=("a", "b"))
    result = run("stats", "-o", "json").json
    demo, other = result["apps"]
    assert (demo["app_name"], demo["sessions"], demo["users"], demo["events"]) == ("demo", 3, 2, 2)
    assert (other["sessions"], other["without_ttl"]) == (1, 1)
    assert demo["size_bytes"] > 0
    assert sum(day["sessions"] for day in result["days"]) == 4
    out = run("stats", columns=80).out
    assert "demo" in out
    assert max(map(len, out.splitlines())) <= 80
    run("flush", "--yes")
    assert run("stats", "-o", "json").json["apps"] == []
    assert run("stats").code == 0


def test_flush_leaves_what_only_ends_like_a_session(run: Run, database: redis.Redis) -> None:
    key, value = "session:other:tool:cfg", b'{"my":"data","tail_bytes":         99}'
    database.set(key, value)
    result = run("flush", "--yes")
    assert "other/tool/cfg was not changed" in result.err
    assert database.get(key) == value


def test_a_piped_name_never_stands_for_a_longer_one(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, session_id="chat-10")
    result = run("delete", "-", "--yes", stdin="chat-1\n")
    assert result.code == 3
    assert _ids(run) == {"chat-10"}


def test_an_id_that_looks_like_a_name_is_piped_as_its_key(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, "demo", "ada", "chat-10")
    store_session(valkey_url, "evil", "eve", "demo/ada/chat-10")
    ids = run("list", "--app", "evil", "-o", "ids").out
    assert run("delete", "-", "--yes", stdin=ids).code == 0
    assert _ids(run) == {"chat-10"}


def test_what_would_mean_everything_is_refused(run: Run, valkey_url: str) -> None:
    store_session(valkey_url)
    assert run("delete", "--idle", "0", "--yes").code == 2
    assert run("flush", "--yes", "-r", "").code == 2
    assert run("flush", "--yes", "-r", f"{valkey_url.rpartition('/')[0]}/foo").code == 2
    assert _ids(run) == {"session-1"}


def test_ttl_leaves_what_is_no_session(run: Run, database: redis.Redis) -> None:
    database.rpush("session:demo:ada:list", "x")
    result = run("ttl", "session:demo:ada:list", "--set", "1s")
    assert "was not changed" in result.err
    assert database.ttl("session:demo:ada:list") == -1
