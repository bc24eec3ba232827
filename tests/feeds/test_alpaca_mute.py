"""When a stream of bars is taken for mute: history has bars that it did not bring."""

from datetime import timedelta

from tape import OPEN

from feeds.alpaca.mute import Mute
from feeds.gaps import Certified, Handed, Origin
from framework.model import Bar

MINUTE = timedelta(minutes=1)


def found(minute, *symbols, origin=Origin.BACKFILLED):
    """Return what history brought of a minute."""
    return [Handed(Bar(symbol, OPEN + minute * MINUTE, 1, 1, 1, 1, 1), origin) for symbol in symbols]


def opened():
    mute = Mute()
    mute.opened(OPEN)
    return mute


def test_a_minute_of_several_symbols_is_enough():
    """Bars are lost one by one, and not all of a minute at once."""
    assert opened().is_shown(found(1, "SPY", "IBM"))


def test_single_bar_is_lost_by_itself():
    """Of those it takes two minutes in a row."""
    mute = opened()
    assert not mute.is_shown(found(1, "SPY"))
    assert not mute.is_shown([Certified("IBM", (OPEN + MINUTE,))])
    assert mute.is_shown(found(2, "SPY"))


def test_stream_that_told_of_the_minute_is_not_mute():
    """Nor of any minute before."""
    mute = opened()
    assert not mute.is_shown(found(1, "SPY"))
    mute.brought(OPEN + 2 * MINUTE)
    assert not mute.is_shown([*found(1, "IBM"), *found(2, "IBM", "BAC"), *found(3, "SPY")])
    assert not mute.is_shown(found(4, "SPY", origin=Origin.LIVE))


def test_minutes_before_the_connection_and_without_one_do_not_count():
    """Nobody could bring them."""
    mute = Mute()
    assert not mute.is_shown(found(1, "SPY", "IBM"))
    mute.opened(OPEN + 2 * MINUTE)
    assert not mute.is_shown(found(2, "SPY", "IBM"))
    mute.closed()
    assert not mute.is_shown(found(3, "SPY", "IBM"))


def test_connecting_in_vain_takes_twice_as_much_each_time():
    """Where history has bars that no stream brings, the connection is not made anew each minute."""
    mute = opened()
    shown = [minute for minute in range(1, 64) if mute.is_shown(found(minute, "SPY", "IBM"))]
    assert shown == [1, 3, 7, 15, 31, 47, 63]
    mute.brought(OPEN + 63 * MINUTE)
    assert mute.is_shown(found(64, "SPY", "IBM"))


def test_a_symbol_that_joined_counts_from_then_on():
    """What ended before was not to be brought."""
    mute = opened()
    for symbol in ("SPY", "IBM"):
        mute.joined(symbol, OPEN + 2 * MINUTE)
    assert not mute.is_shown(found(2, "SPY", "IBM"))
    assert mute.is_shown(found(3, "SPY", "IBM"))


def test_a_symbol_that_the_stream_does_not_carry_never_counts():
    """Its bars come from history, one after the other; those of others still show what they show."""
    mute = opened()
    mute.excuse("IBM")
    assert not any(mute.is_shown(found(at, "IBM")) for at in range(1, 9))
    assert not mute.is_shown(found(9, "IBM", "SPY"))
    assert mute.is_shown(found(10, "SPY"))
