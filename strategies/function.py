"""A trading function as a strategy: `def trade(context): ...; return orders`, called every so often.

It is driven by a clock: a feed that has an item at each instant, beside feeds of quotes with the lines `bid`, `ask` and
`age` (a feed of bars has neither spread nor age: its close is both sides). `context` is made anew for each call, of one
instant: `context["get_current_data"]()` gives quotes and positions, `context["submit_order"](orders)` sends orders,
as returning them does.
"""

from __future__ import annotations

import difflib
import math
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import backtrader as bt

REPORT, STOP = "report", "stop"

CLOSES = {"buy": ("buy_to_cover", "cover_short"), "sell": ("sell_long", "liquidate")}
"""The actions that only close what is held, by side."""

ACTIONS = {"buy": ("buy_long", *CLOSES["buy"]), "sell": (*CLOSES["sell"], "short_sell")}
"""All actions by side; the first is what an order without one is."""

KEYS = ("ticker", "quantity", "side", "order_type", "action", "limit_price")

EXAMPLE = '{"ticker": "AAPL", "quantity": 10, "side": "buy", "order_type": "market"}'

_NEARLY = 0.5 / 86_400


class BadOrder(ValueError):
    """An order that cannot be one: what it is, what is wrong with it, what to try."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An order as it was asked for, checked."""

    ticker: str
    quantity: float
    side: str
    action: str
    limit: float | None
    given: Mapping[str, Any]


class Context(dict[str, Any]):
    """What a trading function is called with."""

    def __missing__(self, key: str) -> Any:
        raise KeyError(f"the context has no {key!r}; it has {', '.join(self)}")


class TradingFunction(bt.Strategy):
    """Calls `function` at each instant, from `warm_up` seconds after the first on, until the session ends.

    `on_error` says what an exception of the function's does: "report" tells of it and goes on, "stop" ends the session
    with it. `watch` is told of what happens (see `Watch`).
    """

    params = (
        ("function", None), ("shutdown", None), ("warm_up", 0.0), ("on_error", REPORT), ("watch", None),
    )  # fmt: skip

    ends_at: float | None = None
    """When the session ends, one of Backtrader's numbers; None is not known yet."""

    def __init__(self) -> None:
        self.tickers = {data._name: data for data in self.datas if _has_prices(data)}
        self.rejections: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self.failures: list[str] = []
        self.calls = 0
        self._realised: dict[int, float] = {}
        self._open: dict[int, tuple[Any, Asked]] = {}
        self._begins_at: float | None = None

    # -- when it is called

    def prenext(self) -> None:
        """A symbol without a quote keeps nobody waiting: it is not among the quotes."""
        self.next()

    def next(self) -> None:
        now = max(data.datetime[0] for data in self.datas if len(data))
        if self._begins_at is None:
            self._begins_at = now + self.p.warm_up / 86_400
        is_over = self.ends_at is not None and now >= self.ends_at - _NEARLY
        if now >= self._begins_at - _NEARLY and not is_over:
            self.calls += 1
            self._call(self.p.function)
        self._watched("looked")

    def shut_down(self) -> None:
        """Call the function that ends the session."""
        self._call(self.p.shutdown)

    def _call(self, function: Callable[[Context], Any]) -> None:
        rejections, self.rejections = self.rejections, []
        try:
            self.submit(function(self.context(rejections)))
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        told = str(error) if isinstance(error, BadOrder) else _told(error)
        self.failures.append(told)
        self._watched("failed", told)
        if self.p.on_error == STOP and self.failure is None:
            self.failure = error
            self.ends_at = -math.inf

    # -- what it is called with

    def context(self, rejections: list[dict[str, Any]]) -> Context:
        """Return what the function is called with, all of it of this instant."""
        return Context(
            get_current_data=self.current_data,
            submit_order=self.submit,
            get_quote_ages=self.quote_ages,
            get_open_orders=self.open_orders,
            rejections=rejections,
        )

    def current_data(self) -> tuple[dict[str, dict[str, float]], list[dict[str, Any]]]:
        """Return the quotes by ticker ("bid", "ask"), and the positions held: never None, at worst empty."""
        quotes = {ticker: _sides(data) for ticker, data in self.tickers.items() if len(data)}
        held = ((ticker, self.getposition(data)) for ticker, data in self.tickers.items())
        return quotes, [_position(ticker, each) for ticker, each in held if each.size]

    def quote_ages(self) -> dict[str, float]:
        """Return how many seconds old each ticker's quote is; none is opened on one that is too old."""
        return {ticker: float(_line(data, "age", 0.0)) for ticker, data in self.tickers.items() if len(data)}

    def open_orders(self) -> list[dict[str, Any]]:
        """Return the orders that are open, as they were asked for, with what is filled of each."""
        return [{**asked.given, "filled": abs(order.executed.size)} for order, asked in self._open.values()]

    @property
    def realised(self) -> float:
        """What closing has made, commission taken off."""
        return math.fsum(self._realised.values())

    # -- what it asks for

    def submit(self, orders: Any) -> None:
        """Send an order or a list of them, what closes positions first; raise `BadOrder` before any is sent."""
        asked = [read(each, self.tickers) for each in _listed(orders)]
        for each in sorted(asked, key=lambda each: not self._closes(each)):
            self._send(each)

    def _closes(self, asked: Asked) -> bool:
        return self._held(asked.side, self.tickers[asked.ticker]) > 0

    def _send(self, asked: Asked) -> None:
        data = self.tickers[asked.ticker]
        if why := self._refusal(asked, data):
            self._reject(asked, why)
            return
        send = self.buy if asked.side == "buy" else self.sell
        how = {"exectype": bt.Order.Market}
        if asked.limit is not None:
            how = {"exectype": bt.Order.Limit, "price": asked.limit, "valid": bt.Order.DAY}
        order = send(data=data, size=asked.quantity, action=asked.action, **how)
        if order is not None:
            self._open[order.ref] = order, asked

    def _refusal(self, asked: Asked, data: Any) -> str:
        if not len(data):
            return f"there is no quote of {asked.ticker} yet"
        if asked.action not in CLOSES[asked.side]:
            return ""
        left = self._closable(asked.side, data)
        return "" if asked.quantity <= left else f"{asked.action} only closes, and {left:g} {asked.ticker} are to close"

    def _closable(self, side: str, data: Any) -> float:
        """Return how much of a position is not being closed yet."""
        working = (order for order, asked in self._open.values() if order.data is data and asked.side == side)
        return self._held(side, data) - math.fsum(abs(each.executed.remsize) for each in working)

    def _held(self, side: str, data: Any) -> float:
        """Return how much is held that an order of this side closes."""
        held = float(self.getposition(data).size)
        return max(-held if side == "buy" else held, 0.0)

    def _reject(self, asked: Asked, why: str) -> None:
        self.rejections.append({"order": dict(asked.given), "reason": why})
        self._watched("rejected", asked, why)

    # -- what becomes of it

    def notify_order(self, order: Any) -> None:
        if order.executed.size:
            self._realised[order.ref] = order.executed.pnl - order.executed.comm
        _, asked = self._open.get(order.ref, (None, None))
        if asked is not None and order.status in (order.Rejected, order.Margin):
            why = str(order.info.get("reason", "") or "there is not enough cash")
            self.rejections.append({"order": dict(asked.given), "reason": why})
        self._watched("heard", order)
        if not order.alive():
            self._open.pop(order.ref, None)

    def _watched(self, what: str, *how: Any) -> None:
        if self.p.watch is not None:
            getattr(self.p.watch, what)(self, *how)


