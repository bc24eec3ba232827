"""The I/O side of the bridge, with adapters that are told what to say."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framework.errors import AuthenticationError
from framework.live.bridge import Bridge
from framework.live.clock import VirtualClock
from framework.live.commands import Cancel, Idle, Instant, Submit
from framework.live.heard import Heard
from framework.live.hub import Hub
from framework.live.slices import Slicer
from framework.model import (
    Bar,
    Fill,
    Halt,
    Link,
    OrderGroup,
    OrderRequest,
    OrderStatus,
    OrderType,
    OrderUpdate,
    Side,
    Trade,
)  # fmt: skip
from framework.ports import Session

T0 = datetime(2026, 10, 5, 13, 31, tzinfo=UTC)


class Desk:
    """A venue and its desk: it notes what it is asked for, and answers an order when the test lets it."""

    def __init__(self) -> None:
        self.takes_together = True
        self.asked: list[str] = []
        self.prices: list[Bar | Trade] = []
        self.let: dict[str, asyncio.Event] = {}

    def open(self, session: Session, emit: Callable[[Any], None]) -> "Desk":
        self.emit = emit
        return self

    async def listen(self) -> None:
        self.emit(Link("trade_updates", True, T0))
        await asyncio.Event().wait()

    async def submit(self, group: OrderGroup) -> None:
        name = group.orders[0].client_order_id
        self.asked.append(name)
        if name in self.let:
            await self.let[name].wait()

    async def cancel(self, client_order_id: str) -> None:
        self.asked.append(f"cancel {client_order_id}")

    def price(self, news: Bar | Trade) -> None:
        self.prices.append(news)


class Source:
    """A source that comes up, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def listen(self, session: Session, emit: Callable[[Any], None], since: Any) -> None:
        if self.error:
            raise self.error
        emit(Link("data", True, T0))
        await asyncio.Event().wait()


def on_hub(steps: Callable[[Hub, Desk, VirtualClock], Awaitable[Any]], *, gathers: bool = False) -> Any:
    """Run steps on a hub whose bridge is read afterwards."""

    async def whole() -> Any:
        clock, desk, bridge = VirtualClock(T0), Desk(), Bridge()
        session = Session("s", clock, None, None, Heard(clock))  # type: ignore[arg-type]
        hub = Hub(bridge, session, desk, Slicer(["SPY", "IBM"]), gathers=gathers)  # type: ignore[arg-type]
        try:
            return await steps(hub, desk, clock)
        finally:
            await hub.end()

    return asyncio.run(whole())


def news(hub: Hub) -> list[Any]:
    found = []
    while (each := hub.bridge.wait(0)) is not None:
        found.append(each)
    return found


def bar(symbol: str, minute: int = 0) -> Bar:
    return Bar(symbol, T0 + timedelta(minutes=minute), 10, 11, 9, 10.5, 100)


def order(name: str, symbol: str = "SPY", side: Side = Side.BUY, position: float = 0.0) -> Submit:
    return Submit(OrderGroup((OrderRequest(name, symbol, side, OrderType.MARKET, 10),), position=position))


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_bars_of_an_instant_go_together() -> None:
    """The engine gets one instant when its last symbol has come."""

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[Any]:
        hub.emit(bar("SPY"))
        early = news(hub)
        hub.emit(bar("IBM"))
        return [early, news(hub), desk.prices]

    assert on_hub(steps) == [
        [], [Instant(T0, (bar("SPY"), bar("IBM")))], [bar("SPY"), bar("IBM")],
    ]  # fmt: skip


def test_a_symbol_without_a_bar_costs_the_grace_period_and_comes_late() -> None:
    """The instant goes after a quarter of a second; the bar that comes later has one of its own, and is counted."""

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[Any]:
        hub.emit(bar("SPY"))
        await clock.advance(0.24)
        early = news(hub)
        await clock.advance(0.02)
        on_time = news(hub)
        hub.emit(bar("IBM"))
        return [early, on_time, news(hub)]

    assert on_hub(steps) == [
        [], [Instant(T0, (bar("SPY"),))], [Instant(T0, (bar("IBM"),), is_late=True)],
    ]  # fmt: skip


