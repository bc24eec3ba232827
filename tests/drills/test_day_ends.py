"""The end of the day in sessions in which everything goes wrong: flat means verified flat, on an early close too."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from drills.drill_checks import broken
from drills.drill_stage import LIES, Scene, impatient, in_memory, seeds
from drills.drill_strategies import Hungry
from drills.test_halts import held
from tape import Tape, bars

from brokers.alpaca.settings import Settings
from framework.calendar import Calendar
from framework.engine.day_end import LIQUIDATE, AtClose
from framework.sandbox.market import Market

NORMAL, EARLY = datetime(2026, 11, 25, 21, 0, tzinfo=UTC), datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
MINUTES, BEFORE = 40, timedelta(minutes=12)


def last_minutes(seed: int, close: datetime) -> Tape:
    """Return a random walk of two symbols up to a close."""
    drawn = np.random.default_rng(seed)
    made = {}
    for symbol, price in (("SPY", 100.0), ("IBM", 150.0)):
        closes = np.round(price * np.cumprod(1 + drawn.normal(0, 0.0006, MINUTES + 1)), 2).tolist()
        rows = [(a, max(a, b) + 0.02, min(a, b) - 0.02, b) for a, b in itertools.pairwise(closes)]
        made[symbol] = bars([tuple(round(each, 2) for each in row) for row in rows], close - timedelta(minutes=MINUTES))
    return Tape(made, opens=close - timedelta(minutes=MINUTES))


def evening(seed: int, close: datetime, speed: float | None) -> Scene:
    """Return the last minutes of a day: faults until six minutes before the close, every order filled in pieces."""

    def arm(market: Market) -> None:
        market.faults.at_random(seed, 0.04, tuple(name for name in market.faults.known if name not in LIES))

    return Scene(
        last_minutes(seed, close), Hungry, {"seed": seed}, speed=speed, seed=seed, settings=Settings(partial=0.5),
        arm=arm, calm_at=close - timedelta(minutes=6), at_close=AtClose(LIQUIDATE, BEFORE, Calendar()),
    )  # fmt: skip


@pytest.mark.parametrize("close", [NORMAL, EARLY], ids=["normal", "early"])
@pytest.mark.parametrize("seed", seeds(5, "DRILL_DAYS"))
def test_flat_at_the_close_in_lock_step(folder: Path, seed: int, close: datetime) -> None:
    """Open orders, partial fills, lost and late answers: nothing is held over night, and the account says so."""
    played = in_memory(evening(seed, close, None), folder)
    assert [*broken(played), *held(played)] == []
    assert played.result.not_flat == ()
    assert [each.body["is_sure"] for each in played.journal if each.kind == "flat"] == [True]


@pytest.mark.parametrize("close", [NORMAL, EARLY], ids=["normal", "early"])
@pytest.mark.parametrize("seed", seeds(5, "DRILL_DAYS"))
def test_flat_at_the_close_on_a_running_clock(folder: Path, seed: int, close: datetime) -> None:
    """The same by the clock, ten times as fast as the world's."""
    with impatient(2.0, slot=10.0):
        played = in_memory(evening(seed, close, 10.0), folder)
    assert [*broken(played), *held(played)] == []
    assert played.result.not_flat == ()
    assert any(each.body["is_sure"] for each in played.journal if each.kind == "flat")
