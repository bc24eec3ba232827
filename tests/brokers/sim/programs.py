"""Random tapes and order programs, played by Backtrader's BackBroker and by the matching core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import backtrader as bt
from hypothesis import strategies as st

from brokers.sim.account import Account
from brokers.sim.matching import Matching, Terms
from brokers.sim.orders import Happened, Order, Range, State
from brokers.sim.prices import Slippage
from framework.columns import Columns, instant
from framework.engine.data import BarData
from framework.model import Bar, OrderType, Side

OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
SESSION_ENDS = (time(14, 36), time(14, 36, 30))
"""One at which a bar ends, and one between two bars."""
KINDS = {
    OrderType.MARKET: bt.Order.Market,
    OrderType.LIMIT: bt.Order.Limit,
    OrderType.STOP: bt.Order.Stop,
    OrderType.STOP_LIMIT: bt.Order.StopLimit,
    OrderType.TRAILING_STOP: bt.Order.StopTrail,
    OrderType.TRAILING_STOP_LIMIT: bt.Order.StopTrailLimit,
    OrderType.MARKET_ON_CLOSE: bt.Order.Close,
}
PRICED = {OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP_LIMIT}
LIMITED = {OrderType.STOP_LIMIT, OrderType.TRAILING_STOP_LIMIT}
TRAILED = {OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT}


@dataclass(frozen=True)
class Ask:
    """One order of a program; prices are offsets from the last close, in ticks."""

    symbol: str
    side: Side
    kind: OrderType
    size: int
    price: int = 0
    limit: int = 0
    trail: float | None = None
    percent: float | None = None
    valid: int | None = None  # half minutes


@dataclass(frozen=True)
class Step:
    """What a program does after a bar: orders (one, a bracket, an OCO), or the cancel of an earlier one."""

    bar: int
    orders: tuple[Ask, ...] = ()
    is_bracket: bool = False
    cancels: int | None = None


@dataclass(frozen=True)
class Program:
    bars: Mapping[str, tuple[tuple[float, float, float, float], ...]]
    steps: tuple[Step, ...]
    cash: float
    commission: float
    slippage: float
    session_end: time = SESSION_ENDS[0]


Outcome = dict[str, Any]

ticks = st.integers(-6, 6)
prices = st.integers(90, 110)


@st.composite
def bars(draw: st.DrawFn) -> tuple[float, float, float, float]:
    a, b, c, d = sorted(draw(st.tuples(prices, prices, prices, prices)))
    open_, close = draw(st.sampled_from([(b, c), (c, b), (a, d), (d, a), (a, c), (b, b)]))
    return float(open_), float(d), float(a), float(close)


@st.composite
def asks(draw: st.DrawFn, symbol: str | None = None, kinds: tuple[OrderType, ...] = tuple(KINDS)) -> Ask:
    kind = draw(st.sampled_from(kinds))
    by_percent = draw(st.booleans())
    return Ask(
        symbol or draw(st.sampled_from(["AAA", "BBB"])),
        draw(st.sampled_from(list(Side))),
        kind,
        draw(st.integers(1, 20)),
        draw(ticks),
        draw(ticks),
        None if by_percent else draw(st.sampled_from([0.5, 1.0, 3.0])),
        draw(st.sampled_from([0.005, 0.02])) if by_percent else None,
        draw(st.none() | st.integers(0, 12)),
    )


SLIPPING = (OrderType.MARKET, OrderType.STOP, OrderType.TRAILING_STOP, OrderType.MARKET_ON_CLOSE)
"""The orders whose slippage the core has in common with Backtrader in every case."""


@st.composite
def steps(draw: st.DrawFn, kinds: tuple[OrderType, ...]) -> Step:
    bar = draw(st.integers(0, 8))
    what = draw(st.integers(0, 5))
    if what == 0:
        return Step(bar, cancels=draw(st.integers(0, 10)))
    if what <= 3:
        return Step(bar, (draw(asks(kinds=kinds)),))
    symbol = draw(st.sampled_from(["AAA", "BBB"]))
    count = draw(st.integers(2, 3))
    return Step(bar, tuple(draw(asks(symbol, kinds)) for _ in range(count)), is_bracket=what == 4)


@st.composite
def programs(draw: st.DrawFn, slips: bool = False) -> Program:
    """`slips`: with slippage, and without what the core does otherwise then (stop-limits, limit sales)."""
    length = 10
    tape = {name: tuple(draw(st.lists(bars(), min_size=length, max_size=length))) for name in ("AAA", "BBB")}
    return Program(
        tape,
        tuple(
            sorted(
                draw(st.lists(steps(SLIPPING if slips else tuple(KINDS)), min_size=1, max_size=8)),
                key=lambda each: each.bar,
            )
        ),
        draw(st.sampled_from([1_000.0, 3_000.0, 100_000.0])),
        draw(st.sampled_from([0.0, 0.001])),
        draw(st.sampled_from([0.004, 0.02])) if slips else 0.0,
        draw(st.sampled_from(SESSION_ENDS)),
    )


def columns(rows: tuple[tuple[float, float, float, float], ...]) -> Columns:
    ends = [instant(OPEN + timedelta(minutes=at + 1)) for at in range(len(rows))]
    return Columns.of(ends, *zip(*rows, strict=True), [1_000.0] * len(rows))


class Player(bt.Strategy):
    """Plays a program on Backtrader."""

    params = (("program", None),)

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.made_at: list[int] = []
        self.when: dict[int, list[int]] = {}

    def notify_order(self, order: Any) -> None:
        if order.status in (order.Partial, order.Completed):
            self.when.setdefault(order.ref, []).append(len(self))

    def next(self) -> None:
        now = len(self) - 1
        for step in self.p.program.steps:
            if step.bar == now:
                self._act(step, now)

    def _act(self, step: Step, now: int) -> None:
        if step.cancels is not None:
            # Backtrader does not take the cancel of an order that it has not taken up yet.
            if step.cancels < len(self.made) and self.made_at[step.cancels] < now:
                self.broker.cancel(self.made[step.cancels])
            return
        first = None
        for at, ask in enumerate(step.orders):
            group: dict[str, Any] = {}
            if step.is_bracket:
                group = {"parent": first, "transmit": at == len(step.orders) - 1}
            elif first is not None:
                group = {"oco": first}
            order = self._ask(ask, group)
            first = first or order
            self.made.append(order)
            self.made_at.append(now)

    def _ask(self, ask: Ask, group: dict[str, Any]) -> Any:
        data = self.getdatabyname(ask.symbol)
        close = data.close[0]
        send = self.buy if ask.side is Side.BUY else self.sell
        now = data.datetime.datetime(0)
        return send(
            data=data,
            size=ask.size,
            exectype=KINDS[ask.kind],
            price=close + ask.price if ask.kind in PRICED else None,
            plimit=close + ask.limit if ask.kind in LIMITED else None,
            trailamount=ask.trail if ask.kind in TRAILED else None,
            trailpercent=ask.percent if ask.kind in TRAILED else None,
            valid=None if ask.valid is None else now + timedelta(seconds=30 * ask.valid),
            **group,
        )


STATES = {
    bt.Order.Submitted: State.SUBMITTED,
    bt.Order.Accepted: State.RESTING,
    bt.Order.Partial: State.RESTING,
    bt.Order.Completed: State.FILLED,
    bt.Order.Canceled: State.CANCELED,
    bt.Order.Expired: State.EXPIRED,
    bt.Order.Margin: State.MARGIN,
    bt.Order.Rejected: State.REJECTED,
}


def in_backtrader(program: Program) -> Outcome:
    """Return each order's fills and end, the cash and the positions, as BackBroker has them."""
    cerebro = bt.Cerebro(stdstats=False)
    for name, rows in program.bars.items():
        data = BarData(dataname=columns(rows), sessionend=program.session_end, timeframe=bt.TimeFrame.Minutes)
        cerebro.adddata(data, name=name)
    cerebro.broker.setcash(program.cash)
    cerebro.broker.setcommission(commission=program.commission)
    if program.slippage:
        cerebro.broker.set_slippage_perc(program.slippage)
    cerebro.addstrategy(Player, program=program)
    (player,) = cerebro.run()
    fills = [[(bit.size, bit.price) for bit in order.executed.exbits] for order in player.made]
    held = {name: player.broker.getposition(player.getdatabyname(name)) for name in program.bars}
    return {
        "fills": fills,
        "when": [player.when.get(order.ref, []) for order in player.made],
        "states": [STATES[order.status] for order in player.made],
        "cash": player.broker.getcash(),
        "held": {name: (each.size, each.price) for name, each in held.items()},
    }


