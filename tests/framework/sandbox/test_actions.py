"""Halts and splits as a part of what the market plays."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tape import OPEN, bars
from tape import Tape as Source

from framework.app.sandbox import Sandbox
from framework.columns import moment
from framework.errors import ConfigError
from framework.model import Halt, Split
from framework.sandbox.actions import Halted, adjusted, without
from framework.sandbox.market import Market
from framework.sandbox.tape import Detail, Tape

MINUTE = timedelta(minutes=1)
PRICES = {"A": (1.0, 2.0, 3.0, 4.0, 5.0), "B": (10.0, 11.0, 12.0, 13.0, 14.0)}
HALT = Halted("A", OPEN + MINUTE, OPEN + 3 * MINUTE)


def closes(tape: Tape, symbol: str) -> list[float]:
    return [float(each) for each in tape.known(symbol, OPEN + timedelta(days=3)).close]


@pytest.mark.parametrize("detail", list(Detail))
def test_the_minutes_of_a_halt_never_were(detail: Detail) -> None:
    """In no bar, no range and no history; the other symbol has all of its own."""
    tape = Tape(Source(PRICES), halts=[HALT], detail=detail)
    ranges = [each.symbol for end in tape.instants for each in tape.at(moment(end)).ranges]
    assert closes(tape, "A") == [1.0, 4.0, 5.0]
    assert closes(tape, "B") == list(PRICES["B"])
    assert {symbol: ranges.count(symbol) for symbol in "AB"} == (
        {"A": 3, "B": 5} if detail is Detail.BAR else {"A": 12, "B": 20}
    )


def test_a_halt_is_told_at_its_beginning_and_at_its_end() -> None:
    """At instants of its own, where no bar ends then."""
    halted = Halted("A", OPEN + 1.5 * MINUTE, OPEN + 2.5 * MINUTE)
    tape = Tape(Source(PRICES), halts=[halted])
    assert tape.at(halted.since).halts == (Halt("A", halted.since, True),)
    assert tape.at(halted.until).halts == (Halt("A", halted.until, False),)
    assert tape.next_at(OPEN + MINUTE) == halted.since
    assert closes(tape, "A") == [1.0, 4.0, 5.0]


@given(since=st.integers(0, 400), length=st.integers(1, 400))
def test_no_bar_of_a_halt_is_left_and_no_other_is_taken(since: int, length: int) -> None:
    """Whenever it begins and ends, to the second."""
    whole = bars(list(range(1, 9)))
    halted = Halted("A", OPEN + timedelta(seconds=since), OPEN + timedelta(seconds=since + length))
    kept = {moment(end) for end in without(whole, halted, MINUTE).end}
    for end in map(moment, whole.end):
        assert (end in kept) is (end <= halted.since or end - MINUTE >= halted.until)


def test_quotes_of_a_halted_symbol_are_left_out() -> None:
    """Those of before and after are played."""
    from framework.model import Quote

    quotes = [Quote("A", OPEN + at * MINUTE, 1.0, 1.0, 2.0, 1.0) for at in (0.5, 1.5, 3.5)]
    tape = Tape(Source(PRICES), halts=[HALT], quotes=quotes)
    assert [each.at for each in tape.quotes("A", OPEN, OPEN + 5 * MINUTE)] == [quotes[0].at, quotes[2].at]


@pytest.mark.parametrize(
    ("what", "match"),
    [
        ({"halts": [Halted("C", OPEN, OPEN + MINUTE)]}, "no C"),
        ({"halts": [Halted("A", OPEN, OPEN)]}, "later end"),
        ({"splits": [Split("C", OPEN, 2.0)]}, "no C"),
        ({"splits": [Split("A", OPEN, 0.0)]}, "shares for each one before"),
        ({"splits": [Split("A", OPEN, float("nan"))]}, "shares for each one before"),
    ],
)
def test_what_cannot_be_is_refused(what: Any, match: str) -> None:
    """One line that says what to give."""
    with pytest.raises(ConfigError, match=match):
        Tape(Source(PRICES), **what)


def test_halts_and_splits_are_a_part_of_what_a_state_file_belongs_to() -> None:
    """A tape without them is another one, and one that never had any is what it was."""
    plain, halted = Tape(Source(PRICES)), Tape(Source(PRICES), halts=[HALT])
    split = Tape(Source(PRICES), splits=[Split("A", OPEN + 10 * MINUTE, 2.0)])
    assert len({each.fingerprint() for each in (plain, halted, split)}) == 3


@given(ratio=st.floats(0.01, 100.0))
def test_adjusted_bars_are_in_the_shares_of_now(ratio: float) -> None:
    """What ended by the split's instant is; what came later, and the value of what was traded, stays."""
    whole = bars([100.0, 200.0, 300.0])
    told = adjusted(whole, [Split("A", OPEN + 2 * MINUTE, ratio)])
    assert told.close[2] == 300.0
    assert np.allclose(told.close[:2], whole.close[:2] / ratio, atol=1e-4)
    assert np.allclose(told.volume * told.close, whole.volume * whole.close, rtol=0.01)


def test_history_is_adjusted_from_the_split_on() -> None:
    """A tape tells a time's own view: before it nothing is adjusted."""
    tape = Tape(Source(PRICES), splits=[Split("A", OPEN + 3 * MINUTE, 2.0)])
    known = tape.known("A", OPEN + 3 * MINUTE)
    assert tape.adjusted("A", known, OPEN + 2 * MINUTE).close.tolist() == [1.0, 2.0, 3.0]
    assert tape.adjusted("A", known, OPEN + 3 * MINUTE).close.tolist() == [0.5, 1.0, 1.5]


def test_a_halt_on_demand_takes_what_is_still_to_come() -> None:
    """It begins with the next step, and what was played stays."""
    with Sandbox(Source(PRICES)) as sandbox:
        sandbox.step()
        told = sandbox.halt("A", minutes=2)
        assert datetime.fromisoformat(told["since"]) - OPEN == MINUTE + timedelta(microseconds=1)
        sandbox.step(10)
        assert closes(sandbox.market.tape, "A") == [1.0, 5.0]


def test_a_halt_on_demand_survives_a_restart(tmp_path: Path) -> None:
    """The state file has it: the same tape is found again, to the last instant."""

    async def played(steps: int, *, halts: bool) -> tuple[list[float], datetime]:
        market = Market(Tape(Source(PRICES)), state=tmp_path / "m")
        market.restore()
        if halts:
            await market.step()
            await market.halt("A", 2 * MINUTE)
        for _ in range(steps):
            await market.step()
        market.ledger.close()
        return closes(market.tape, "A"), market.played_at

    first = asyncio.run(played(2, halts=True))
    assert asyncio.run(played(0, halts=False)) == first
    assert first == ([1.0, 5.0], OPEN + 2 * MINUTE)
