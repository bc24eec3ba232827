"""What the sandbox refuses before an order is taken, in Alpaca's statuses, codes and words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from brokers.alpaca.protocol import is_crypto

NEW_YORK = ZoneInfo("America/New_York")
INVALID, FORBIDDEN, NOT_FOUND, BAD = 42210000, 40310000, 40410000, 40010001

SIDES = ("buy", "sell")
TYPES = ("market", "limit", "stop", "stop_limit", "trailing_stop")
TIMES_IN_FORCE = ("day", "gtc", "opg", "cls", "ioc", "fok")
CLASSES = ("simple", "bracket", "oco", "oto")
LONGEST_ID = 128


class Refusal(Exception):
    """An answer that is an error. `more` are further fields of its body."""

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, **more}


def invalid(message: str) -> Refusal:
    """422: the order itself is wrong."""
    return Refusal(422, INVALID, message)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for an order, read: numbers are numbers, exits are (take-profit, stop, stop's limit)."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    order_class: str
    client_order_id: str
    qty: float | None
    notional: float | None
    limit_price: float | None
    stop_price: float | None
    trail_price: float | None
    trail_percent: float | None
    extended_hours: bool
    position_intent: str | None
    take_profit: float | None
    stop_loss: float | None
    stop_loss_limit: float | None


def read(body: Mapping[str, Any]) -> Asked:
    """Read a request; raise `Refusal` where a word or a number is not one."""
    exits = {key: body.get(key) or {} for key in ("take_profit", "stop_loss")}
    if (body.get("qty") is None) == (body.get("notional") is None):
        raise Refusal(400, BAD, "exactly one of qty or notional is required")
    # The limit of an OCO's parent is its take-profit.
    is_oco = body.get("order_class") == "oco"
    own = {**body, "limit_price": exits["take_profit"].get("limit_price")} if is_oco else body
    return Asked(
        symbol=str(body.get("symbol") or "").upper(),
        side=_word(body, "side", SIDES),
        type=_word(body, "type", TYPES),
        time_in_force=_word(body, "time_in_force", TIMES_IN_FORCE),
        order_class=_word({"order_class": body.get("order_class") or "simple"}, "order_class", CLASSES),
        client_order_id=str(body.get("client_order_id") or ""),
        extended_hours=bool(body.get("extended_hours")),
        position_intent=body.get("position_intent"),
        take_profit=positive(exits["take_profit"], "limit_price"),
        stop_loss=positive(exits["stop_loss"], "stop_price"),
        stop_loss_limit=positive(exits["stop_loss"], "limit_price"),
        **{key: positive(own, key) for key in _NUMBERS},
    )


_NUMBERS = ("qty", "notional", "limit_price", "stop_price", "trail_price", "trail_percent")


def _word(body: Mapping[str, Any], key: str, known: tuple[str, ...]) -> str:
    if body.get(key) not in known:
        raise invalid(f"invalid {key.replace('_', ' ')}: {body.get(key)}")
    return str(body[key])


def positive(body: Mapping[str, Any], key: str) -> float | None:
    """Read a number above zero, None where there is none; raise `Refusal` for anything else."""
    if body.get(key) is None:
        return None
    try:
        found = float(body[key])
    except (TypeError, ValueError):
        raise Refusal(400, BAD, f"{key} is not a number: {body[key]}") from None
    if not 0 < found < math.inf:
        raise invalid(f"{key} must be > 0")
    return found


def check_shape(asked: Asked) -> None:
    """Raise `Refusal` where the parts of an order do not go together, whatever the market and the account."""
    if len(asked.client_order_id) > LONGEST_ID:
        raise invalid(f"client_order_id must be no more than {LONGEST_ID} characters")
    _check_prices(asked)
    if asked.extended_hours and (asked.type, asked.time_in_force) != ("limit", "day"):
        raise invalid("extended hours order must be DAY limit orders")
    if is_crypto(asked.symbol):
        _check_crypto(asked)
    elif (asked.notional is not None or (asked.qty is not None and asked.qty % 1)) and (
        asked.time_in_force != "day" or asked.order_class != "simple"
    ):
        raise invalid("fractional orders must be simple DAY orders")
    if asked.time_in_force in ("opg", "cls") and asked.type not in ("market", "limit"):
        raise invalid(f"{asked.time_in_force} orders must be market or limit orders")
    _check_class(asked)


def _check_prices(asked: Asked) -> None:
    needs = {"limit": ("limit_price",), "stop": ("stop_price",), "stop_limit": ("limit_price", "stop_price")}
    for key in needs.get(asked.type, ()):
        if getattr(asked, key) is None:
            raise invalid(f"{asked.type} orders require {key.replace('_', ' ')}")
    if asked.type == "market" and (asked.limit_price or asked.stop_price):
        raise invalid("market orders must not have a limit or stop price")
    if asked.type == "trailing_stop":
        _check_trailing(asked)
    for key in ("limit_price", "stop_price", "take_profit", "stop_loss", "stop_loss_limit"):
        _check_tick(asked.symbol, key, getattr(asked, key))


def _check_trailing(asked: Asked) -> None:
    if (asked.trail_price is None) == (asked.trail_percent is None):
        raise invalid("trailing_stop orders require exactly one of trail_price or trail_percent")
    if asked.order_class != "simple" or asked.time_in_force not in ("day", "gtc"):
        raise invalid("trailing_stop orders must be simple DAY or GTC orders")


def _check_tick(symbol: str, key: str, price: float | None) -> None:
    if price is None or is_crypto(symbol):
        return
    decimals = 2 if price >= 1 else 4
    if abs(price - round(price, decimals)) > 1e-9:
        raise invalid(f"invalid {key} {price}. sub-penny increment does not fulfill minimum pricing criteria")


def _check_crypto(asked: Asked) -> None:
    if asked.type not in ("market", "limit", "stop_limit"):
        raise invalid("invalid order type for crypto order")
    if asked.time_in_force not in ("gtc", "ioc"):
        raise invalid("invalid crypto time_in_force")
    if asked.order_class != "simple":
        raise invalid("crypto orders not allowed for advanced order_class")


def _check_class(asked: Asked) -> None:
    exits = (asked.take_profit is not None) + (asked.stop_loss is not None)
    kind = asked.order_class
    if kind == "simple":
        if exits:
            raise invalid("take_profit and stop_loss need an order_class")
        return
    if asked.time_in_force not in ("day", "gtc") or asked.extended_hours:
        raise invalid(f"{kind} orders must be DAY or GTC orders, without extended hours")
    if kind in ("bracket", "oco") and exits < 2:
        missing = "take_profit.limit_price" if asked.take_profit is None else "stop_loss.stop_price"
        raise invalid(f"{kind} orders require {missing}")
    if kind == "oto" and exits != 1:
        raise invalid("oto orders require exactly one of take_profit or stop_loss")
    if kind == "oco" and asked.type != "limit":
        raise invalid("oco orders must be limit orders")
    if kind != "oco" and asked.type not in ("market", "limit"):
        raise invalid(f"{kind} orders must be market or limit orders")


def check_exits(asked: Asked, last: float) -> None:
    """Raise `Refusal` where an exit lies on the wrong side of the price that it starts from."""
    sign = 1 if asked.side == "buy" else -1
    if asked.order_class == "oco":
        sign, base = -sign, asked.take_profit or last
    else:
        base = asked.limit_price or last
    if asked.stop_loss is not None and (base - asked.stop_loss) * sign < 0.01 - 1e-9:
        way = "<=" if sign > 0 else ">="
        raise invalid(f"stop_loss.stop_price must be {way} base_price {'-' if sign > 0 else '+'} 0.01")
    far = asked.take_profit is not None and asked.order_class != "oco"
    if far and asked.take_profit is not None and (asked.take_profit - base) * sign < 0.01 - 1e-9:
        way = ">=" if sign > 0 else "<="
        raise invalid(f"take_profit.limit_price must be {way} base_price {'+' if sign > 0 else '-'} 0.01")
    if asked.type == "stop" and asked.stop_price is not None and (last - asked.stop_price) * sign >= 0:
        raise invalid(f"stop price must be {'greater' if sign > 0 else 'less'} than current price")


def check_auction_time(time_in_force: str, at: datetime) -> None:
    """Raise `Refusal` where an order for the opening or the close comes too late for it (New York time)."""
    local = at.astimezone(NEW_YORK).time()
    latest = {"opg": time(9, 28), "cls": time(15, 50)}.get(time_in_force)
    if latest is not None and latest < local < time(19):
        raise invalid(f"{time_in_force} orders must be sent before {latest:%H:%M} or after 19:00 New York time")


GTC_LASTS = timedelta(days=90)
