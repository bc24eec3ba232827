"""The warm-up of a live session: the last bars that had ended by an instant, whole and fresh."""

from datetime import timedelta

import pytest
from live_feed import PRICES, bars_of, sandbox
from tape import OPEN

from feeds import AlpacaBars

MINUTE = timedelta(minutes=1)


@pytest.fixture
def venue(monkeypatch, tmp_path):
    """A sandbox that has played four minutes, and a cache that is empty."""
    monkeypatch.setenv("SWITCHBACK_CACHE", str(tmp_path / "cache"))
    with sandbox(PRICES) as venue:
        venue.step(4)
        yield venue


def closes(found):
    return {symbol: bars.close.tolist() for symbol, bars in found.items()}


def test_last_bars_of_each_symbol(venue):
    """A number of bars is of each symbol's own, whatever minutes had none."""
    source = bars_of(venue)
    assert closes(source.before(OPEN + 4 * MINUTE, 3)) == {"SPY": [101, 102, 103], "IBM": [50, 52, 53]}
    assert closes(source.before(OPEN + 4 * MINUTE, 2 * MINUTE)) == {"SPY": [102, 103], "IBM": [52, 53]}


def test_bars_that_had_not_ended_are_left_out(venue):
    """Inside a session, inside a minute; a source's own start and end count for nothing."""
    source = bars_of(venue, start="2020-01-02", end="2020-01-03")
    assert closes(source.before(OPEN + 2.5 * MINUTE, 9)) == {"SPY": [100, 101], "IBM": [50]}


def test_symbol_without_bars_has_none(venue):
    """It is no error: it may trade later."""
    found = bars_of(venue, symbols=["SPY", "NEVER"]).before(OPEN + 4 * MINUTE, 1)
    assert closes(found) == {"SPY": [103], "NEVER": []}
    assert closes(bars_of(venue).before(OPEN + 4 * MINUTE, 0)) == {"SPY": [], "IBM": []}
    assert closes(AlpacaBars("FAKEPACA", feed="test").before(OPEN, 5)) == {"FAKEPACA": []}


@pytest.mark.parametrize("is_named", [False, True])
def test_recent_minutes_are_asked_for_afresh(venue, tmp_path, is_named):
    """Also from a cache: a day that had not ended is not kept, though by our clock it is long past."""
    source = bars_of(venue, cache=tmp_path / "own" if is_named else None)
    source.before(OPEN + 4 * MINUTE, 1)
    venue.step(2)
    assert closes(source.before(OPEN + 6 * MINUTE, 1)) == {"SPY": [105], "IBM": [55]}


def test_sandbox_leaves_no_bars_behind(venue, tmp_path):
    """Another one may have its address tomorrow."""
    bars_of(venue).before(OPEN + timedelta(days=30), 5)
    assert not (tmp_path / "cache").exists()


def test_bars_of_two_sandboxes_do_not_mix(monkeypatch, tmp_path):
    """Even at one address."""
    monkeypatch.setenv("SWITCHBACK_CACHE", str(tmp_path))
    port = 0
    for factor in (1, 2):
        with sandbox({"SPY": [100.0 * factor]}, port=port) as venue:
            port = int(venue.url.rpartition(":")[2])
            venue.step()
            assert closes(bars_of(venue).before(OPEN + timedelta(days=30), 1)) == {"SPY": [100 * factor]}
