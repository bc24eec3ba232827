"""How much history a strategy needs before its first `next`, found out before any is fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import backtrader as bt

from framework.columns import Columns
from framework.engine.compat import MendedCerebro
from framework.engine.data import BarData, bt_timeframe
from framework.engine.signal_data import SignalData
from framework.model import Timeframe


class _Probe(MendedCerebro):
    """A Cerebro that sets its strategies up and does not run them."""

    def runstrategies(self, iterstrat: Any, predata: bool = False) -> list[Any]:
        self._init_stcount()
        self._broker.start()
        for data in self.datas:
            data.reset()
            data._start()
        found = []
        for strategy, args, kwargs in iterstrat:
            found.append(strategy(*self.datas, *args, **kwargs))
            found[-1]._periodset()
        return found


def minimum_periods(
    strategy: type[bt.Strategy],
    params: Mapping[str, Any],
    feeds: Sequence[tuple[str, Timeframe]],
    signals: Sequence[tuple[str, str]] = (),
) -> list[int]:
    """Return for each feed (symbol, timeframe) how many bars it must have before `next` is called.

    The strategy's `__init__` runs once over feeds without bars, and those of `signals` (publisher, algorithm).
    Where it cannot (it reads a price, say), one bar each is assumed, and the run itself will say what is wrong. A
    `backtrader.errors.BacktraderError` of the strategy's passes through.
    """
    probe = _Probe(stdstats=False)
    for symbol, timeframe in feeds:
        probe.adddata(BarData(dataname=Columns.empty(), symbol=symbol, **bt_timeframe(timeframe)), name=symbol)
    for publisher, algorithm in signals:
        data = SignalData(dataname=(), publisher=publisher, algorithm=algorithm)
        probe.adddata(data, name=f"{publisher} {algorithm}")
    probe.addstrategy(strategy, **params)
    try:
        (found,) = probe.run()
    except bt.errors.BacktraderError:
        raise  # what a strategy says of how it is used
    except Exception:
        return [1] * len(feeds)
    return [int(period) for period in found._minperiods[: len(feeds)]]
