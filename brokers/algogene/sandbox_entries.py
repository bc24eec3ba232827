"""An order and the trade that it becomes, as the sandbox keeps it and as it is shown on the wire. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from framework.model import Side

BROKER = "ALGOGENE"
FIRST = 746_000_000_000
"""Ids are whole numbers, told as numbers by `open_order` and as texts everywhere else."""


class Status(enum.Enum):
    """Where an order stands; the last three words are a guess, as are those of every refusal."""

    PENDING = "PENDING"
    PARTIAL = "PARTIAL_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


@dataclass(slots=True)
class Entry:
    """One order. `filled` and `held` are units: what was opened, and what of it is not closed yet."""

    id: str
    order_ref: str
    instrument: str
    side: Side
    kind: str
    lots: Decimal
    contract: Decimal
    price: float
    created_at: datetime
    take_profit: float | None = None
    stop_loss: float | None = None
    holdtime: float | None = None
    lasts: int | None = None
    market: str = ""
    status: Status = Status.PENDING
    filled: float = 0.0
    paid: float = 0.0
    held: float = 0.0
    opened_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    exits: list[str] = field(default_factory=list)
    is_closing: bool = False
    is_slow: bool = False

    @property
    def units(self) -> float:
        """What was ordered, in units."""
        return float(self.lots * self.contract)

    @property
    def average(self) -> float:
        """What was paid for a unit."""
        return self.paid / self.filled if self.filled else 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether something of it may still be opened."""
        return self.status in (Status.PENDING, Status.PARTIAL)

    @property
    def expires_at(self) -> datetime | None:
        """When it is cancelled by itself."""
        return None if self.lasts is None else self.created_at + timedelta(seconds=self.lasts)

    @property
    def holds_until(self) -> datetime | None:
        """When its trade is closed by itself."""
        if self.holdtime is None or self.opened_at is None:
            return None
        return self.opened_at + timedelta(seconds=self.holdtime)

    def in_lots(self, units: float) -> float:
        """Return units as the lots that are told."""
        return float(Decimal(repr(units)) / self.contract)

    def trade(self, price: float) -> dict[str, Any]:
        """Return it as one of `opened_trades`, at the price of now."""
        gain = (price - self.average) * self.held * self.side.sign
        shown = self._shown(self.opened_at or self.created_at)
        return {**shown, "volume": self.in_lots(self.held), "price": self.average, "unrealizedPL": round(gain, 6)}

    def pending(self) -> dict[str, Any]:
        """Return it as one of `pending_trades`."""
        left = self.in_lots(round(self.units - self.filled, 9))
        lasts = 0 if self.lasts is None else self.lasts
        return {**self._shown(self.created_at), "volume": left, "price": self.price, "timeinforce": lasts}

    def query(self) -> dict[str, Any]:
        """Return it as `query_order` tells it."""
        return {
            "status": self.status.value,
            "err_msg": self.reason,
            "tradeID": self.id,
            "orderRef": self.order_ref,
            "instrument": self.instrument,
            "buysell": self.side.sign,
            "price": self.average or self.price,
            "volume": float(self.lots),
            "timestamp": stamp(self.ended_at or self.opened_at or self.created_at),
            "takeProfitLevel": self.take_profit or 0.0,
            "stopLossLevel": self.stop_loss or 0.0,
            "holdtime": self.holdtime or 0.0,
            "trailingstop": 0.0,
            "timeinforce": self.lasts or 0,
        }

    def _shown(self, at: datetime) -> dict[str, Any]:
        return {
            "broker": BROKER,
            "buysell": self.side.sign,
            "channel": "api",
            "expiry": "",
            "holdtime": self.holdtime or 0.0,
            "instrument": self.instrument,
            "market": self.market,
            "openclose": "open",
            "order_Ref": self.order_ref,
            "product_type": "SPOT",
            "right": "",
            "stopLossLevel": self.stop_loss or 0.0,
            "strike": 0.0,
            "symbol": self.instrument,
            "takeProfitLevel": self.take_profit or 0.0,
            "timestamp": stamp(at),
            "trade_ID": self.id,
        }


@dataclass(frozen=True, slots=True)
class Done:
    """One transaction: `units` were opened or closed at a price."""

    entry: str
    order_ref: str
    instrument: str
    is_close: bool
    side: Side
    lots: float
    price: float
    at: datetime

    def shown(self) -> Mapping[str, Any]:
        """Return it as one of `strategy_trade`: a guess but for `order_ref`."""
        return {
            "tradeID": self.entry,
            "order_ref": self.order_ref,
            "instrument": self.instrument,
            "openclose": "close" if self.is_close else "open",
            "buysell": self.side.sign,
            "volume": self.lots,
            "price": self.price,
            "timestamp": stamp(self.at),
        }


def stamp(at: datetime) -> str:
    """Return a time as ALGOGENE writes it: UTC without saying so, to the microsecond."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
