"""What is played, how, and which strategies cannot agree in all (each stands in docs/parity.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import backtrader as bt
import parity_zoo as zoo
from both_sides import EXACT, Grain

from strategies.scalper import SmaCrossScalper
from strategies.sma_cross import SmaCross


class BusyScalper(SmaCrossScalper):
    """The scalper over a shorter average, so that it trades within the hour."""

    params = (("period", 8), ("lot", 20_000))


class BusyCross(SmaCross):
    """The cross of shorter averages."""

    params = (("fast", 3), ("slow", 8))


SHIPPED = (SmaCrossScalper, BusyScalper, SmaCross, BusyCross)

SMALL = tuple(
    each
    for each in vars(zoo).values()
    if isinstance(each, type) and issubclass(each, bt.Strategy) and each not in (bt.Strategy, zoo.Paced)
)

OPTIONS: dict[type, dict[str, Any]] = {
    zoo.Sized: {"sizer": 7},
    zoo.TwoTimeframes: {"resample": ("5Min",)},
    zoo.DayAndMinutes: {"resample": ("15Min", "1Day")},
}

APART = (zoo.TrailingLimit, zoo.EntryPairs, zoo.OnTheLonger, zoo.LateForTheClose)
"""Whose fills differ: see test_parity_differences."""

AGREE = tuple(each for each in (*SHIPPED, *SMALL) if each not in APART)

WITHIN = tuple(each for each in AGREE if each is not zoo.StopEntryBrackets)
"""Those that agree within the bars too. The exits of a bracket that is kept here leave at the stretch's end."""

HOLES_WITHIN = (BusyScalper, BusyCross, zoo.Rotating, zoo.Brackets, zoo.Timed, zoo.Trailing, zoo.FromOrders)

OUTCOME = ("orders", "fills", "trades", "equity")

SORTED = replace(EXACT, sorts=True)

WHOLE: dict[type, Grain] = {
    **dict.fromkeys((zoo.Trailing, zoo.TrailingPercent, zoo.TrailingShort), replace(EXACT, is_text=True)),
    # A cancel is confirmed by the venue, after what was sent with it; a refusal comes after what was accepted before.
    **dict.fromkeys((zoo.CancelsAndCloses, zoo.Washes, zoo.Reversing), SORTED),
    zoo.FromCheatTimers: replace(SORTED, leaves=frozenset({"Accepted"})),
    zoo.TooDear: replace(EXACT, undated=frozenset({"Margin"})),
    # Its exits are at the venue only when its entry has filled.
    zoo.StopEntryBrackets: replace(EXACT, names=("fills", "trades", "equity")),
    # Of two exits that end at one time one is Expired and the other Canceled, not always the same one.
    zoo.TimedBrackets: replace(EXACT, names=("fills", "trades", "equity")),
}


def in_whole_bars(strategy: type, *, has_holes: bool = False) -> Grain:
    """Return how a strategy's two sides compare in whole bars.

    Where its symbol has no bar, Backtrader dates a cancel by the symbol's last one, the venue by its clock.
    """
    grain = WHOLE.get(strategy, EXACT)
    return replace(grain, sorts=True, undated=grain.undated | {"Canceled"}) if has_holes else grain


def along_paths(strategy: type, *, has_holes: bool = False) -> Grain:
    """Return how they compare with `intrabar=True`: what ends within a bar is dated by it, or by when it happened."""
    grain = in_whole_bars(strategy, has_holes=has_holes)
    grain = replace(grain, is_path=True, is_text=True, undated=grain.undated | {"Canceled", "Expired"})
    # The session's close is news of its own at the venue; in lock-step it comes with the last stretch.
    return replace(grain, names=OUTCOME) if strategy in (zoo.AtTheClose, zoo.ForTheDay, zoo.FractionLimits) else grain