def test_order_news_do_not_wait_for_bars() -> None:
    """In real time a fill is told when it comes."""
    update = OrderUpdate("a", "v", OrderStatus.NEW, T0)

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[Any]:
        hub.emit(bar("SPY"))
        hub.emit(update)
        return news(hub)

    assert on_hub(steps) == [update]


def test_orders_of_one_symbol_go_one_after_another_and_a_lost_answer_holds_none_up_for_ever() -> None:
    """The second waits for the first one's answer, a second at most; another symbol's waits for nothing."""

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[Any]:
        desk.let["first"] = asyncio.Event()
        for command in (order("first"), order("second"), order("other", "IBM"), Cancel("first")):
            hub.obey(command)
        await turns()
        at_once = list(desk.asked)
        await clock.advance(1.1)
        await turns()
        return [at_once, desk.asked]

    assert on_hub(steps) == [["first", "other", "cancel first"], ["first", "other", "cancel first", "second"]]


def test_an_exit_waits_a_tenth_as_long() -> None:
    """What makes a position smaller is not held up by an entry without an answer."""

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[str]:
        desk.let["entry"] = asyncio.Event()
        hub.obey(order("entry"))
        hub.obey(order("exit", side=Side.SELL, position=10))
        await clock.advance(0.11)
        await turns()
        return desk.asked

    assert on_hub(steps) == ["entry", "exit"]


def test_a_close_waits_for_the_stop_that_was_cancelled_before_it() -> None:
    """The venue holds the shares for the stop until it has ended: only then does the close go."""

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[Any]:
        hub.obey(order("stop", side=Side.SELL, position=10))
        await turns()
        hub.obey(Cancel("stop"))
        hub.obey(order("close", side=Side.SELL, position=10))
        hub.obey(order("other", "IBM"))
        await turns()
        at_once = list(desk.asked)
        hub.emit(OrderUpdate("stop", "v", OrderStatus.CANCELED, T0))
        await turns()
        return [at_once, desk.asked[-1]]

    assert on_hub(steps) == [["stop", "cancel stop", "other"], "close"]


def test_a_close_whose_stop_filled_instead_is_not_sent() -> None:
    """It would open a position on the other side: it is rejected, and told why."""
    fill = Fill("e", 10, 9.5, T0)

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[Any]:
        hub.obey(order("stop", side=Side.SELL, position=10))
        await turns()
        hub.obey(Cancel("stop"))
        hub.obey(order("close", side=Side.SELL, position=10))
        hub.emit(OrderUpdate("stop", "v", OrderStatus.FILLED, T0, fill))
        await turns()
        return [desk.asked, [(each.client_order_id, each.status, each.reason) for each in news(hub)][1:]]

    asked, ((name, status, reason),) = on_hub(steps)
    assert asked == ["stop", "cancel stop"]
    assert (name, status) == ("close", OrderStatus.REJECTED)
    assert "has filled 10 instead" in reason


def test_a_cancel_without_an_end_does_not_hold_an_exit_up_for_ever() -> None:
    """After three seconds it goes all the same, and the venue judges."""

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[Any]:
        hub.obey(order("stop", side=Side.SELL, position=10))
        await turns()
        hub.obey(Cancel("stop"))
        hub.obey(order("close", side=Side.SELL, position=10))
        await clock.advance(3.01)
        await turns()
        return desk.asked

    assert on_hub(steps) == ["stop", "cancel stop", "close"]


