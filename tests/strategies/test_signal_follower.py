"""The follower: what an algorithm says is traded, closes before opens, each signal once."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import pytest
from tape import Tape
from told import Told, told

from framework import run
from framework.result import Result
from strategies.signal_follower import SignalFollower

TEN = [100.0] * 10


def follow(*signals: Any, prices: Any = None, **more: Any) -> Result:
    symbols = prices or {"AAA": TEN, "BBB": [50.0] * 10}
    more.setdefault("capital", 10_000)
    return run(SignalFollower, source=[Tape(symbols), Told(*signals)], **more)


def fills(result: Result) -> list[tuple[str, int, str, float]]:
    """Return symbol, minute of the bar's end, side and size of each fill."""
    rows = result.fills[["symbol", "time", "side", "size"]].itertuples(index=False)
    return [(symbol, time.minute - 30, side, size) for symbol, time, side, size in rows]


def test_weights_share_the_capital() -> None:
    """In whole shares, the one bought and the other sold."""
    result = follow(told(1.5, "open buy AAA 0.335", "open sell BBB 0.5"))
    assert fills(result) == [("AAA", 3, "buy", 33), ("BBB", 3, "sell", 100)]


def test_fractions_where_asked_for() -> None:
    """Of shares, to the whole of the weight."""
    assert fills(follow(told(1.5, "open buy AAA 0.335"), fractional=True)) == [("AAA", 3, "buy", 33.5)]


def test_without_a_capital_it_is_nearly_all_there_is() -> None:
    """95 % of what the account is worth, so that a gap leaves room."""
    assert fills(follow(told(1.5, "open buy AAA"), capital=None, cash=20_000)) == [("AAA", 3, "buy", 190)]


def test_what_opens_waits_for_what_closes() -> None:
    """It is sent when the close has been filled, a bar later."""
    signals = told(1.5, "open buy AAA"), told(4.5, "close sell AAA", "open buy BBB")
    assert fills(follow(*signals)) == [("AAA", 3, "buy", 100), ("AAA", 6, "sell", 100), ("BBB", 7, "buy", 200)]


@pytest.mark.parametrize(("first", "other"), [("buy", "sell"), ("sell", "buy")])
def test_reversal_is_flat_between(first: str, other: str) -> None:
    """A close and an open in the same symbol and the same direction are two orders, one after the other."""
    signals = told(1.5, f"open {first} AAA"), told(4.5, f"close {other} AAA", f"open {other} AAA 0.5")
    result = follow(*signals)
    assert fills(result) == [("AAA", 3, first, 100), ("AAA", 6, other, 100), ("AAA", 7, other, 50)]
    assert result.positions["size"].tolist() == [50 if other == "buy" else -50]


def test_buy_in_a_close_covers_a_short_position() -> None:
    """The side is the order's."""
    signals = told(1.5, "open sell AAA"), told(4.5, "close buy AAA")
    assert fills(follow(*signals)) == [("AAA", 3, "sell", 100), ("AAA", 6, "buy", 100)]


def test_close_that_does_not_fit_does_nothing() -> None:
    """What was opened before anybody followed, or the other way round."""
    signals = told(1.5, "close sell BBB"), told(2.5, "open buy AAA"), told(5.5, "close buy AAA")
    assert fills(follow(*signals)) == [("AAA", 4, "buy", 100)]


def test_hold_is_to_do_nothing() -> None:
    """In either list."""
    signals = told(1.5, "open buy AAA"), told(4.5, "close hold AAA", "open hold BBB")
    assert fills(follow(*signals)) == [("AAA", 3, "buy", 100)]


def test_close_takes_an_entry_back_that_has_not_been_filled() -> None:
    """What is closed in the same minute is never bought."""
    signals = told(1.2, "open buy AAA"), told(1.6, "close sell AAA")
    result = follow(*signals)
    assert fills(result) == []
    assert result.orders["status"].tolist() == ["Canceled"]


def test_close_takes_an_entry_back_that_waits_for_another_close() -> None:
    """The second message overtakes the first one's open."""
    signals = told(1.5, "open buy AAA"), told(4.2, "close sell AAA", "open buy BBB"), told(4.6, "close sell BBB")
    assert fills(follow(*signals)) == [("AAA", 3, "buy", 100), ("AAA", 6, "sell", 100)]


def test_signal_told_again_is_not_traded_again() -> None:
    """Each order bears its signal's name."""
    again = told(1.5, "open buy AAA")
    later = type(again)("again", tuple(_at(each, told(3.5, "open buy AAA").at) for each in again.signals))
    result = follow(again, later)
    assert fills(result) == [("AAA", 3, "buy", 100)]
    assert result.orders["status"].tolist() == ["Completed", "Rejected"]


def _at(signal: Any, when: Any) -> Any:
    from dataclasses import replace

    return replace(signal, at=when)


@pytest.mark.parametrize(("side", "price", "is_followed"), [
    ("buy", 100.5, True), ("buy", 99.0, False), ("sell", 99.5, True), ("sell", 101.0, False),
])  # fmt: skip
def test_price_that_has_run_is_not_chased(side: str, price: float, is_followed: bool) -> None:
    """Where a limit is given: by more than that from the signal's, to the worse side."""
    result = follow(told(1.5, f"open {side} AAA", price=price), chase=0.006)
    assert bool(fills(result)) is is_followed


def test_open_whose_reversal_failed_is_left_out() -> None:
    """Where the position cannot be closed, the open would only have made it smaller."""
    prices = {"AAA": [100.0, 100.0, 100.0, 100.0, None, None, None, None, None, None], "BBB": [50.0] * 10}
    result = follow(told(1.5, "open buy AAA"), told(4.5, "close sell AAA", "open sell AAA"), prices=prices)
    assert result.positions["size"].tolist() == [100]


def test_symbol_without_bars_costs_the_others_nothing() -> None:
    """It is told in the notes; the others of its message are opened."""
    result = follow(told(1.5, "open buy ZZZ 0.5", "open buy AAA 0.5"))
    assert fills(result) == [("AAA", 3, "buy", 50)]
    assert "ZZZ (1)" in result.notes[0]


@pytest.mark.parametrize("algorithms", [(), ("14", "16")])
def test_it_follows_one_algorithm(algorithms: tuple[str, ...]) -> None:
    """Two may want opposite things of one symbol."""
    with pytest.raises(bt.errors.BacktraderError, match="follows one algorithm"):
        run(SignalFollower, source=[Tape({"AAA": TEN}), Told(algorithms=algorithms)])