class Watch:
    """What a `TradingFunction` tells of itself, in the thread that it runs in: all of it does nothing here."""

    def looked(self, strategy: TradingFunction) -> None:
        """An instant is over."""

    def heard(self, strategy: TradingFunction, order: Any) -> None:
        """Something became of an order."""

    def rejected(self, strategy: TradingFunction, asked: Asked, why: str) -> None:
        """An order was not even made."""

    def failed(self, strategy: TradingFunction, told: str) -> None:
        """The function raised an exception, or gave an order that is none."""


def read(order: Any, tickers: Iterable[str]) -> Asked:
    """Return an order, checked; raise `BadOrder` with the order in it."""
    if not isinstance(order, Mapping):
        raise _bad(order, "it is no dict")
    for key in order:
        if key not in KEYS:
            raise _bad(order, f"there is no {key!r} in an order{_near(key, KEYS)}")
    for key in KEYS[:4]:
        if order.get(key) is None:
            raise _bad(order, f"{key!r} is missing")
    side, kind = order["side"], order["order_type"]
    _check(order, "ticker", order["ticker"], tuple(tickers))
    _check(order, "side", side, tuple(ACTIONS))
    _check(order, "order_type", kind, ("market", "limit"))
    action = order.get("action") or ACTIONS[side][0]
    _check(order, "action", action, ACTIONS[side])
    return Asked(order["ticker"], _quantity(order), side, action, _limit(order, kind), order)


def _check(order: Any, key: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise _bad(order, f"{key} {value!r} is none of {', '.join(known)}{_near(value, known)}")


def _quantity(order: Mapping[str, Any]) -> float:
    number = _number(order, "quantity")
    return int(number) if number == int(number) else number


def _limit(order: Mapping[str, Any], kind: str) -> float | None:
    given = order.get("limit_price")
    if kind == "market":
        if given is not None:
            raise _bad(
                order, 'a market order has no limit_price; make it "order_type": "limit", or leave the price out'
            )
        return None
    if given is None:
        raise _bad(order, "'limit_price' is missing")
    return _number(order, "limit_price")


def _number(order: Mapping[str, Any], key: str) -> float:
    try:
        number = float("nan") if isinstance(order[key], bool) else float(order[key])
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 < number < math.inf:
        raise _bad(order, f"{key} {order[key]!r} is no number above zero")
    return number


def _bad(order: Any, what: str) -> BadOrder:
    return BadOrder(f"this order was not sent, nor what came with it: {order!r}: {what}; an order is {EXAMPLE}")


def _near(given: Any, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(str(given), list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]}?)" if found else ""


def _listed(orders: Any) -> list[Any]:
    if not orders:
        return []
    return [orders] if isinstance(orders, Mapping | str) or not isinstance(orders, Iterable) else list(orders)


def _told(error: Exception) -> str:
    """Return an exception with where in the function it was raised."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({where.filename}, line {where.lineno})"


def _has_prices(data: Any) -> bool:
    return hasattr(data.lines, "bid") or data._name != "clock"


def _line(data: Any, name: str, otherwise: float) -> float:
    line = getattr(data.lines, name, None)
    return otherwise if line is None else line[0]


def _sides(data: Any) -> dict[str, float]:
    close = data.close[0]
    return {"bid": float(_line(data, "bid", close)), "ask": float(_line(data, "ask", close))}


def _position(ticker: str, position: Any) -> dict[str, Any]:
    size, price = position.size, float(position.price)
    return {"ticker": ticker, "quantity": size, "bought_at": price, "cost_basis": size * price}