def test_what_ends_an_adapter_ends_the_session() -> None:
    """Whoever waits for the stream hears why it will not come, and so does the engine."""
    error = AuthenticationError("Alpaca", "wrong key")

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> None:
        await hub.trade()
        with pytest.raises(AuthenticationError, match="wrong key"):
            await hub.listen(Source(error), {})  # type: ignore[arg-type]
        hub.bridge.wait(0)
        with pytest.raises(AuthenticationError, match="wrong key"):
            hub.bridge.wait(0)

    on_hub(steps)


def test_lock_step_keeps_bars_and_orders_until_they_are_asked_for() -> None:
    """Everything of an instant goes to the engine at one time; links and remarks do not wait."""
    update = OrderUpdate("a", "v", OrderStatus.NEW, T0)

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[Any]:
        await hub.trade()
        await hub.listen(Source(), {})  # type: ignore[arg-type]
        hub.emit(bar("SPY"))
        hub.emit(update)
        return [[each.stream for each in news(hub)], hub.gathered(), hub.gathered()]

    assert on_hub(steps, gathers=True) == [["trade_updates", "data"], [bar("SPY"), update], []]


def test_idle_is_when_the_engine_has_dealt_with_all_and_every_answer_is_there() -> None:
    """Nothing is played while an order is on its way or the engine is at work."""

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[bool]:
        desk.let["slow"] = asyncio.Event()
        hub.bridge.post("bar")
        idle = asyncio.ensure_future(hub.until_idle())
        await turns()
        seen = [idle.done()]
        hub.obey(order("slow"))
        hub.obey(Idle(1))
        await turns()
        seen.append(idle.done())
        desk.let["slow"].set()
        await turns()
        return [*seen, idle.done()]

    assert on_hub(steps, gathers=True) == [False, False, True]


def test_an_instant_goes_without_a_symbol_that_is_halted() -> None:
    """At once, when the halt is told, and from then on; the engine hears of it first."""

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[Any]:
        hub.emit(bar("SPY"))
        assert news(hub) == []
        hub.emit(Halt("IBM", T0 - timedelta(minutes=1), True, "T1"))
        first = news(hub)
        hub.emit(bar("SPY", 1))
        hub.emit(Halt("IBM", T0, False))
        hub.emit(bar("SPY", 2))
        return [*first, *news(hub)]

    told = on_hub(steps)
    assert [each.bars[0].symbol if isinstance(each, Instant) else each.is_halted for each in told] == [
        True, "SPY", "SPY", False
    ]  # fmt: skip


def test_an_exit_asked_for_before_its_stop_was_heard_to_fill_is_not_sent() -> None:
    """The fill was on its way to the engine, which closed what it thought that it held: it would be short."""
    fill = Fill("e", 10, 9.5, T0)

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[Any]:
        hub.bridge.attach(asyncio.get_running_loop(), hub.obey)
        hub.obey(order("stop", side=Side.SELL, position=10))
        hub.emit(OrderUpdate("stop", "v", OrderStatus.FILLED, T0, fill))
        hub.bridge.send(Cancel("stop"), order("close", side=Side.SELL, position=10))
        await turns()
        unheard = list(desk.asked)
        news(hub)
        hub.bridge.send(order("after", side=Side.SELL, position=10))
        await turns()
        return [unheard, desk.asked[len(unheard) :]]

    assert on_hub(steps) == [["stop", "cancel stop"], ["after"]]


def test_an_exit_that_closes_what_is_left_goes_although_a_fill_is_on_its_way() -> None:
    """Ten of twenty were sold meanwhile: ten more close the rest."""
    fill = Fill("e", 10, 9.5, T0)

    async def steps(hub: Hub, desk: Desk, clock: VirtualClock) -> list[Any]:
        hub.obey(order("first", side=Side.SELL, position=20))
        hub.emit(OrderUpdate("first", "v", OrderStatus.FILLED, T0, fill))
        hub.obey(order("second", side=Side.SELL, position=20))
        await turns()
        return desk.asked

    assert on_hub(steps) == ["first", "second"]
