"""The shortest example: long while the fast average is above the slow one."""

from __future__ import annotations

from tape import Tape

from feeds import SampleBars
from framework import run
from strategies.sma_cross import SmaCross

UP_AND_DOWN = [14.0, 13.0, 12.0, 11.0, 10.0, 9.0, 10.0, 11.0, 12.0, 13.0, 12.0, 11.0, 10.0, 9.0, 9.0]


def test_it_is_long_from_cross_to_cross() -> None:
    """One rise and fall is one round trip, for a lot's worth of shares."""
    result = run(SmaCross, source=Tape({"XYZ": UP_AND_DOWN}), fast=2, slow=4, lot=1_000)
    (trade,) = result.trades.to_dict("records")
    assert (trade["direction"], trade["size"]) == ("long", int(1_000 / 11.0))


def test_it_never_goes_short_where_symbols_have_holes() -> None:
    """Another symbol's bar calls `next` before the close has filled: it is not sent a second time."""
    result = run(SmaCross, source=SampleBars(["AAPL", "TSLA", "THIN"], "2026-09-20", "2026-10-01"))
    assert (result.fills["position"] >= 0).all()
    assert set(result.trades["direction"]) == {"long"}


def test_a_share_beyond_the_lot_is_left_alone() -> None:
    """No order of size 0 is sent."""
    assert run(SmaCross, source=Tape({"XYZ": UP_AND_DOWN}), fast=2, slow=4, lot=5).orders.empty
