"""ALGOGENE's bars as a source: history and warm-up from its pages, and what cannot be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tape import OPEN, Tape

from feeds import AlgogeneBars
from feeds.algogene.standstill import Standstill
from framework.app.sandbox import Sandbox
from framework.columns import moment
from framework.errors import ConfigError, Unsupported
from framework.model import Halt, Quote
from framework.ports import LiveSource

NOW = OPEN + timedelta(minutes=10)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Ten minutes that have been played."""
    with Sandbox(Tape({"XYZ": [100.0 + each for each in range(12)]})) as served:
        served.step(10)
        yield served


def bars(sandbox: Sandbox, *symbols: str, start: Any = None, end: Any = None, **options: Any) -> AlgogeneBars:
    return AlgogeneBars(symbols or ["XYZ"], start, end, now=lambda: NOW, **sandbox.algogene, **options)


def test_history_is_what_ended_in_the_range(sandbox: Sandbox) -> None:
    """After the start, up to the end, warm-up before it."""
    source = bars(sandbox, start=OPEN + timedelta(minutes=3), end=OPEN + timedelta(minutes=6))
    assert list(source.history()["XYZ"].close) == [103, 104, 105]
    assert list(source.history(2)["XYZ"].close) == [101, 102, 103, 104, 105]
    assert list(source.history(timedelta(minutes=1))["XYZ"].close) == [102, 103, 104, 105]


def test_history_goes_up_to_now(sandbox: Sandbox) -> None:
    """A bar that is not over is none yet."""
    found = bars(sandbox, start=OPEN).history()["XYZ"]
    assert (len(found), moment(found.end[-1])) == (10, NOW)


def test_several_symbols_come_together(sandbox: Sandbox) -> None:
    """BTCUSD is always among a sandbox's instruments."""
    found = bars(sandbox, "XYZ", "BTCUSD", start=OPEN).history()
    assert {symbol: len(each) for symbol, each in found.items()} == {"XYZ": 10, "BTCUSD": 10}


def test_warm_up_before_an_instant(sandbox: Sandbox) -> None:
    """So many bars, or a span; none where none is asked for."""
    source, at = bars(sandbox), OPEN + timedelta(minutes=5)
    assert list(source.before(at, 2)["XYZ"].close) == [103, 104]
    assert list(source.before(at, timedelta(minutes=3))["XYZ"].close) == [102, 103, 104]
    assert len(source.before(at, 0)["XYZ"]) == 0


def test_bars_outside_of_the_calendar_are_left_out(sandbox: Sandbox) -> None:
    """Coins trade at night; a source of the exchange's hours does not see it."""
    night, day = (
        bars(sandbox, "BTCUSD", calendar=each).before(OPEN + timedelta(minutes=2), 10) for each in ("24/7", "XNYS")
    )
    assert moment(night["BTCUSD"].end[0]) == OPEN - timedelta(minutes=7)
    assert moment(day["BTCUSD"].end[-3]) < OPEN - timedelta(hours=12)
    assert len(day["BTCUSD"]) == 10


def test_a_day_and_longer_bars_are_asked_for_as_such(sandbox: Sandbox) -> None:
    """They are the venue's own."""
    found = bars(sandbox, start=OPEN, timeframe="5Min").history()["XYZ"]
    assert list(found.close) == [104, 109]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"start": None}, "needs a start"),
        ({"start": NOW + timedelta(days=1)}, "lies ahead"),
        ({"start": OPEN - timedelta(days=900), "end": OPEN - timedelta(days=899)}, "no bars for XYZ"),
    ],
)
def test_what_cannot_be_found_is_told(sandbox: Sandbox, options: Any, told: str) -> None:
    """In a line that says what to try."""
    with pytest.raises(ConfigError, match=told):
        bars(sandbox, **options).history()


def test_live_bars_are_of_a_minute(sandbox: Sandbox) -> None:
    """Longer ones the run makes of them."""
    assert isinstance(bars(sandbox), LiveSource)
    with pytest.raises(Unsupported, match="timeframes="):
        _ = bars(sandbox, timeframe="5Min").secrets


def test_without_credentials_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """The error names the variables, and a source alone needs none."""
    monkeypatch.delenv("SWITCHBACK_CREDENTIALS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("ALGOGENE_USER", raising=False)
    source = AlgogeneBars(["BTCUSD"])
    with pytest.raises(ConfigError, match="ALGOGENE_USER and ALGOGENE_API_KEY"):
        _ = source.secrets


def test_keys_do_not_leave_in_the_clear() -> None:
    """Another server is on this machine, or behind TLS."""
    with pytest.raises(ConfigError, match="in the clear"):
        AlgogeneBars(["BTCUSD"], base_url="http://algogene.com")


def quote(second: float) -> Quote:
    return Quote("XYZ", OPEN + timedelta(seconds=second), 1.0, 1.0, 1.0, 1.0)


def test_a_quote_that_comes_again_when_it_is_old_stands_still() -> None:
    """Once it is told, and once that it moves again."""
    still = Standstill(timedelta(seconds=60))
    told = [
        still.take(quote(at), OPEN + timedelta(seconds=now))
        for at, now in ((0, 1), (0, 59), (0, 61), (0, 90), (91, 92))
    ]
    assert [each.is_halted if isinstance(each, Halt) else None for each in told] == [None, None, True, None, False]


def test_a_quote_that_was_refused_for_its_age_is_none() -> None:
    """It is the first that is heard of the symbol, and long gone."""
    halt = Standstill(timedelta(seconds=60)).take(quote(0), OPEN + timedelta(hours=1), is_stale=True)
    assert halt is not None
    assert (halt.is_halted, halt.reason) == (True, "its quote stands still, 3600 s old")
