"""Everything to nothing: what is open is cancelled, what is held is closed at the market, until all is flat.

It looks at how things stand, each time it is asked, and does what is lacking: so a refused order, a fill that
came before its cancel, or a restart in the middle make no difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt

from framework.engine.ruled import RuledBroker

PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before each further try to close a position, the last for all that follow."""

AGAIN = 10.0
"""Seconds after which an order that is still open is cancelled again."""


class Flattening:
    """Brings a run's orders and positions to nothing. Owned by the engine's thread.

    `reason` stands in `order.info.closing` of the orders that it makes. `seconds` tells I/O time, for the
    pauses between tries; without it each step is a new try, as in a backtest, where bars are the time.
    """

    def __init__(
        self, broker: RuledBroker, strategy: Any, reason: str, seconds: Callable[[], float] | None = None
    ) -> None:
        self._broker, self._strategy, self._reason = broker, strategy, reason
        self._seconds = seconds
        self._closing: dict[Any, Any] = {}
        self._tries: dict[Any, tuple[int, float]] = {}
        self._cancelled: dict[int, float] = {}

    @property
    def is_flat(self) -> bool:
        """Whether nothing is open and nothing is held."""
        return not self._broker.unfinished() and not self._held()

    def step(self) -> bool:
        """Cancel and close what there is; return whether all is flat."""
        own = {order.ref for order in self._closing.values()}
        for order in self._broker.unfinished():
            if order.ref not in own:
                self._cancel(order)
        for data, size in self._held().items():
            if not self._is_under_way(data) and self._may(data):
                self._close(data, size)
        return self.is_flat

    def give_up(self, at: float) -> dict[str, float]:
        """Cancel the closing orders that are open still; return what was held at a time, by the feed's name."""
        late = {
            data: -order.size for data, order in self._closing.items() if order.executed.size and _is_after(order, at)
        }
        for order in self._closing.values():
            if order.alive():
                self._broker.take_back(order)
        return {data._name: size for data, size in (late | self._held()).items()}

    def _held(self) -> dict[Any, float]:
        return {data: each.size for data, each in self._broker.positions.items() if each.size}

    def _cancel(self, order: Any) -> None:
        now = self._seconds() if self._seconds else 0.0
        if order.ref not in self._cancelled or now - self._cancelled[order.ref] >= AGAIN:
            self._cancelled[order.ref] = now
            self._broker.take_back(order)

    def _is_under_way(self, data: Any) -> bool:
        return data in self._closing and self._closing[data].alive()

    def _may(self, data: Any) -> bool:
        """Return whether it is time to try, and count it."""
        count, at = self._tries.get(data, (0, 0.0))
        now = self._seconds() if self._seconds else at
        if now < at:
            return False
        self._tries[data] = count + 1, now + PAUSES[min(count + 1, len(PAUSES) - 1)] if self._seconds else 0.0
        return True

    def _close(self, data: Any, size: float) -> None:
        send = self._broker.sell if size > 0 else self._broker.buy
        with self._broker.overruling():
            self._closing[data] = order = send(self._strategy, data, abs(size), exectype=bt.Order.Market)
        order.addinfo(closing=self._reason)


def _is_after(order: Any, at: float) -> bool:
    """Return whether an order was filled after a time: a backtest's symbol without bars has none to fill it on."""
    return bool(order.executed.dt is not None and order.executed.dt > at)
