"""What the sandbox's ALGOGENE is asked for, read and checked. The words of every refusal are a guess. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from framework.model import OrderType, Side

TYPES = {"MKT": OrderType.MARKET, "LMT": OrderType.LIMIT, "STOP": OrderType.STOP}
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
STEP = Decimal("0.01")


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"status": "FAILED", "res": message}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for an order."""

    instrument: str
    side: Side
    kind: str
    lots: Decimal
    price: float
    order_ref: str
    take_profit: float | None
    stop_loss: float | None
    holdtime: float | None
    lasts: int | None


def read_order(body: Mapping[str, Any]) -> Asked:
    """Read what `open_order` is sent; raise `Refusal`."""
    kind = str(body.get("ordertype") or "")
    if kind not in TYPES:
        raise Refusal(f"invalid ordertype: {kind}")
    if body.get("buysell") not in SIDES:
        raise Refusal(f"invalid buysell: {body.get('buysell')}")
    price = positive(body, "price") if kind != "MKT" else None
    if kind != "MKT" and price is None:
        raise Refusal(f"{kind} order requires price")
    return Asked(
        instrument=str(body.get("instrument") or ""),
        side=SIDES[body["buysell"]],
        kind=kind,
        lots=volume(body),
        price=price or 0.0,
        order_ref=str(body.get("orderRef") or ""),
        take_profit=positive(body, "takeProfitLevel"),
        stop_loss=positive(body, "stopLossLevel"),
        holdtime=positive(body, "holdtime"),
        lasts=lasting(body),
    )


def volume(body: Mapping[str, Any]) -> Decimal:
    """Read a volume in lots; raise `Refusal` where it is no multiple of a hundredth."""
    try:
        lots = Decimal(str(body.get("volume")))
    except InvalidOperation:
        lots = Decimal(0)
    if not lots.is_finite() or lots <= 0 or lots % STEP:
        raise Refusal(f"invalid volume: {body.get('volume')}")
    return lots


def positive(body: Mapping[str, Any], key: str) -> float | None:
    """Read a number above zero, None where there is none or 0; raise `Refusal` for anything else."""
    value = body.get(key)
    if value in (None, "", 0):
        return None
    try:
        found = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        found = math.nan
    if not 0 < found < math.inf:
        raise Refusal(f"invalid {key}: {value}")
    return found


def lasting(body: Mapping[str, Any]) -> int | None:
    """Read `timeinforce`, whole seconds; raise `Refusal`."""
    found = positive(body, "timeinforce")
    if found is not None and found % 1:
        raise Refusal(f"invalid timeinforce: {found}")
    return None if found is None else int(found)


def ids(body: Mapping[str, Any]) -> list[str]:
    """Read `tradeIDs`, "192,193", or one number."""
    return [each.strip() for each in str(body.get("tradeIDs") or "").split(",") if each.strip()]
