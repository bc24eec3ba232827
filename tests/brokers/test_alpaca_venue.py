"""Alpaca as a venue that can be traded on: where it is, whether money is at stake, and its keys."""

from __future__ import annotations

import subprocess
import sys

import pytest
from desk_session import Heard, Memory
from desk_tape import market

from brokers import AlpacaVenue
from brokers.alpaca.endpoint import LIVE_URL, PAPER_URL
from framework.errors import ConfigError
from framework.live.clock import VirtualClock
from framework.live.transport import AioHttp
from framework.ports import LiveVenue, Session


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for each in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "SWITCHBACK_CREDENTIALS"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_venue_that_can_be_traded_on_needs_no_keys_to_be_named() -> None:
    """They are looked for when they are asked for, and their lack says what to set."""
    venue: LiveVenue = AlpacaVenue(key="PK-MINE", secret="S3CR3T")
    assert venue.secrets == ("PK-MINE", "S3CR3T")
    with pytest.raises(ConfigError, match="set APCA_API_KEY_ID and APCA_API_SECRET_KEY"):
        AlpacaVenue().secrets  # noqa: B018 - reading it is what looks for them


def test_the_environment_has_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for Alpaca's own clients."""
    monkeypatch.setenv("APCA_API_KEY_ID", "PK-ENV")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "ENV-S3CR3T")
    assert AlpacaVenue().secrets == ("PK-ENV", "ENV-S3CR3T")


def test_its_repr_shows_no_secret() -> None:
    """Where it is, and nothing else."""
    venue = AlpacaVenue(key="PK-MINE", secret="S3CR3T", base_url="http://127.0.0.1:8000/")
    assert repr(venue) == "AlpacaVenue(paper=True, base_url='http://127.0.0.1:8000')"
    assert repr(AlpacaVenue(paper=False)) == "AlpacaVenue(paper=False)"


@pytest.mark.parametrize(
    ("paper", "base_url", "is_real", "shown"),
    [
        (True, None, False, PAPER_URL),
        (False, None, True, LIVE_URL),
        (False, "http://127.0.0.1:8000", False, "http://127.0.0.1:8000"),
        (False, "http://localhost:8000/", False, "http://localhost:8000"),
        (False, "https://proxy.example/alpaca", True, "https://proxy.example/alpaca"),
    ],
)
def test_money_is_at_stake_on_the_live_host_only(paper: bool, base_url: str | None, is_real: bool, shown: str) -> None:
    """Neither on paper nor on this machine."""
    venue = AlpacaVenue(paper=paper, base_url=base_url)
    assert (venue.is_real, venue.base_url) == (is_real, shown)


@pytest.mark.parametrize("base_url", ["", "paper", "ftp://x", "https://u:p@x", "https://x?key=1", "http://x:port"])
def test_an_address_that_cannot_be_used_says_what_one_looks_like(base_url: str) -> None:
    """It is not repeated: there may be a secret in it."""
    with pytest.raises(ConfigError, match="try base_url="):
        AlpacaVenue(base_url=base_url)


def test_keys_do_not_travel_in_the_clear() -> None:
    """Over TLS, or on this machine."""
    with pytest.raises(ConfigError, match=r"try https://proxy\.example"):
        AlpacaVenue(base_url="http://proxy.example")


def test_a_session_opens_a_desk_without_sending_anything() -> None:
    """What is sent comes with `listen`."""
    with market(100.0) as sandbox:
        clock = VirtualClock()
        session = Session("run", clock, AioHttp("Alpaca", clock), Memory(), Heard(sandbox))
        venue = AlpacaVenue(key=sandbox.key, secret=sandbox.secret, base_url=sandbox.url)
        desk = venue.open(session, lambda _: None)
        assert (sandbox.state()["requests"], sandbox.secret in repr(vars(desk))) == ({}, False)


def test_naming_the_venue_loads_no_network_library() -> None:
    """A backtest needs its rules only."""
    script = (
        "import sys; from brokers import AlpacaVenue; AlpacaVenue().rules;"
        "sys.exit(bool({'aiohttp', 'websockets', 'requests', 'pandas', 'backtrader'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
