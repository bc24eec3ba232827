"""Whether an order may leave, by a session's limits: values in, a refusal in one line out. Pure.

An order that only makes a position smaller passes everything but the price collar, whatever else is wrong. One
thing keeps several of them together in check: all that is open on their side may not turn the position round
to more than was held and more than `position_value`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from framework.live.limits import Limits, amount
from framework.model import OrderRequest, OrderType, Side

NOISE = 1e-9
"""Units, and the part of a limit, by which floats that do not add up may go beyond."""


@dataclass(frozen=True, slots=True)
class Open:
    """What an open order of a symbol may still do.

    `pair` is the same for orders of which only one fills, 0 for one alone. `is_ending` where its end was asked
    for, or follows from another's. `is_changed` where its size was changed: a venue that had made it smaller for
    what its pair has filled may not do so again. An exit that waits for its entry is none of these.
    """

    side: Side
    remaining: float
    filled: float = 0.0
    pair: int = 0
    is_ending: bool = False
    is_changed: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a session stands for one order of a symbol, which is not counted in it.

    position: units held, signed. price: the last one. open: the symbol's open orders.
    orders: how many are open in all, those that come with this one included.
    sent: how many were sent within the last minute, or are about to be.
    loss: what the day has lost so far. age: by how many seconds the prices are too old, 0 where they are not.
    halted: why the symbol is not traded now, None where it is. barred: why no position may be opened at all.
    waits_for: for an exit that waits for its entry, how many units that one is for. entered: those it has filled.
    pair: as in `Open`, of the order itself.
    """

    position: float
    price: float
    open: tuple[Open, ...] = ()
    orders: int = 0
    sent: int = 0
    loss: float = 0.0
    age: float = 0.0
    halted: str | None = None
    barred: str = ""
    waits_for: float = 0.0
    entered: float = 0.0
    pair: int = 0


def refusal(limits: Limits, request: OrderRequest, now: Standing) -> str:
    """Return why an order may not leave: which limit, what was asked, what is allowed; "" where it may."""
    if _waits(request, now):
        return _too_many(limits, now) or _beyond_collar(limits, request, now)
    if reduces(request, now):
        return _turns_round(limits, request, now) or _beyond_collar(limits, request, now)
    return (
        now.barred
        or _not_now(limits, request, now)
        or _too_many(limits, now)
        or _too_much(limits, request, now)
        or _beyond_collar(limits, request, now)
    )


def change_refusal(limits: Limits, was: Sequence[OrderRequest], request: OrderRequest, now: Standing) -> str:
    """Return why an open order may not be changed into `request`, whose quantity is what is then left of it.

    `was` is as what it may stand, with what is left of it. What makes an entry neither larger nor dearer passes all
    but the collar, and so does an exit that is not made larger.
    """
    is_larger = any(_left(request) > _left(each) + NOISE for each in was)
    is_dearer = not (reduces(request, now) or all(_is_no_dearer(request, each) for each in was))
    if _waits(request, now) or not (is_larger or is_dearer):
        return _beyond_collar(limits, request, now)
    return refusal(limits, request, replace(now, pair=0) if is_larger else now)


def reduces(request: OrderRequest, now: Standing) -> bool:
    """Return whether an order only makes the position smaller: it is on the other side, and not larger."""
    is_other_side = request.side.sign * now.position < 0
    return is_other_side and quantity(request, now.price) <= abs(now.position) + NOISE


def quantity(request: OrderRequest, price: float) -> float:
    """Return how many units are asked for; an amount of money at the last price."""
    return request.quantity if request.quantity is not None else (request.notional or 0.0) / price


def farthest(side: Side, position: float, orders: Iterable[Open]) -> float:
    """Return the position, signed, when all open orders of a side have filled; of a pair the larger one does."""
    left: dict[int, float] = {}
    alone = 0.0
    for each in orders:
        if each.side is not side:
            continue
        if each.pair:
            left[each.pair] = max(left.get(each.pair, 0.0), each.remaining)
        else:
            alone += each.remaining
    return position + side.sign * (alone + sum(left.values()))


def _waits(request: OrderRequest, now: Standing) -> bool:
    """Return whether an order only closes what its entry has yet to open."""
    return now.waits_for > 0 and quantity(request, now.price) <= now.waits_for + NOISE


def _not_now(limits: Limits, request: OrderRequest, now: Standing) -> str:
    """Return why no position is opened in the symbol at this time."""
    if now.halted is not None:
        return f"{request.symbol} is halted at its exchange ({now.halted}); exits and cancels pass"
    if limits.symbols is not None and request.symbol not in limits.symbols:
        return f"limit symbols: {request.symbol} was asked for, only {', '.join(limits.symbols)} may be traded"
    if now.age > 0:
        return too_old(now.age)
    if limits.daily_loss is not None and not now.loss < limits.daily_loss:
        lost = f"{amount(now.loss)} was lost today, {amount(limits.daily_loss)} is allowed"
        return f"limit daily_loss: {lost}; no position is opened before the next trading day"
    return ""


