"""Redis URLs: parsing, redaction, errors."""

import pytest
from redis.asyncio import (
    Connection,
    Redis,
    RedisCluster,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.credentials import UsernamePasswordCredentialProvider

from adksess.store.connect import new_client
from adksess.store.errors import InvalidURL
from adksess.store.settings import Settings

SECRET = "s3cr3t"


def test_defaults() -> None:
    settings = Settings.parse("redis://localhost:6379/0")
    assert (settings.ttl, settings.prefix, settings.conflict) == (86_400, "", "append")
    assert settings.options == {}


def test_our_options_are_read_from_the_query_and_keywords_win() -> None:
    url = "redis://host/3?ttl=7d&prefix=prod:&conflict=reject&socket_timeout=2"
    settings = Settings.parse(url)
    assert (settings.ttl, settings.prefix, settings.conflict) == (604_800, "prod:", "reject")
    assert settings.options == {"socket_timeout": "2"}
    changed = Settings.parse(url, ttl=0, prefix="")
    assert (changed.ttl, changed.prefix) == (0, "")
    assert Settings.parse(changed.uri).ttl == 0


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://:{SECRET}@host:6379/0", "redis://:***@host:6379/0"),
        (f"redis://{SECRET}@host:6379/0", "redis://***@host:6379/0"),
        (f"redis://ada:{SECRET}@host:6379/0?ttl=1d&prefix=p", "redis://ada:***@host:6379/0"),
        (f"rediss://host?password={SECRET}&db=2", "rediss://host?password=***&db=2"),
        (f"rediss://host?ssl_password={SECRET}", "rediss://host?ssl_password=***"),
        (f"unix://:{SECRET}@/run/redis.sock?db=1", "unix://:***@/run/redis.sock?db=1"),
        (f"redis+cluster://u:{SECRET}@a:1,b:2", "redis+cluster://u:***@a:1,b:2"),
        (
            f"redis+sentinel://u:{SECRET}@a:1,b:2/main?sentinel_password={SECRET}",
            "redis+sentinel://u:***@a:1,b:2/main?sentinel_password=***",
        ),
        (f"valkey://u:{SECRET}%40%3A%2F@host", "valkey://u:***@host"),
    ],
)
def test_no_password_in_repr_and_redacted(url: str, shown: str) -> None:
    settings = Settings.parse(url)
    assert settings.redacted == shown
    assert SECRET not in repr(settings)
    assert SECRET in settings.uri
    assert Settings.parse(settings.uri).redacted == shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        f"http://:{SECRET}@host",
        f"redis://:{SECRET}@host:port/0",
        f"redis://:{SECRET}@host:99999/0",
        f"redis://:{SECRET}@",
        f"redis://:{SECRET}@:6379",
        f"redis://:{SECRET}#x@host",
        f"redis://:{SECRET}/x@host",
        f"redis://:12?{SECRET}@host:6379/0",
        f"redis://ada:12?{SECRET}@host:6379/0",
        f"redis://ada:12?x={SECRET}@host:6379/0",
        f"redis://:x@y?{SECRET}@host:6379/0",
        f"redis://[:{SECRET}@host",
        f"redis://:{SECRET}\u2100@host",
        f"redis://:{SECRET}@host/0?ttl=soon",
        f"redis://:{SECRET}@host/0?ttl=-1",
        f"redis://:{SECRET}@host/0?conflict=maybe",
        f"redis+sentinel://:{SECRET}@host:26379",
        f"unix://:{SECRET}@",
    ],
)
def test_a_url_that_cannot_be_used_is_an_error_that_repeats_no_secret(url: str) -> None:
    with pytest.raises(InvalidURL) as error:
        Settings.parse(url)
    seen = str(error.value)
    cause = error.value.__cause__
    assert SECRET not in seen + str(cause)


@pytest.mark.parametrize("query", ["foo=1", "db=x", "socket_timeout=x", "health_check_interval=x"])
async def test_an_option_that_redis_py_rejects_is_named(query: str) -> None:
    settings = Settings.parse(f"redis://:{SECRET}@host/?{query}")
    with pytest.raises(InvalidURL, match=query.partition("=")[0]) as error:
        new_client(settings)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("rediss://host?ssl_cert_reqs=CERT_NONE", r"use required \(default\), optional or none"),
        ("redis://host?ssl=true", "write rediss:// for TLS, redis:// without"),
        ("rediss://host?ssl_ca_certs=/no/ca.pem", "names a file that does not exist: /no/ca.pem"),
        ("rediss://host?ssl_certfile=/no/it.crt", "ssl_certfile in the Redis URL names a file"),
        ("redis://host?single_slot=maybe", "use true or false"),
        ("redis://host?socket_keepalive_=1", "has no option socket_keepalive_"),
        ("redis://host?retry_on_timeout=x&db=x", "does not accept the value of db"),
        ("redis://host?credential_provider=no_such_module:f", "cannot be imported"),
        ("redis://host?credential_provider=json", "write module:function"),
        ("redis://host?credential_provider=builtins:dict", "and returned dict"),
        ("redis://host?credential_provider=builtins:next", "failed: TypeError"),
        (f"redis://:{SECRET}@host?password_file=x", "more than one login"),
        ("redis://host?password_file=x&credential_provider=a:b", "more than one login"),
    ],
)
def test_an_option_that_is_wrong_gets_the_accepted_words(url: str, says: str) -> None:
    with pytest.raises(InvalidURL, match=says) as error:
        new_client(Settings.parse(url))
    assert SECRET not in str(error.value)


