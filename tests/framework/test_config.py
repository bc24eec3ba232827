"""Credentials and the cache folder: where they are looked for, and that nothing shows a secret."""

import os
import pickle
from pathlib import Path

import pytest

from framework.config import Credentials, cache_folder, find_credentials, require_credentials
from framework.errors import ConfigError

VARIABLES = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
POSIX = pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")


def file_with(tmp_path: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    path = tmp_path / "credentials.toml"
    path.write_text(text)
    path.chmod(mode)
    return {"SWITCHBACK_CREDENTIALS": str(path)}


def nowhere(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def test_what_the_call_gives_comes_first(tmp_path):
    """Explicit keys win over the environment and the file."""
    environ = file_with(tmp_path, '[alpaca]\nkey="file"\nsecret="f"') | dict.fromkeys(VARIABLES, "environment")
    assert find_credentials("alpaca", VARIABLES, ("given", "g"), environ) == Credentials("given", "g")


def test_environment_comes_before_the_file(tmp_path):
    """With nothing given, the two variables are used."""
    environ = file_with(tmp_path, '[alpaca]\nkey="file"\nsecret="f"') | dict(zip(VARIABLES, "es", strict=True))
    assert find_credentials("alpaca", VARIABLES, environ=environ) == Credentials("e", "s")


def test_private_file_is_read(tmp_path):
    """A 0600 file with the service's table gives its key and secret."""
    environ = file_with(tmp_path, '[alpaca]\nkey = "k"\nsecret = "s"\n[other]\nkey = "x"\nsecret = "y"')
    assert find_credentials("alpaca", VARIABLES, environ=environ) == Credentials("k", "s")


def test_default_file_is_in_the_configuration_folder(tmp_path):
    """Without a variable the file is looked for under XDG_CONFIG_HOME."""
    folder = tmp_path / "switchback"
    folder.mkdir()
    file_with(folder, '[alpaca]\nkey = "k"\nsecret = "s"')
    assert find_credentials("alpaca", VARIABLES, environ=nowhere(tmp_path)) == Credentials("k", "s")


@POSIX
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_file_that_others_can_reach_is_refused(tmp_path, mode):
    """The error says which command makes the file private, and shows none of it."""
    environ = file_with(tmp_path, '[alpaca]\nkey = "k"\nsecret = "hush"', mode)
    with pytest.raises(ConfigError, match=r"type: chmod 600 .*credentials\.toml") as raised:
        find_credentials("alpaca", VARIABLES, environ=environ)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[alpaca]\nkye = "k"\nsecret = "hush"', r"'kye' \(did you mean key\?\)"),
        ('[alpca]\nkey = "k"\nsecret = "hush"', r"no table \[alpaca\] \(did you mean alpca\?\)"),
        ('[alpaca]\nkey = "k"', r"key is set in .* but secret is not"),
        ('[alpaca]\nkey = 5\nsecret = "hush"', r"key of \[alpaca\] is not a text"),
        ("[alpaca]\nsecret = hush", r"is not TOML"),
        ('alpaca = "hush"', r"alpaca is not a table"),
    ],
)
def test_faulty_file_gets_one_clear_line(tmp_path, text, says):
    """The line names the file and what to write, and never quotes a value."""
    with pytest.raises(ConfigError, match=says) as raised:
        find_credentials("alpaca", VARIABLES, environ=file_with(tmp_path, text))
    assert "hush" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_file_that_is_named_must_be_there(tmp_path):
    """A SWITCHBACK_CREDENTIALS that leads nowhere is an error, not a silent nothing."""
    with pytest.raises(ConfigError, match=r"SWITCHBACK_CREDENTIALS names .* is not a file"):
        find_credentials("alpaca", VARIABLES, environ={"SWITCHBACK_CREDENTIALS": str(tmp_path / "none.toml")})


def test_missing_credentials_name_both_variables(tmp_path):
    """One line says which variables to set, and which file would do."""
    with pytest.raises(ConfigError, match=r"APCA_API_KEY_ID and APCA_API_SECRET_KEY.*credentials\.toml"):
        require_credentials("alpaca", VARIABLES, environ=nowhere(tmp_path))


def test_half_of_the_environment_names_the_other_half(tmp_path):
    """A key without its secret is an error that says which variable lacks."""
    with pytest.raises(ConfigError, match="APCA_API_KEY_ID is set in the environment, but APCA_API_SECRET_KEY is not"):
        find_credentials("alpaca", VARIABLES, environ={"APCA_API_KEY_ID": "k"} | nowhere(tmp_path))


@pytest.mark.parametrize("key", ["hush\nhush", "hush hush", "hüsh"])
def test_key_that_no_header_can_carry_is_refused(key):
    """Before the transport sees it, whose own error would quote it."""
    with pytest.raises(ConfigError, match="key in the call has characters that no key has") as raised:
        find_credentials("alpaca", VARIABLES, (key, "s"), {})
    assert "sh" not in str(raised.value)


def test_no_credentials_at_all_is_none(tmp_path):
    """What can do without keys asks with `find_credentials`, and gets None."""
    assert find_credentials("alpaca", VARIABLES, environ=nowhere(tmp_path)) is None


def test_credentials_show_nothing():
    """Neither repr, str nor a format shows the key or the secret; they survive a pickle."""
    credentials = Credentials("the-key", "the-secret")
    assert "the-" not in f"{credentials!r} {credentials} {[credentials]}"
    assert pickle.loads(pickle.dumps(credentials)) == credentials


def test_hidden_takes_credentials_out_of_a_text():
    """What the other side says may quote the key: it is masked."""
    assert Credentials("PK1", "SS2").hidden("key PK1 with SS2") == "key *** with ***"


def test_cache_folder_can_be_named(tmp_path):
    """SWITCHBACK_CACHE decides."""
    assert cache_folder({"SWITCHBACK_CACHE": str(tmp_path)}) == tmp_path


@pytest.mark.skipif(os.sys.platform != "linux", reason="the XDG folders are Linux's")
def test_cache_folder_follows_xdg(tmp_path):
    """Else it is the platform's, and a relative XDG_CACHE_HOME is ignored."""
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "switchback"
    assert cache_folder({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache" / "switchback"
