"""Where a backtest and a live session cannot agree, and what each of them does: docs/parity.md, shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import parity_zoo as zoo
import pytest
from both_sides import EXACT, Run, both, difference
from parity_cases import OPTIONS, WHOLE
from parity_tapes import sample
from tape import Prices, Tape

CLOSE = datetime(2026, 1, 5, 21, tzinfo=UTC)


@pytest.fixture(autouse=True)
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))


def to_the_close(prices: Prices) -> Tape:
    """Return bars of one symbol, the last of which ends at the close."""
    return Tape({"ABC": prices}, opens=CLOSE - timedelta(minutes=len(prices)))


def fills(run: Run) -> list[tuple[str, float, float]]:
    """Return when (UTC), how much (sales below zero) and at what price."""
    return [
        (f"{time:%H:%M}", size if side == "buy" else -size, price) for _, _, time, side, size, price, *_ in run.fills
    ]


def statuses(run: Run, ref: int) -> list[str]:
    return [row[2] for row in run.log if row[0] == "order" and row[1] == ref]


@pytest.mark.parametrize("strategy", WHOLE)
def test_no_exception_is_granted_for_nothing(strategy: type[bt.Strategy]) -> None:
    """What is compared less than exactly does differ."""
    assert difference(*both(strategy, sample(minutes=50), **OPTIONS.get(strategy, {}))) != ""


def test_a_pair_that_is_kept_here_may_fill_twice_within_one_bar() -> None:
    """The venue fills both bids in the bar that reaches both, before our cancel can be there."""
    tape = to_the_close([100.0] * 10 + [(100.0, 100.0, 98.0, 99.0)] + [99.0] * 3)
    tested, lived = both(zoo.EntryPairs, tape)
    assert fills(tested) == [("20:57", 10, 99.96)]
    assert fills(lived) == [("20:57", 10, 99.96), ("20:57", 10, 99.98)]


def test_an_order_on_a_longer_feed_fills_on_the_next_minute() -> None:
    """Backtrader fills it at the next longer bar's open; the venue knows no such bars."""
    tape = to_the_close([float(price) for price in range(100, 120)])
    tested, lived = both(zoo.OnTheLonger, tape, resample=["5Min"])
    assert fills(tested)[0] == ("20:50", 4, 105.0)
    assert fills(lived)[0] == ("20:46", 4, 105.0)


def test_a_late_order_for_the_close_trades_at_the_market_just_before_it() -> None:
    """In whole bars just before the close is the last minute, and its first price."""
    tape = to_the_close([100.0] * 23 + [(100.0, 103.0, 99.0, 102.0)])
    tested, lived = both(zoo.LateForTheClose, tape)
    assert fills(tested)[-1] == ("21:00", -10, 102.0)
    assert fills(lived)[-1] == ("21:00", -10, 100.0)


def test_a_close_without_a_bar_is_the_last_price() -> None:
    """Backtrader waits for a bar at the close or later; the venue closes by its clock."""
    tape = to_the_close([*[100.0 + at / 100 for at in range(39)], None])
    tested, lived = both(zoo.AtTheClose, tape)
    assert [row[1] for row in fills(tested)] == [10]
    assert fills(lived)[-1] == ("21:00", -10, 100.38)


def test_a_trailing_stop_with_a_limit_is_sent_when_it_is_triggered() -> None:
    """It is followed here and sent with the next bar: Backtrader fills it within the bar that triggers it."""
    prices: list[Any] = [100.0] * 22 + [(100.0, 100.0, 99.9, 99.93), 99.93, 99.93]
    tested, lived = both(zoo.TrailingLimit, to_the_close(prices))
    assert fills(tested)[-1] == ("20:58", -10, 99.94)
    assert fills(lived)[-1] == ("20:59", -10, 99.93)


def test_exits_that_are_kept_here_are_accepted_when_their_entry_has_filled() -> None:
    """Alpaca takes no bracket around a stop: its exits stay here until then, and fill alike."""
    tested, lived = both(zoo.StopEntryBrackets, sample())
    assert difference(tested, lived, WHOLE[zoo.StopEntryBrackets]) == ""
    accepted = [[row[1:3] for row in each.log if row[0] == "order"].index((1, "Accepted")) for each in (tested, lived)]
    assert accepted[0] < accepted[1]


def test_a_cancel_in_the_callback_that_made_the_order_takes_it_back_on_both_sides() -> None:
    """Nothing is sent; plain Backtrader would send it and fill it."""
    tested, lived = both(zoo.CancelsAtOnce, sample())
    assert statuses(tested, 0) == statuses(lived, 0) == ["Submitted", "Canceled"]
    assert difference(tested, lived, EXACT) == ""
