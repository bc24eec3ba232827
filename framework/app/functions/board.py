"""What a session of a trading function shows and logs: a trade update, what is held, and the board of both. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TradeUpdate:
    """What became of an order, as a row of the trade log has it.

    `executed_price` is the average so far and `executed_qty` all that was filled so far; `timestamp` is in
    epoch seconds; `status` is Alpaca's word, `raw_status` is alpaca-py's for it ("OrderStatus.FILLED").
    `reason` is for the display only: why an order was rejected.
    """

    client_order_id: str
    ticker: str
    executed_price: float
    executed_qty: float
    status: str
    side: str
    action: str
    timestamp: float
    raw_status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A position: below nought it is short. `last` is None where no price is known yet."""

    ticker: str
    quantity: float
    bought_at: float
    last: float | None

    @property
    def cost_basis(self) -> float:
        """What it cost; below nought what a short sale brought in."""
        return self.quantity * self.bought_at

    @property
    def market_value(self) -> float | None:
        """What it is worth; below nought what it costs to cover."""
        return None if self.last is None else self.quantity * self.last

    @property
    def unrealised(self) -> float | None:
        """What closing it now would make."""
        return None if self.last is None else self.quantity * (self.last - self.bought_at)

    @property
    def percent(self) -> float | None:
        """What closing it now would make, in percent of the cost: above nought is a gain, for a short too."""
        return _percent(self.unrealised, abs(self.cost_basis))


@dataclass(frozen=True, slots=True)
class Board:
    """All there is to see of a session at one moment.

    `money` is "sandbox", "paper", "real-money" or "backtest"; `remaining` is in seconds, None where there is no
    end. `updates` has the newest first, `messages` the newest last. A total is None where a part of it is unknown.
    """

    name: str
    money: str
    capital: float
    realised: float
    status: str
    remaining: float | None
    held: tuple[Held, ...]
    updates: tuple[TradeUpdate, ...]
    messages: tuple[str, ...] = ()

    @property
    def quantity(self) -> float:
        """The units held of everything, the last row's too."""
        return sum(each.quantity for each in self.held)

    @property
    def cost_basis(self) -> float:
        """What everything cost, less what short sales brought in."""
        return sum(each.cost_basis for each in self.held)

    @property
    def market_value(self) -> float | None:
        """What everything is worth."""
        return _sum(each.market_value for each in self.held)

    @property
    def unrealised(self) -> float | None:
        """What closing everything now would make."""
        return _sum(each.unrealised for each in self.held)

    @property
    def percent(self) -> float | None:
        """What closing everything now would make, in percent of all costs, long and short ones added up."""
        return _percent(self.unrealised, sum(abs(each.cost_basis) for each in self.held))


def _sum(parts: Iterable[float | None]) -> float | None:
    known = list(parts)
    return None if None in known else sum(each for each in known if each is not None)


def _percent(gain: float | None, cost: float) -> float | None:
    return None if gain is None or not cost else 100 * gain / cost
