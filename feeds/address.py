"""Where a venue, or a sandbox, may be reached: secrets go over TLS, or stay on this machine. Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from framework.errors import ConfigError
from framework.wire import is_on_this_machine


def address(asked: str | None, default: str, name: str = "base_url") -> str:
    """Return a server's address, without a slash at its end; raise `ConfigError` for one that cannot be used.

    `name` is what the user calls it.
    """
    if asked is None:
        return default
    parts = _parts(asked)
    is_plain = not (parts.query or parts.fragment or parts.username is not None)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise ConfigError(f'{name} is not an address that can be used; try {name}="http://127.0.0.1:8000"')
    if parts.scheme == "http" and not is_on_this_machine(asked):
        raise ConfigError(f"{name} {asked} would send the keys in the clear; try https://{parts.netloc}")
    return asked.rstrip("/")


def is_same_host(url: str, other: str) -> bool:
    """Return whether two addresses lead to one host."""
    return _parts(url).hostname == _parts(other).hostname


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts
