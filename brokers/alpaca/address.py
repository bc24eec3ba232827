"""Where an account may be reached: secrets go over TLS, or stay on this machine. Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from brokers.alpaca.endpoint import LIVE_URL, PAPER_URL
from feeds.alpaca.download import is_loopback
from framework.errors import ConfigError


def address(asked: str | None, *, paper: bool) -> str:
    """Return the account's address, without a slash at its end; raise `ConfigError` for one that cannot be used."""
    if asked is None:
        return PAPER_URL if paper else LIVE_URL
    parts = _parts(asked)
    is_plain = not (parts.query or parts.fragment or parts.username is not None)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise ConfigError('base_url is not an address that can be used; try base_url="http://127.0.0.1:8000"')
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigError(f"base_url {asked} would send the keys in the clear; try https://{parts.netloc}")
    return asked.rstrip("/")


def is_on_this_machine(url: str) -> bool:
    """Return whether an address is one of this machine's own: a sandbox's."""
    return is_loopback(_parts(url).hostname or "")


def is_live_host(url: str) -> bool:
    """Return whether an address is Alpaca's for real money."""
    return _parts(url).hostname == _parts(LIVE_URL).hostname


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts
