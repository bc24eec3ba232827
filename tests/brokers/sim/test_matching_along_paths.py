"""A backtest with `intrabar=True` and the matching core on the sandbox's path: the same, told at the same stretch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import groupby
from typing import Any

import backtrader as bt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from order_programs import KINDS, LIMITED, OPEN, PRICED, SLIPPING, STATES, TRAILED, Ask, Step, bars, steps
from tape import Tape as Source

from brokers.sim.account import Account
from brokers.sim.matching import Matching, Terms
from brokers.sim.orders import Happened, Order, Range, State
from brokers.sim.prices import Slippage
from framework.engine import Cerebro
from framework.engine.data import BarData
from framework.model import OrderType, Side
from framework.sandbox.tape import Detail, Tape

LENGTH = 8
CLOSE = time(14, 30 + LENGTH)
NAMES = ("AAA", "BBB")
SENT_AGAIN = tuple(kind for kind in KINDS if kind is not OrderType.MARKET_ON_CLOSE)

Row = tuple[float, float, float, float]


@dataclass(frozen=True)
class Program:
    """`steps` are sent from `next`; `answers` from `notify_order`, one for each order that was filled."""

    bars: dict[str, tuple[Row | None, ...]]
    steps: tuple[Step, ...]
    answers: tuple[Step, ...]
    cash: float
    commission: float
    slippage: float


@st.composite
def programs(draw: st.DrawFn, slips: bool = False) -> Program:
    def row(at: int) -> Any:
        return bars() if at == 0 else bars() | st.none()  # all begin together: `next` waits for the last

    tape = {name: tuple(draw(row(at)) for at in range(LENGTH)) for name in NAMES}
    first, again = (SLIPPING, SLIPPING[:-1]) if slips else (tuple(KINDS), SENT_AGAIN)
    return Program(
        tape,
        tuple(sorted(draw(st.lists(steps(first), min_size=1, max_size=6)), key=lambda each: each.bar)),
        tuple(draw(st.lists(steps(again), max_size=6))),
        draw(st.sampled_from([1_000.0, 3_000.0, 100_000.0])),
        draw(st.sampled_from([0.0, 0.001])),
        draw(st.sampled_from([0.004, 0.02])) if slips else 0.0,
    )


class Desk(ABC):
    """What both sides do with a program: which order is sent when, and at what prices."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.answers = list(program.answers)
        self.asked: list[Ask] = []
        self.told: list[Any] = []

    def act(self, step: Step) -> None:
        if step.cancels is not None:
            self.cancel(step.cancels)
            return
        places = range(len(self.asked), len(self.asked) + len(step.orders))
        self.asked += step.orders
        self.send(list(places), is_bracket=step.is_bracket)

    def tell(self, when: tuple[int, int], place: int, state: State, size: float, price: float) -> None:
        """Note what became of an order, and answer a fill."""
        self.told.append((when, place, state, size, price))
        is_answered = state is State.FILLED and self.asked[place].kind is not OrderType.MARKET_ON_CLOSE
        if is_answered and self.answers:
            self.act(self.answers.pop(0))

    @abstractmethod
    def cancel(self, place: int) -> None: ...

    @abstractmethod
    def send(self, places: list[int], *, is_bracket: bool) -> None: ...


class Player(bt.Strategy):
    """Plays a program on Backtrader."""

    params = (("program", None),)

    def __init__(self) -> None:
        self.desk = InBacktrader(self)

    def notify_order(self, order: Any) -> None:
        if order.status in (order.Submitted, order.Accepted):
            return
        place = next(at for at, each in enumerate(self.desk.made) if each.ref == order.ref)
        bits = list(order.executed.exbits)[-1:] if order.status in (order.Partial, order.Completed) else []
        size, price = (bits[0].size, bits[0].price) if bits else (0.0, 0.0)
        when = self.broker.run.now, self.broker.stretch
        self.desk.tell(when, place, STATES[order.status], size, price)

    def next(self) -> None:
        for step in self.p.program.steps:
            if step.bar == self.broker.run.now:
                self.desk.act(step)


class InBacktrader(Desk):
    def __init__(self, player: Any) -> None:
        super().__init__(player.p.program)
        self.player, self.made = player, list[Any]()

    def cancel(self, place: int) -> None:
        if place < len(self.made):
            self.player.broker.cancel(self.made[place])

    def send(self, places: list[int], *, is_bracket: bool) -> None:
        first: Any = None
        for place in places:
            group: dict[str, Any] = {}
            if is_bracket:
                group = {"parent": first, "transmit": place == places[-1]}
            elif first is not None:
                group = {"oco": first}
            self.made.append(self._sent(self.asked[place], group))
            first = first or self.made[-1]

    def _sent(self, ask: Ask, group: dict[str, Any]) -> Any:
        data = self.player.getdatabyname(ask.symbol)
        close, now = data.close[0], max(each.datetime.datetime(0) for each in self.player.datas)
        send = self.player.buy if ask.side is Side.BUY else self.player.sell
        return send(
            data=data,
            size=ask.size,
            exectype=KINDS[ask.kind],
            price=close + ask.price if ask.kind in PRICED else None,
            plimit=close + ask.limit if ask.kind in LIMITED else None,
            trailamount=ask.trail if ask.kind in TRAILED else None,
            trailpercent=ask.percent if ask.kind in TRAILED else None,
            valid=None if ask.valid is None else now + timedelta(seconds=10 * ask.valid),
            **group,
        )