class Played:
    """Plays a program on the matching core."""

    def __init__(self, program: Program, terms: Terms | None = None) -> None:
        self.program = program
        self.core = Matching(
            Account(program.cash, program.commission), terms or Terms(Slippage(fraction=program.slippage))
        )
        self.made: list[str] = []
        self.made_at: list[int] = []
        self.events: list[Any] = []
        self.seen: dict[datetime, dict[str, Bar]] = {}

    def run(self) -> Played:
        for now in range(len(next(iter(self.program.bars.values())))):
            at = OPEN + timedelta(minutes=now + 1)
            self.seen[at] = {name: Bar(name, at, *rows[now], 1_000.0) for name, rows in self.program.bars.items()}
            self.events += self.core.play(at, {name: Range.of(bar) for name, bar in self.seen[at].items()})
            for step in self.program.steps:
                if step.bar == now:
                    self._act(step, now, at)
        return self

    def outcome(self) -> Outcome:
        signs = {order.id: order.side.sign for order in self.core.orders.values()}
        fills: dict[str, list[Any]] = {each: [] for each in self.made}
        when: dict[str, list[int]] = {each: [] for each in self.made}
        for event in self.events:
            if event.kind is Happened.FILLED:
                when[event.order].append(round((event.at - OPEN) / timedelta(minutes=1)))
                fills[event.order].append((event.quantity * signs[event.order], event.price))
        held = {name: self.core.account.holding(name) for name in self.program.bars}
        return {
            "fills": list(fills.values()),
            "when": list(when.values()),
            "states": [self.core.orders[each].state for each in self.made],
            "cash": self.core.account.cash,
            "held": {name: (each.size, each.price) for name, each in held.items()},
        }

    def _act(self, step: Step, now: int, at: datetime) -> None:
        if step.cancels is not None:
            if step.cancels < len(self.made) and self.made_at[step.cancels] < now:
                self.events += self.core.cancel(self.made[step.cancels], at)
            return
        orders: list[Order] = []
        for ask in step.orders:
            first = orders[0].id if orders else None
            link = {"parent": first} if step.is_bracket else {"oco": first}
            orders.append(self._order(ask, at, **link))
            self.made.append(orders[-1].id)
            self.made_at.append(now)
            if not step.is_bracket:
                self.events += self.core.submit([orders[-1]], at)
        if step.is_bracket:
            self.events += self.core.submit(orders, at)

    def _order(self, ask: Ask, at: datetime, **link: str | None) -> Order:
        close = self.seen[at][ask.symbol].close
        closes = datetime.combine(at.date(), self.program.session_end, UTC)
        return Order(
            f"o{len(self.made)}",
            ask.symbol,
            ask.side,
            ask.kind,
            ask.size,
            close + ask.price if ask.kind in PRICED else close,
            at,
            limit=close + ask.limit if ask.kind in LIMITED else None,
            trail_amount=ask.trail if ask.kind in TRAILED else None,
            trail_percent=ask.percent if ask.kind in TRAILED else None,
            expires_at=None if ask.valid is None else at + timedelta(seconds=30 * ask.valid),
            closes_at=closes if closes >= at else closes + timedelta(days=1),
            **link,
        )
