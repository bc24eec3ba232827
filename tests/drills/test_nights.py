"""Sessions on a clock that runs, over a halt and over the night of a split, in memory."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from drills.drill_stage import Played, Scene, in_memory
from tape import OPEN, Tape, bars

from framework.columns import joined
from framework.model import Split
from framework.sandbox.actions import Halted

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CLOSE = timedelta(hours=6, minutes=30)


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Journals of their own."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    return tmp_path


class Holder(bt.Strategy):
    """Buys 100 SPY at its second bar, and notes its position at each."""

    def __init__(self) -> None:
        self.sizes: list[float] = []

    def next(self) -> None:
        self.sizes.append(self.position.size)
        if len(self.sizes) == 2:
            self.buy(size=100)


def over_night(ratio: float, *, speed: float | None, folder: Path, **scene: Any) -> Played:
    """Play ten minutes before a close and ten after the next open; SPY is split in between."""
    evening = OPEN + CLOSE - 10 * MINUTE
    days = {
        "SPY": joined([bars([100.0] * 10, evening), bars([100.0 / ratio] * 10, OPEN + DAY)]),
        "IBM": joined([bars([50.0] * 10, evening), bars([50.0] * 10, OPEN + DAY)]),
    }
    splits = (Split("SPY", OPEN + timedelta(hours=17), ratio),)
    return in_memory(Scene(Tape(days), Holder, speed=speed, splits=splits, **scene), folder)


@pytest.mark.parametrize("speed", [None, 600.0])
@pytest.mark.parametrize("ratio", [2.0, 0.1])
def test_a_session_goes_through_a_split_in_the_night(ratio: float, speed: float | None, sessions: Path) -> None:
    """At any pace the shares are the new ones at the first bar, once, and nobody is suspected to have traded them."""
    played = over_night(ratio, speed=speed, folder=sessions)
    kinds = Counter(each.kind for each in played.journal)
    assert played.strategy.sizes[-11:] == [100, *[100 * ratio] * 10]
    assert (kinds["split"], kinds["position"]) == (1, 0)
    assert played.broker.getvalue() == pytest.approx(40_000.0)
    assert played.book.account.holding("SPY").size == 100 * ratio


def test_shares_that_are_lacking_before_their_split_is_told_are_those_of_the_account(sessions: Path) -> None:
    """A venue that tells of it late: by then the account's word was taken; they are not split again, but cost right."""
    kept: list[Any] = []

    def tells_late(market: Any) -> None:
        trading = market._listeners["alpaca"]
        told = trading.play

        def play(instant: Any) -> None:
            told(instant)
            if instant.splits or (kept and instant.at >= OPEN + DAY + 3 * MINUTE):
                kept[:], trading.book.conversions[:] = trading.book.conversions[:], kept[:]

        trading.play = play

    played = over_night(0.1, speed=60.0, folder=sessions, arm=tells_late)
    assert played.strategy.sizes[-10:] == [10] * 10
    assert played.broker.getposition(played.strategy.data).price == pytest.approx(1_000.0)
    assert [each.kind for each in played.journal if each.kind in ("position", "split")] == ["position", "split"]


def test_a_halt_neither_holds_up_a_session_nor_its_line(sessions: Path) -> None:
    """One symbol stands still for twenty minutes: the other's bars come each in its time, over one connection."""
    whole = Tape({"SPY": bars([100.0] * 40), "IBM": bars([50.0] * 40)})
    halt = Halted("IBM", OPEN + 10 * MINUTE, OPEN + 30 * MINUTE)
    played = in_memory(Scene(whole, Holder, speed=60.0, halts=(halt,)), sessions)
    links = [each.key for each in played.journal if each.kind == "link" and each.key == "data"]
    told = [each.body["is_halted"] for each in played.journal if each.kind == "halt"]
    assert (links, told) == (["data"], [True, False])
    assert [len(played.result.bars[symbol]) for symbol in ("SPY", "IBM")] == [40, 20]
    assert not any("after their instant" in each for each in played.result.notes)
