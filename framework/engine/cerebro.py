"""`Cerebro`: Backtrader's own, made fast. `from framework.engine import Cerebro` and change nothing else.

A run is lean (the same results, bit for bit, an order of magnitude sooner) or it is stock's own loop,
and `cerebro.engine` says which and why.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from framework.engine import plan
from framework.engine.ahead import taken_ahead
from framework.engine.compat import MendedCerebro, is_short
from framework.engine.feed import columnar
from framework.engine.loop import Run
from framework.engine.once import worked_out
from framework.engine.prepare import prepared
from framework.engine.schedule import merged
from framework.engine.seat import Indicators
from framework.errors import ConfigError

_log = logging.getLogger("switchback.engine")

_YOUNG = 500_000
"""New objects between two looks of the garbage collector during a run (CPython's own: 700)."""


class Cerebro(MendedCerebro):
    """A drop-in for `bt.Cerebro`.

    - `engine` (default "lean"): "stock" runs Backtrader's own loop.
    - `intrabar` (default False): the broker plays each bar along its path while the strategy still sees
      the bar before, fills are told on the way, and orders sent in answer work from the next stretch on. Results
      are then not stock's; `ConfigError` where the run cannot be lean.

    After a run the attribute `engine` is "lean", "lean, intrabar", or "stock: " and the reason.
    """

    params = (("engine", "lean"), ("intrabar", False))

    engine = ""

    def run(self, **kwargs: Any) -> Any:
        with columnar(self.datas if kwargs.get("engine", self.p.engine) != "stock" else []):
            return super().run(**kwargs)

    def runstop(self) -> None:
        super().runstop()
        if self._run is not None:
            self._run.awake.append("stop")

    _run: Any = None

    def _runonce(self, runstrats: list[Any]) -> None:
        try:
            run = self._planned(runstrats)
        except plan.Unplanned as reason:
            self._is_stock(str(reason))
            super()._runonce(runstrats)
            return
        self._is_lean()
        self._played(run)

    def _runnext(self, runstrats: list[Any]) -> None:
        try:
            plan.check(self, runstrats)
        except plan.Unplanned as reason:
            self._is_stock(str(reason))
            super()._runnext(runstrats)
            return
        self._is_lean()
        self._played(self._planned_ahead(runstrats))

    def _runonce_old(self, runstrats: list[Any]) -> None:
        self._is_stock("oldsync")
        super()._runonce_old(runstrats)

    def _runnext_old(self, runstrats: list[Any]) -> None:
        self._is_stock("oldsync")
        super()._runnext_old(runstrats)

    def _planned(self, strategies: list[Any]) -> Run:
        plan.check(self, strategies)
        if any(is_short(strategy) for strategy in strategies):
            raise plan.Unplanned("a feed is shorter than its indicators need")
        schedule = merged([plan.instants(data) for data in self.datas])
        found = [Indicators(plan.groups(strategy, self.datas, schedule.group_of)) for strategy in strategies]
        for strategy in strategies:
            worked_out(strategy)
            strategy.reset()
        return Run(self, strategies, schedule, found)

    def _planned_ahead(self, strategies: list[Any]) -> Run:
        schedule, taken = taken_ahead(self.datas)
        found = [prepared(strategy, taken, schedule.group_of) for strategy in strategies]
        return Run(self, strategies, schedule, found, taken)

    def _played(self, run: Run) -> None:
        self._run = run
        try:
            with _unhurried_collector():
                run.play()
        finally:
            self._run = None

    def _is_lean(self) -> None:
        self._say("lean, intrabar" if self.p.intrabar else "lean")

    def _is_stock(self, reason: str) -> None:
        if self.p.intrabar:
            raise ConfigError(f"intrabar=True needs the lean engine, but this run is stock's: {reason}; leave one out")
        self._say(f"stock: {reason}")

    def _say(self, engine: str) -> None:
        self.engine = engine
        _log.info("engine %s", engine)


@contextmanager
def _unhurried_collector() -> Iterator[None]:
    """Let the garbage collector look seldom: a run makes many objects and hardly a cycle."""
    before = gc.get_threshold()
    gc.set_threshold(max(_YOUNG, before[0]) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
