"""Hold times: what an order opened is closed when it has been held for so long.

Asked for with `buy(..., holdtime=60)`: seconds from the fill on, or a timedelta. No order of Backtrader's says that, so
it is done here, at the first instant at which it is over: the same in a backtest and live, on every venue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from framework.errors import ConfigError
from framework.live.identity import NamedOrderId, parsed

OVER = "its hold time is over"
DAY = 86_400.0
MOMENT = 0.001
"""Seconds: a date number does not hold an instant exactly."""


@dataclass(frozen=True, slots=True)
class Hold:
    """An order whose fills are held for `seconds`; `name` is that of the order that closes them."""

    order: Any
    seconds: float
    name: str

    def is_over(self, now: float) -> bool:
        """Return whether its time has passed since its last fill; one without any holds nothing."""
        bits = self.order.executed.exbits
        return not bits or now >= bits[-1].dt + (self.seconds - MOMENT) / DAY


def hold_name(order_id: str) -> str:
    """Return the name of the order that ends the hold of one, by its id: the same in each run of a session."""
    found = parsed(order_id)
    if isinstance(found, NamedOrderId):
        return f"{found.name}h"
    return order_id if found is None else f"hold{found.run}x{found.ref}"


class Holds:
    """The holds of one broker. `close` sends an order at the market: owner, feed, signed size, name."""

    def __init__(self, close: Callable[[Any, Any, float, str], None]) -> None:
        self._holds: dict[int, Hold] = {}
        self._close = close

    def __bool__(self) -> bool:
        return bool(self._holds)

    def take(self, order: Any, name: str) -> None:
        """Hold what an order opens, where it says for how long; raise `ConfigError` for what is no time."""
        asked = order.info.get("holdtime")
        if asked:
            self._holds[order.ref] = Hold(order, seconds_of(asked), name)

    @property
    def owner(self) -> Any:
        """The strategy whose orders they are."""
        return next(iter(self._holds.values())).order.owner

    def look(self, now: float, held: Callable[[Any], float]) -> None:
        """Close what has been held for long enough at an instant (a date number), as far as it is held still."""
        for hold in [each for each in self._holds.values() if not each.order.alive() and each.is_over(now)]:
            order = hold.order
            del self._holds[order.ref]
            if size := left(order.executed.size, held(order.data)):
                self._close(order.owner, order.data, -size, hold.name)


def left(opened: float, held: float) -> float:
    """Return what of an order's fills is held still, signed."""
    if opened * held <= 0:
        return 0.0
    return opened if abs(opened) <= abs(held) else held


def seconds_of(asked: object) -> float:
    """Return a hold time in seconds."""
    seconds = asked.total_seconds() if isinstance(asked, timedelta) else asked
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e9:
        raise ConfigError(f"holdtime={asked!r}; give seconds above 0, or a timedelta")
    return float(seconds)
