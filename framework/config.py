"""Where credentials and the cache come from: the environment and one private file. Nothing is kept.

Credentials are looked for in this order: what the caller gives, two environment variables, then a
TOML file that nobody else can read, with one table for each service:

    [alpaca]
    key = "..."
    secret = "..."

The file is `~/.config/switchback/credentials.toml`, or what `SWITCHBACK_CREDENTIALS` names.
"""

from __future__ import annotations

import os
import stat
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framework.errors import ConfigError, nearest

CREDENTIALS_VARIABLE = "SWITCHBACK_CREDENTIALS"
CACHE_VARIABLE = "SWITCHBACK_CACHE"
SESSIONS_VARIABLE = "SWITCHBACK_SESSIONS"

_FIELDS = ("key", "secret")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A key and its secret. Nothing that shows an object shows them; `hidden` takes them out of a text.

    `where` says where they come from: "in the environment", say.
    """

    key: str
    secret: str
    where: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return "Credentials(...)"

    def hidden(self, text: str) -> str:
        """Return `text` without the key and the secret: for what the other side says, which may quote them."""
        for word in (self.secret, self.key):
            text = text.replace(word, "***")
        return text


def find_credentials(
    service: str,
    variables: tuple[str, str],
    given: tuple[str | None, str | None] = (None, None),
    environ: Mapping[str, str] = os.environ,
) -> Credentials | None:
    """Return a service's credentials, or None where there are none at all.

    `service` names the file's table, `variables` the environment's key and secret. Raise
    `ConfigError` where only one of the two is there, or where the file cannot be used.
    """
    explicit = _pair(given, _FIELDS, "in the call")
    return explicit or _pair_in_environment(variables, environ) or _pair_in_file(service, environ)


def require_credentials(
    service: str,
    variables: tuple[str, str],
    given: tuple[str | None, str | None] = (None, None),
    environ: Mapping[str, str] = os.environ,
) -> Credentials:
    """Return a service's credentials as `find_credentials` does; raise `ConfigError` where there are none."""
    found = find_credentials(service, variables, given, environ)
    if found is None:
        raise ConfigError(
            f"no credentials for {service}; set {variables[0]} and {variables[1]}, "
            f"or write key and secret under [{service}] in {_file(environ)}"
        )
    return found


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for what can be fetched again: `SWITCHBACK_CACHE`, else the platform's."""
    if asked := environ.get(CACHE_VARIABLE):
        return Path(asked).expanduser()
    if sys.platform == "win32" and (local := environ.get("LOCALAPPDATA")):
        return Path(local) / "switchback" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "switchback"
    return _base("XDG_CACHE_HOME", ".cache", environ) / "switchback"


def sessions_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the sessions' journals: `SWITCHBACK_SESSIONS`, else the platform's for what must last."""
    if asked := environ.get(SESSIONS_VARIABLE):
        return Path(asked).expanduser()
    if sys.platform == "win32" and (local := environ.get("LOCALAPPDATA")):
        return Path(local) / "switchback" / "sessions"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "switchback" / "sessions"
    return _base("XDG_STATE_HOME", ".local/state", environ) / "switchback" / "sessions"


def _base(variable: str, fallback: str, environ: Mapping[str, str]) -> Path:
    """Return an XDG folder; the standard says to ignore one that is not absolute."""
    named = Path(environ.get(variable, ""))
    return named if named.is_absolute() else Path.home() / fallback


def _file(environ: Mapping[str, str]) -> Path:
    if asked := environ.get(CREDENTIALS_VARIABLE):
        return Path(asked).expanduser()
    return _base("XDG_CONFIG_HOME", ".config", environ) / "switchback" / "credentials.toml"


def _pair(values: tuple[str | None, str | None], names: tuple[str, str], where: str) -> Credentials | None:
    key, secret = (value.strip() if value else "" for value in values)
    for name, value in zip(names, (key, secret), strict=True):
        if not (value.isascii() and value.isprintable()) or " " in value:
            # Not left to the transport, whose own error would show the value.
            raise ConfigError(f"{name} {where} has characters that no key has; copy it again")
    if key and secret:
        return Credentials(key, secret, where)
    if key or secret:
        there, missing = names if key else names[::-1]
        raise ConfigError(f"{there} is set {where}, but {missing} is not; give both")
    return None


def _pair_in_environment(variables: tuple[str, str], environ: Mapping[str, str]) -> Credentials | None:
    return _pair((environ.get(variables[0]), environ.get(variables[1])), variables, "in the environment")


def _pair_in_file(service: str, environ: Mapping[str, str]) -> Credentials | None:
    path = _file(environ)
    if not path.is_file():
        if CREDENTIALS_VARIABLE in environ:
            raise ConfigError(f"{CREDENTIALS_VARIABLE} names {path}, which is not a file; correct it or unset it")
        return None
    tables = _tables(path)
    if service not in tables:
        if hint := nearest(service, tables):
            raise ConfigError(f"{path} has no table [{service}]{hint}; rename the table to [{service}]")
        return None
    return _read_table(path, service, tables[service])


def _tables(path: Path) -> dict[str, Any]:
    try:
        return _read(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); make it yours: chmod 600 {path}") from None


def _read(path: Path) -> dict[str, Any]:
    """Read the file, through the same descriptor whose permissions were looked at."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise ConfigError(f"{path} can be read by others (mode {stat.S_IMODE(mode):04o}); type: chmod 600 {path}")
        try:
            return tomllib.load(file)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            # The decoder's own message may quote the line, and the line may be the secret.
            raise ConfigError(f'{path} is not TOML; it should hold [service], key = "..." and secret = "..."') from None


def _read_table(path: Path, service: str, table: object) -> Credentials | None:
    if not isinstance(table, dict):
        raise ConfigError(f'{path}: {service} is not a table; write [{service}], then key = "..." and secret = "..."')
    for name, value in table.items():
        if name not in _FIELDS:
            raise ConfigError(f"{path}: [{service}] has {name!r}{nearest(name, _FIELDS)}; it may hold key and secret")
        if not isinstance(value, str):
            raise ConfigError(f"{path}: {name} of [{service}] is not a text; put it in quotation marks")
    return _pair((table.get("key"), table.get("secret")), _FIELDS, f"in [{service}] of {path}")