def test_options_that_are_objects_or_none() -> None:
    provider = UsernamePasswordCredentialProvider("ada", SECRET)
    settings = Settings.parse("redis://host?max_connections=7").with_options(
        credential_provider=provider,
        username=None,
        socket_timeout=None,
        socket_connect_timeout=1.5,
        db=3,
        socket_keepalive=False,
    )
    assert settings.number("socket_timeout", 5) == 5
    kwargs = new_client(settings).connection_pool.connection_kwargs
    assert kwargs["credential_provider"] is provider
    assert (kwargs["socket_connect_timeout"], kwargs["db"]) == (1.5, 3)
    assert kwargs["socket_keepalive"] is False
    assert "username" not in kwargs
    assert "provider" not in settings.uri
    assert settings.redacted == (
        "redis://host?max_connections=7&socket_connect_timeout=1.5&db=3&socket_keepalive=False"
    )


async def test_each_scheme_has_its_client() -> None:
    def client(url: str) -> Redis | RedisCluster:
        return new_client(Settings.parse(url))

    plain = client(f"valkey://u:{SECRET}@host:7000/3?socket_timeout=2&max_connections=7")
    assert isinstance(plain, Redis)
    kwargs = plain.connection_pool.connection_kwargs
    assert (kwargs["host"], kwargs["port"], kwargs["db"]) == ("host", 7000, 3)
    assert (kwargs["username"], kwargs["password"]) == ("u", SECRET)
    assert kwargs["socket_timeout"] is None, "RedisClient limits the whole call"
    secure = client("rediss://host")
    assert isinstance(secure, Redis)
    assert issubclass(secure.connection_pool.connection_class, SSLConnection)
    local = client("unix:///run/redis.sock?db=1")
    assert isinstance(local, Redis)
    assert issubclass(local.connection_pool.connection_class, UnixDomainSocketConnection)
    assert local.connection_pool.connection_kwargs["path"] == "/run/redis.sock"
    assert isinstance(client("redis+cluster://a:1,b"), RedisCluster)
    assert isinstance(client("rediss+cluster://a:1,b"), RedisCluster)
    for url, is_tls in (
        ("redis+sentinel://a:1,b/main?db=2", False),
        ("rediss+sentinel://a:1,b/main?db=2", True),
        ("redis+sentinel://a:1,b/main?db=2&ssl=true", True),
        ("redis+sentinel://a:1,b/main?db=2&ssl=false", False),
    ):
        watched = client(url)
        assert isinstance(watched, Redis)
        pool = watched.connection_pool
        assert isinstance(pool, SentinelConnectionPool)
        assert pool.connection_kwargs["db"] == 2
        for one in (watched, *pool.sentinel_manager.sentinels):
            assert issubclass(one.connection_pool.connection_class, SSLConnection) is is_tls


def test_commands_are_packed_as_redis_py_packs_them() -> None:
    ours = new_client(Settings.parse("redis://host")).connection_pool.make_connection()
    for words in (("PING",), ("CONFIG GET", "a b"), ("SET", "ключ", b"\xff\r\n", 1, -2, 1.5, "")):
        assert b"".join(ours.pack_command(*words)) == b"".join(Connection().pack_command(*words))
    for url, kind in (("redis+cluster://a", Connection), ("rediss+cluster://a", SSLConnection)):
        shared = new_client(Settings.parse(url)).get_connection_kwargs()
        assert issubclass(shared["connection_class"], kind)
        assert shared["connection_class"].pack_command is not kind.pack_command


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost:6379/0", True),
        ("rediss://ada:geheim@[::1]:6380", True),
        ("redis+cluster://127.0.0.1:7000,127.0.0.1:7001", True),
        ("unix:///run/redis.sock", True),
        ("redis://db:6379/0", False),
        ("redis+sentinel://localhost:26379,db:26379/main", False),
    ],
)
def test_whether_a_url_names_this_machine(url: str, expected: bool) -> None:
    assert Settings.parse(url).is_local is expected


def test_a_login_with_a_password_file_is_a_name() -> None:
    shown = Settings.parse("redis://ada@db:6379?password_file=/run/secret").redacted
    assert shown.startswith("redis://ada@db:6379")