class OnThePath(Desk):
    """Plays a program on the matching core, over a tape that is played along its path."""

    def __init__(self, program: Program, tape: Tape) -> None:
        super().__init__(program)
        self.tape, self.at, self.ended = tape, tape.starts_at, tape.starts_at
        self.events = deque[Any]()
        self.core = Matching(Account(program.cash, program.commission), Terms(Slippage(fraction=program.slippage)))

    def run(self) -> OnThePath:
        step, stretch = 0, 0
        while (played := self.tape.after(self.at)) is not None and played.ranges:
            self.at = played.at
            ranges = {each.symbol: Range.of(each, is_straight=True) for each in played.ranges}
            self.events += self.core.play(self.at, ranges)
            while self.events:
                self._heard(self.events.popleft(), (step, stretch))
            if stretch == 3:
                self._next(step)
            step, stretch = step + (stretch == 3), (stretch + 1) % 4
        return self

    def _next(self, step: int) -> None:
        self.ended = self.at
        for each in self.program.steps:
            if each.bar == step:
                self.act(each)

    def _heard(self, event: Any, when: tuple[int, int]) -> None:
        place, order = int(event.order), self.core.orders[event.order]
        if event.kind is Happened.FILLED:
            state = State.FILLED if order.filled == order.quantity else State.RESTING
            self.tell(when, place, state, event.quantity * order.side.sign, event.price)
        elif event.kind not in (Happened.ACCEPTED, Happened.ACTIVATED):
            self.tell(when, place, State(event.kind.value), 0.0, 0.0)

    def cancel(self, place: int) -> None:
        self.events += self.core.cancel(str(place), self.at)

    def send(self, places: list[int], *, is_bracket: bool) -> None:
        first = str(places[0])
        links = [{} if place == places[0] else {"parent" if is_bracket else "oco": first} for place in places]
        orders = [self._order(place, **link) for place, link in zip(places, links, strict=True)]
        for group in [orders] if is_bracket else [[each] for each in orders]:
            self.core.submit(group, self.at)

    def _order(self, place: int, **link: str) -> Order:
        ask, bar = self.asked[place], self.tape.last(self.asked[place].symbol, self.ended)
        assert bar is not None
        return Order(
            str(place),
            ask.symbol,
            ask.side,
            ask.kind,
            ask.size,
            bar.close + ask.price if ask.kind in PRICED else bar.close,
            self.at,
            limit=bar.close + ask.limit if ask.kind in LIMITED else None,
            trail_amount=ask.trail if ask.kind in TRAILED else None,
            trail_percent=ask.percent if ask.kind in TRAILED else None,
            expires_at=None if ask.valid is None else self.ended + timedelta(seconds=10 * ask.valid),
            closes_at=datetime.combine(OPEN.date(), CLOSE, UTC),
            **link,
        )


def settled(told: list[Any]) -> list[Any]:
    """Return what was told with the cancels of one moment sorted: Backtrader cancels a group from its end on."""
    parts = groupby(told, key=lambda each: (each[0], each[2] is State.CANCELED))
    return [
        each
        for (_, is_cancel), part in parts
        for each in (sorted(part, key=lambda each: each[1]) if is_cancel else part)
    ]


def outcomes(program: Program) -> tuple[Any, Any]:
    """Return what was told, in order, and the cash and positions at the end: of the backtest, and on the path."""
    source = Source(program.bars)
    cerebro = Cerebro(stdstats=False, intrabar=True)
    for name, columns in source.history().items():
        cerebro.adddata(BarData(dataname=columns, sessionend=CLOSE, timeframe=bt.TimeFrame.Minutes), name=name)
    cerebro.broker.setcash(program.cash)
    cerebro.broker.setcommission(commission=program.commission)
    if program.slippage:
        cerebro.broker.set_slippage_perc(program.slippage)
    cerebro.addstrategy(Player, program=program)
    (player,) = cerebro.run()
    held = [player.broker.getposition(player.getdatabyname(name)) for name in NAMES]
    backtested = (settled(player.desk.told), player.broker.getcash(), [(each.size, each.price) for each in held])
    path = OnThePath(program, Tape(source, detail=Detail.PATH)).run()
    account = path.core.account
    holdings = [account.holding(name) for name in NAMES]
    return backtested, (settled(path.told), account.cash, [(each.size, each.price) for each in holdings])


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(programs())
def test_random_programs_fill_on_the_path_as_in_the_backtest(program: Program) -> None:
    """Random tapes with holes, orders, brackets, groups, cancels and answers to fills: the same to the last bit."""
    backtested, on_the_path = outcomes(program)
    assert on_the_path == backtested


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(programs(slips=True))
def test_slippage_on_the_path_is_the_backtests(program: Program) -> None:
    """With slippage too, but for the orders that slip otherwise on purpose (see brokers.sim.prices)."""
    backtested, on_the_path = outcomes(program)
    assert on_the_path == backtested
