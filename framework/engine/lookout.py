"""What the engine sees of itself for the operator: once a second, when nothing else is to be done.

Records are only put aside as they are made, so that neither an order nor a fill waits for this.
"""

from __future__ import annotations

import functools
import logging
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import numpy as np

from framework.columns import moment
from framework.engine.dates import num2date
from framework.engine.live_data import LiveData
from framework.engine.translate import symbol_of
from framework.engine.worth import worth
from framework.live.journal import Record
from framework.live.publishing import Publisher
from framework.live.records import UPDATE
from framework.live.standing import Figures, Mark, Standing, together
from framework.live.status import OVER, RUNNING, STARTING, WARMING_UP, Requests, Status, known
from framework.ports import Clock

log = logging.getLogger("switchback.live")

EVERY = 1.0
"""Seconds of I/O time between two looks."""

AT_LAST = 5.0
"""Seconds after which it looks although news are waiting."""


class Lookout:
    """Sees what a session does and hands it to a publisher; None is for nobody. Owned by the engine's thread.

    `say` tells the state. `requests` is asked for the request budget.
    """

    def __init__(
        self,
        standing: Standing,
        clock: Clock,
        publisher: Publisher | None,
        requests: Callable[[], Requests | None] = lambda: None,
    ) -> None:
        self.requests = requests
        self._standing, self._clock, self._publisher = standing, clock, publisher
        self._heard: deque[tuple[datetime, Record]] = deque()
        self._is_stirred = False
        self._seen_at = float("-inf")
        self._state, self._reason = STARTING, ""
        self._broker: Any = None
        self._datas: list[LiveData] = []

    @property
    def state(self) -> str:
        """What the session is doing."""
        return self._state

    def hear(self, at: datetime, record: Record) -> None:
        """Take note of a record. Any thread."""
        if self._publisher is not None:
            self._heard.append((at, record))
            self._is_stirred |= record[0] == UPDATE

    def attend(self, broker: Any, datas: Iterable[LiveData]) -> None:
        """Say whose cash and prices are seen."""
        self._broker, self._datas = broker, [each for each in datas if not each.p.is_made]
        self.say(WARMING_UP)

    def also(self, data: LiveData) -> None:
        """See one more feed."""
        self._datas.append(data)

    def say(self, state: str, reason: str = "") -> None:
        """Tell what the session is doing, at once."""
        self._state, self._reason = state, reason
        self._see(self._clock.monotonic())

    def look(self, is_quiet: bool = True) -> None:
        """Look, where it is time to; the end of a turn of the loop is the moment for it."""
        if self._publisher is None:
            return
        now = self._clock.monotonic()
        if now - self._seen_at >= (EVERY if is_quiet else AT_LAST):
            if self._state == WARMING_UP:
                self._state = RUNNING
            self._see(now)
        elif self._is_stirred and is_quiet:
            self._guarded(self._fold)

    def end(self, reason: str = "") -> None:
        """Tell that the session is over, and why, once."""
        if self._state != OVER:
            self.say(OVER, reason)

    def _see(self, now: float) -> None:
        self._seen_at = now
        if self._publisher is not None:
            self._guarded(self._show)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # what an operator sees never ends a session that has money in it
            log.warning("the session's status is not complete: %s: %s", type(error).__name__, error)

    def _show(self) -> None:
        assert self._publisher is not None
        figures = Figures(requests=self.requests()) if self._broker is None else self._figures()
        self._fold()
        self._publisher.show(self._status(figures))

    def _status(self, figures: Figures) -> Status:
        return self._standing.status(self._clock.now(), figures, self._state, self._reason)

    def _fold(self) -> None:
        """Take in what was put aside; hand on the fills among it."""
        self._is_stirred = False
        told = []
        while self._heard:
            at, record = self._heard.popleft()
            if (execution := self._standing.take(at, *record)) is not None:
                told.append(execution)
        if told and self._publisher is not None:
            self._publisher.book(told)

    def _figures(self) -> Figures:
        broker = self._broker
        marks = {each.p.symbol: _mark(broker, each) for each in self._datas if len(each)}
        lots: dict[str, list[tuple[float, float]]] = {}
        for data, position in broker.positions.items():
            lots.setdefault(symbol_of(data), []).append((position.size, position.price))
        positions = {symbol: together(each) for symbol, each in lots.items()}
        return Figures(known(broker.cash), known(worth(broker)), marks, positions, self.requests())


def _mark(broker: Any, data: LiveData) -> Mark:
    return Mark(data.close[0], _instant(data.datetime[0]), float(broker.getcommissioninfo(data).p.mult))


@functools.lru_cache(maxsize=256)  # all symbols of an instant end at one time
def _instant(number: float) -> datetime:
    return moment(num2date(np.array([number]))[0])
