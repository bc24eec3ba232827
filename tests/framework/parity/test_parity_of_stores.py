"""A script on stock `bt.Cerebro` with a store, and `run`: every order and trade, and what is seen in each callback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import backtrader as bt
import parity_zoo as zoo
import pytest
from both_sides import Grain, Run, Witness, difference
from parity_cases import OPTIONS, BusyCross, BusyScalper, along_paths, in_whole_bars
from parity_tapes import sample, with_holes

from brokers import AlpacaStore, AlpacaVenue
from framework import Live, run
from framework.app.sandbox import Sandbox
from framework.engine import Cerebro
from framework.ports import Source
from framework.sandbox.tape import Detail

LONGER = {"5Min": {"compression": 5}, "15Min": {"compression": 15}, "1Day": {"timeframe": bt.TimeFrame.Days}}

PLAYED = (
    BusyScalper, BusyCross, zoo.Limits, zoo.StopLimits, zoo.Trailing, zoo.AtTheClose, zoo.Brackets, zoo.ExitPairs,
    zoo.CancelsAndCloses, zoo.Timed, zoo.FromOrders, zoo.FromTrades, zoo.Targets, zoo.Fractions, zoo.Rotating,
    zoo.TwoTimeframes, zoo.DayAndMinutes, zoo.Refused, zoo.Reversing,
)  # fmt: skip

HOLES = (BusyCross, zoo.Rotating, zoo.FromOrders)
WITHIN = (BusyScalper, zoo.Brackets, zoo.FromOrders)


@pytest.fixture(autouse=True)
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))


def script(
    strategy: type[bt.Strategy],
    source: Source,
    *,
    units: Sequence[str] = (),
    kind: type[Any] = bt.Cerebro,
    intrabar: bool = False,
) -> Run:
    """Play a strategy live as a script does."""
    with Sandbox(source, detail=Detail.PATH if intrabar else Detail.BAR) as sandbox:
        store = AlpacaStore(sandbox.key, sandbox.secret, base_url=sandbox.url, live=Live(durable="OFF"))
        cerebro = kind(stdstats=False)
        for unit in ("", *units):
            for symbol in source.symbols:
                options = {"timeframe": bt.TimeFrame.Minutes, "tz": "America/New_York"} | LONGER.get(unit, {})
                cerebro.adddata(store.getdata(symbol, **options), name=f"{symbol} {unit}".strip())
        cerebro.addstrategy(strategy)
        cerebro.setbroker(store.getbroker())
        (played,) = cerebro.run(quicknotify=True)
    return Run(played.log, [], [], [], [], ())


def compared(strategy: type[bt.Strategy], source: Source, grain: Grain, **how: Any) -> str:
    """Return the first difference between a backtest by `run` and a script that is live."""
    watched = type(strategy)(strategy.__name__, (Witness, strategy), {})
    options = OPTIONS.get(strategy, {})
    tested = Run.of(run(watched, source=source, venue=AlpacaVenue(), intrabar=how.get("intrabar", False), **options))
    return difference(tested, script(watched, source, units=options.get("resample", ()), **how), grain)


@pytest.mark.parametrize("strategy", PLAYED)
def test_a_script_is_played_as_run_plays_its_strategy(strategy: type[bt.Strategy]) -> None:
    """Two symbols over the last minutes of two days, with history before."""
    assert compared(strategy, sample(minutes=25), _seen(in_whole_bars(strategy))) == ""


@pytest.mark.parametrize("strategy", HOLES)
def test_a_script_with_holes_in_its_minutes_too(strategy: type[bt.Strategy]) -> None:
    """Each symbol lacks every third minute."""
    grain = _seen(in_whole_bars(strategy, has_holes=True))
    assert compared(strategy, with_holes(sample(minutes=25)), grain) == ""


@pytest.mark.parametrize("strategy", WITHIN)
def test_a_script_within_the_bars_too(strategy: type[bt.Strategy]) -> None:
    """What fills on the way is told before the bar is there, as with `intrabar=True`."""
    assert compared(strategy, sample(minutes=25), _seen(along_paths(strategy)), intrabar=True) == ""


def test_a_script_on_our_own_cerebro_is_played_alike() -> None:
    """The same rounds of the same loop."""
    assert compared(BusyScalper, sample(minutes=25), _seen(in_whole_bars(BusyScalper)), kind=Cerebro) == ""


def _seen(grain: Grain) -> Grain:
    """Compare what strategies heard and saw: a script has no result with tables in it."""
    return replace(grain, names=("log",))