def too_old(age: float) -> str:
    """Return why nothing is opened on prices that are so many seconds old."""
    return f"limit stale: the prices are {age:.0f} s old, no position is opened on stale data"


def _too_many(limits: Limits, now: Standing) -> str:
    if limits.open_orders is not None and now.orders + 1 > limits.open_orders:
        return f"limit open_orders: {now.orders + 1} orders would be open, {limits.open_orders} are allowed"
    if limits.orders_per_minute is not None and now.sent + 1 > limits.orders_per_minute:
        most = limits.orders_per_minute
        return f"limit orders_per_minute: {now.sent + 1} orders would be sent within 60 s, {most} are allowed"
    return ""


def _too_much(limits: Limits, request: OrderRequest, now: Standing) -> str:
    if limits.order_value is not None:
        worth = _worth(request, now.price)
        if _is_beyond(worth, limits.order_value):
            allowed = amount(limits.order_value)
            return f"limit order_value: this order is worth {amount(worth)}, {allowed} is allowed"
    if limits.position_value is not None:
        apart = [replace(each, pair=0) if each.is_changed else each for each in now.open]
        units = abs(farthest(request.side, now.position, [*apart, _as_open(request, now)]))
        worth = units * max([now.price, *_levels(request)])
        if _is_beyond(worth, limits.position_value):
            what = f"with this and what is open the position in {request.symbol} may be worth {amount(worth)}"
            return f"limit position_value: {what}, {amount(limits.position_value)} is allowed"
    return ""


def _turns_round(limits: Limits, request: OrderRequest, now: Standing) -> str:
    """Return why an exit may not leave beside those that are open: together they would open too much."""
    if limits.position_value is None:
        return ""
    units = farthest(request.side, now.position, [*_going_on(now.open), _as_open(request, now)])
    worth = abs(units) * max([now.price, *_levels(request)])
    is_turned = units * now.position < 0 and abs(units) > abs(now.position) + NOISE
    if not (is_turned and worth > limits.position_value * (1 + NOISE)):
        return ""
    what = f"with the exits that are open the position in {request.symbol} may turn to {amount(units)}"
    return f"limit position_value: {what}, worth {amount(worth)}, {amount(limits.position_value)} is allowed"


def _going_on(orders: Iterable[Open]) -> list[Open]:
    """Return what an exit has to reckon with: not what is ending, and of a pair what both have left to fill."""
    staying = [each for each in orders if not each.is_ending]
    filled: dict[int, float] = {}
    for each in staying:
        filled[each.pair] = filled.get(each.pair, 0.0) + each.filled
    return [
        replace(each, remaining=max(each.remaining + each.filled - filled[each.pair], 0.0)) if each.pair else each
        for each in staying
    ]


def _beyond_collar(limits: Limits, request: OrderRequest, now: Standing) -> str:
    limit = request.limit_price
    if limits.collar is None or limit is None:
        return ""
    is_buy = request.side is Side.BUY
    levels = [now.price, *_triggers(request, now.price)]
    level = max(levels) if is_buy else min(levels)
    bound = level * (1 + request.side.sign * limits.collar)
    if (limit <= bound * (1 + NOISE)) if is_buy else (limit >= bound * (1 - NOISE)):
        return ""
    word = "most" if is_buy else "least"
    how = f"{amount(100 * limits.collar)} % from {amount(level)}"
    return f"limit collar: {request.side.value} at {amount(limit)}, {amount(bound)} at {word} is allowed ({how})"


def _as_open(request: OrderRequest, now: Standing) -> Open:
    """Return an order as it is once it has left; of an exit that waits, what is more than its entry has yet to fill."""
    return Open(request.side, quantity(request, now.price) - (now.waits_for - now.entered), pair=now.pair)


def _worth(request: OrderRequest, price: float) -> float:
    if request.notional is not None:
        return request.notional
    return quantity(request, price) * next(iter(_levels(request)), price)


def _levels(request: OrderRequest) -> list[float]:
    """Return an order's own prices, the one that bounds what it costs first."""
    return [each for each in (request.limit_price, request.stop_price) if each is not None]


def _triggers(request: OrderRequest, price: float) -> list[float]:
    """Return the price at which a stop goes, by which its limit is judged."""
    if request.stop_price is not None:
        return [request.stop_price]
    if request.order_type is OrderType.TRAILING_STOP_LIMIT:
        trail = request.trail_amount if request.trail_amount is not None else price * (request.trail_percent or 0.0)
        return [price + request.side.sign * trail]
    return []


def _left(request: OrderRequest) -> float:
    return request.quantity if request.quantity is not None else math.inf


def _is_no_dearer(request: OrderRequest, was: OrderRequest) -> bool:
    """Return whether a change leaves prices as they were, or lowers what a buy pays."""
    if request.order_type is OrderType.LIMIT and request.side is Side.BUY:
        return (request.limit_price or 0.0) <= (was.limit_price or 0.0)
    return (request.limit_price, request.stop_price) == (was.limit_price, was.stop_price)


def _is_beyond(worth: float, allowed: float) -> bool:
    """Return whether a value is beyond a limit; one that is no number is."""
    return not worth <= allowed * (1 + NOISE)
