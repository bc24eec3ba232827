"""Signals of earlier days, from AlphaHub's REST history: placed where they may have been received."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from signals_sandbox import BUY, Venue, alphahub, at

from feeds import AlphaHubSignals
from feeds.alphahub.parsing import Reading
from feeds.alphahub.rest_past import EVER, Asked
from feeds.alphahub.sandbox_signals import Publication
from framework.errors import AuthenticationError, ConfigError, ConnectionLost
from framework.http import Http
from framework.model import Signals
from framework.retries import Patience

SELL = {"symbol": "SPY", "side": "sell"}
OPENED, REVERSED = Publication(16, at(0.25), open=[BUY]), Publication(16, at(1.25), open=[SELL], close=[SELL])
OTHER = Publication(14, at(0.5), open=[SELL])


def source(venue: Venue, *algorithms: int, **more: Any) -> AlphaHubSignals:
    impatient = Patience(attempts=2, first_wait=0.001, longest_wait=0.002)
    settings = {"tz": "UTC", "http": lambda: Http("AlphaHub", impatient), **venue.sandbox.alphahub, **more}
    return AlphaHubSignals(algorithms or (16,), **settings)


def words(batches: Any) -> list[list[str]]:
    return [[f"{each.action.value} {each.side.value}" for each in batch.signals] for batch in batches]


def test_each_is_placed_after_the_time_that_is_written_on_it() -> None:
    """By `delay`: a second, or what is asked for. What opens and what closes follows from what was held."""
    with alphahub(signals=[OPENED, REVERSED]) as venue:
        venue.sandbox.step(5)
        found = source(venue).history()
        later = source(venue, delay=2.5).history()
    assert words(found) == [["open buy"], ["close sell", "open sell"]]
    assert [each.at for each in found] == [at(0.25) + timedelta(seconds=1), at(1.25) + timedelta(seconds=1)]
    assert [each.at for each in later] == [each.at + timedelta(seconds=1.5) for each in found]


def test_several_algorithms_are_one_history_with_one_login() -> None:
    """In the order of receipt, whoever published."""
    with alphahub(signals=[OPENED, REVERSED, OTHER]) as venue:
        venue.sandbox.step(5)
        found = source(venue, 16, 14).history()
        assert venue.market.requests["alphahub_logins"] == 1
    assert [each.algorithm for each in found] == ["16", "14", "16"]


def test_what_was_held_before_the_run_is_read_too() -> None:
    """The close of what was opened before it is one, and the open itself is not told."""
    with alphahub(signals=[OPENED, REVERSED]) as venue:
        venue.sandbox.step(5)
        assert words(source(venue).history(after=at(1))) == [["close sell", "open sell"]]
        assert words(source(venue).history(until=at(1))) == [["open buy"]]


def test_signal_is_seen_only_from_the_moment_it_is_received() -> None:
    """Published just before an instant, received just after it."""
    with alphahub(signals=[OPENED]) as venue:
        venue.sandbox.step(2)
        assert source(venue).history(until=at(0.25)) == ()
        assert words(source(venue).history(after=at(0.25))) == [["open buy"]]


def test_signal_without_a_time_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """Counted with an example, as is what cannot be read; the others are there."""
    items = [{**BUY, "timestamp": None}, {**BUY, "timestamp": "at noon"}]
    with alphahub() as venue, caplog.at_level(logging.WARNING):
        venue.sandbox.publish(16, open=[*items, BUY])
        assert words(source(venue).history()) == [["open buy"]]
    told = [each.getMessage() for each in caplog.records if each.name == "switchback.signals"]
    assert ["is no time" in told[0], "bears no time: SPY" in told[1]] == [True, True]


def test_wrong_password_is_sent_once() -> None:
    """And the error says where it comes from, not what it is."""
    with alphahub() as venue:
        venue.sandbox.fault("wrong_password", count=0)
        with pytest.raises(AuthenticationError, match="ALPHAHUB_PASSWORD") as raised:
            source(venue, password="of mine").history()
        assert venue.market.requests["alphahub_logins"] == 1
    assert "of mine" not in str(raised.value)


def test_server_that_fails_is_asked_again_and_then_told() -> None:
    """A question twice here, by the transport's patience."""
    with alphahub(signals=[OPENED]) as venue:
        venue.sandbox.step(2)
        venue.sandbox.fault("server_error", match={"method": "GET"})
        assert len(source(venue).history()) == 1
        venue.sandbox.fault("server_error", count=0, match={"method": "GET"})
        with pytest.raises(ConnectionLost, match="history of algorithm 16"):
            source(venue).history()


def test_account_is_needed_for_the_history(nobody: Path) -> None:
    """And is looked for when it is asked."""
    with pytest.raises(ConfigError, match="ALPHAHUB_EMAIL and ALPHAHUB_PASSWORD"):
        AlphaHubSignals([16], tz="UTC").history()


@pytest.mark.parametrize(
    ("after", "since"),
    [(None, EVER), (datetime(2026, 10, 5, 23, tzinfo=UTC), date(2026, 9, 4)),
     (datetime(2000, 1, 3, tzinfo=UTC), EVER)],
)  # fmt: skip
def test_day_that_is_asked_for(after: Any, since: Any) -> None:
    """The days of `lookback` before the run, and one more; everything where no start is told."""
    asked = Asked(["16"], "https://alphahub.us", Reading(UTC), timedelta(seconds=1), lookback=30)
    assert asked.since(after) == since


def test_nothing_published_is_an_empty_history() -> None:
    """It is no mistake; a sandbox's own requests show that it was asked."""
    with alphahub() as venue:
        found: tuple[Signals, ...] = tuple(source(venue).history())
        assert requests.get(f"{venue.url}/_sandbox/signals", timeout=10).json() == {"signals": []}
        assert venue.market.requests["alphahub_api"] == 2
    assert found == ()
