"""config.toml: what it may hold, where passwords come from, and changes that keep its layout."""

from pathlib import Path
from urllib.parse import quote

import pytest

from adksess.cli.config import ConfigError, config_path, parse_config, read_config
from adksess.cli.config_edit import add_server, remove_server, set_default

FULL = """\
# servers of the team
default = "dev"   # the small one

[servers.dev]
url = "redis://localhost:6379/0"

# ask before
[servers.prod]
url = "rediss://db.internal:6379/0"  # with TLS
prefix = "prod:"
password_command = "echo geheim"
protected = true
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "adksess" / "config.toml"
    monkeypatch.setenv("ADKSESS_CONFIG", str(path))
    return path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ADKSESS_CONFIG")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert config_path() == tmp_path / ".config" / "adksess" / "config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert config_path() == tmp_path / "xdg" / "adksess" / "config.toml"
    monkeypatch.setenv("ADKSESS_CONFIG", "~/mine.toml")
    assert config_path() == tmp_path / "mine.toml"


def test_a_user_without_a_home_has_no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_entry(_: int) -> None:
        raise KeyError

    for name in ("HOME", "XDG_CONFIG_HOME", "ADKSESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_entry)
    assert read_config().servers == {}


def test_a_folder_that_cannot_be_entered_has_no_servers(path: Path) -> None:
    path.parent.write_text("a file")  # stat() fails as it does in a folder without permission
    assert read_config().servers == {}


def test_servers(path: Path) -> None:
    assert read_config().servers == {}
    write(path, FULL)
    config = read_config()
    assert (config.default, list(config.servers)) == ("dev", ["dev", "prod"])
    prod = config.server("prod", "--server")
    assert (prod.prefix, prod.protected) == ("prod:", True)
    assert "geheim" not in repr(config.servers["dev"])
    with pytest.raises(ConfigError, match=r"no server 'x' \(--server\).* It has dev, prod\."):
        config.server("x", "--server")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("default = ", "is not valid TOML"),
        ("defualt = 'a'", "unknown key 'defualt'"),
        ("default = 1", "is not the name of a server"),
        ("servers = 1", "is not a table"),
        ("[servers]\na = 1", "is not a table"),
        ("[servers.a]", "has no url"),
        ("[servers.a]\nurl = 1", "url of .* is not a string"),
        ("[servers.a]\nurl = 'redis://h'\nprotected = 'yes'", "is not true or false"),
        ("[servers.a]\nurl = 'redis://h'\npassword = 'geheim'", "unknown key 'password'"),
        ("[servers.a]\nurl = 'http://:geheim@h'", "must start with one of redis://"),
        (
            "[servers.a]\nurl = 'redis://h'\npassword_command = 'a'\npassword_file = 'b'",
            "remove one",
        ),
    ],
)
def test_a_wrong_file_is_a_sentence(path: Path, text: str, problem: str) -> None:
    write(path, text)
    with pytest.raises(ConfigError, match=problem) as raised:
        read_config()
    assert str(path) in str(raised.value)
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://db:6379/0", "redis://:p%40ss%2F@db:6379/0"),
        ("rediss://ada@db/0?ttl=7d", "rediss://ada:p%40ss%2F@db/0?ttl=7d"),
        ("redis://ada:old@db/0", "redis://ada:p%40ss%2F@db/0"),
        ("redis+sentinel://a:1,b:2/main", "redis+sentinel://:p%40ss%2F@a:1,b:2/main"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?password=p%40ss%2F"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1&password=p%40ss%2F"),
    ],
)
def test_the_password_is_put_into_the_url(path: Path, url: str, expected: str) -> None:
    write(path, f'[servers.a]\nurl = "{url}"\npassword_command = "echo p@ss/; echo more"\n')
    assert read_config().servers["a"].url_with_password() == expected


def test_a_password_file_is_named_in_the_url(path: Path) -> None:
    for url, separator in (("redis://ada@db:6379/0", "?"), ("redis://db?ttl=7d", "&")):
        write(path, f'[servers.a]\nurl = "{url}"\npassword_file = "sec ret"\n')
        file = path.parent / "sec ret"
        file.write_text("geheim\n")
        expected = f"{url}{separator}password_file={quote(str(file), safe='')}"
        assert read_config().servers["a"].url_with_password() == expected


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("password_command = 'echo geheim; exit 3'", "failed with exit code 3"),
        ("password_command = 'true'", "printed nothing"),
        ("password_file = 'nowhere'", "Cannot read the password_file of server a"),
        ("password_file = '/dev/null'", "is empty"),
    ],
)
def test_a_password_that_cannot_be_had(path: Path, line: str, problem: str) -> None:
    write(path, f"[servers.a]\nurl = 'redis://h'\n{line}\n")
    with pytest.raises(ConfigError, match=problem) as raised:
        read_config().servers["a"].url_with_password()
    assert "geheim" not in str(raised.value)


def test_a_password_that_others_can_read(path: Path) -> None:
    write(path, '[servers.a]\nurl = "redis://:geheim@h"\n')
    path.chmod(0o644)
    assert read_config().is_exposed
    path.chmod(0o600)
    assert not read_config().is_exposed
    write(path, FULL)
    path.chmod(0o644)
    assert not read_config().is_exposed, "it holds no password"


def test_a_new_file(path: Path) -> None:
    add_server(path, "a", {"url": "redis://h", "protected": True})
    assert path.read_text() == '[servers.a]\nurl = "redis://h"\nprotected = true\n'
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_adding_changes_nothing_else(path: Path) -> None:
    write(path, FULL)
    add_server(path, "new", {"url": 'redis://h?a="\\\n\x7f'.replace("\n", "%0A")})
    assert path.read_text().startswith(FULL + "\n[servers.new]\n")
    assert read_config().servers["new"].url == 'redis://h?a="\\%0A\x7f'


def test_the_default_is_changed_in_its_line(path: Path) -> None:
    write(path, FULL)
    set_default(path, "prod")
    assert path.read_text() == FULL.replace('"dev"   #', '"prod"   #')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[servers.a]\nurl = 'redis://h'\n", "default = \"a\"\n\n[servers.a]\nurl = 'redis://h'\n"),
        (
            "# mine\n\n# the first\n[servers.a]\nurl = 'redis://h'\n",
            "# mine\n\ndefault = \"a\"\n\n# the first\n[servers.a]\nurl = 'redis://h'\n",
        ),
    ],
)
def test_a_first_default_is_written_before_the_tables(path: Path, text: str, expected: str) -> None:
    write(path, text)
    set_default(path, "a")
    assert path.read_text() == expected


def test_removing_keeps_the_comment_of_the_next_table(path: Path) -> None:
    write(path, FULL)
    remove_server(path, "dev")
    kept = FULL.replace('default = "dev"   # the small one\n', "")
    assert path.read_text() == kept.replace(
        '[servers.dev]\nurl = "redis://localhost:6379/0"\n\n', ""
    )
    remove_server(path, "prod")
    assert read_config().servers == {}
    assert "# servers of the team" in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "servers.a.url = 'redis://h'\n",
        "servers = {a = {url = 'redis://h'}}\n",
        "[servers]\na = {url = 'redis://h'}\n",
    ],
)
def test_another_layout_is_left_as_it_is(path: Path, text: str) -> None:
    write(path, text)
    with pytest.raises(ConfigError, match="a layout that adksess cannot change"):
        remove_server(path, "a")
    assert path.read_text() == text


def test_a_symlink_and_its_mode_are_kept(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.toml"
    target.write_text(FULL)
    target.chmod(0o640)
    path.parent.mkdir()
    path.symlink_to(target)
    set_default(path, "prod")
    assert path.is_symlink()
    assert parse_config(target, target.read_text()).default == "prod"
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(path.parent.iterdir()) == [path]
