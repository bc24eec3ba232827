"""A list of orders that leaves together: exits first, one symbol's side by side, in its minute, over a warm pool."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.live.bridge import Bridge
from framework.live.budget import Budget
from framework.live.clock import VirtualClock, WallClock
from framework.live.commands import Submit
from framework.live.heard import Heard
from framework.live.hub import Hub
from framework.live.lanes import exits_first
from framework.live.slices import Slicer
from framework.live.transport import AioHttp
from framework.live.window import Window
from framework.model import GroupKind, OrderGroup, OrderRequest, OrderType, Side
from framework.ports import Session
from framework.wire import HttpRequest, Priority

T0 = datetime(2026, 10, 5, 13, 31, tzinfo=UTC)
BUY, SELL = Side.BUY, Side.SELL


class Desk:
    """A desk that sends as a budget lets it, and answers when it is told to."""

    def __init__(self, budget: Budget | None = None, *, takes_together: bool = True) -> None:
        self.budget, self.sent, self.answers = budget, list[str](), asyncio.Event()
        self.takes_together = takes_together

    def open(self, session: Session, emit: Any) -> "Desk":
        return self

    async def submit(self, group: OrderGroup) -> None:
        name = group.orders[0].client_order_id
        if self.budget is None:
            self.sent.append(name)
            await self.answers.wait()
            return
        async with self.budget.turn(Priority.EXIT if group.is_exit else Priority.ENTRY):
            self.sent.append(name)


def group(name: str, symbol: str = "SPY", side: Side = BUY, *, position: float = 0.0, count: int = 1) -> OrderGroup:
    orders = tuple(OrderRequest(f"{name}{'+' * each}", symbol, side, OrderType.MARKET, 10) for each in range(count))
    return OrderGroup(orders, GroupKind.LIST if count == 1 else GroupKind.BRACKET, position)


def left(
    *batches: Sequence[OrderGroup], gathers: bool = False, limit: int | None = None, takes_together: bool = True
) -> list[str]:
    """Send batches; return what has left before anything is answered, or before time passes."""

    async def whole() -> list[str]:
        clock, bridge = VirtualClock(T0), Bridge()
        budget = None if limit is None else Budget(clock, Window(limit, reserve=0))
        desk = Desk(budget, takes_together=takes_together)
        session = Session("s", clock, None, None, Heard(clock))  # type: ignore[arg-type]
        hub = Hub(bridge, session, desk, Slicer([]), gathers=gathers)  # type: ignore[arg-type]
        bridge.attach(asyncio.get_running_loop(), hub.obey)
        for each in batches:
            bridge.send(*map(Submit, each))
        for _ in range(40):
            await asyncio.sleep(0)
        await hub.end()
        return desk.sent

    return asyncio.run(whole())


def test_entries_of_one_symbol_that_leave_together_do_not_wait_for_each_other() -> None:
    """Thirty symbols or one, a list of orders is on its way at once, in its order."""
    names = [f"order{each}" for each in range(25)]
    assert left([group(each) for each in names]) == names


@pytest.mark.parametrize(
    "batches",
    [
        [[group("first")], [group("second")]],
        [[group("first"), group("second", side=SELL)]],
        [[group("first", count=3), group("second")]],
        [[group("first"), group("second", count=3)]],
        [[group("first", side=SELL, position=20), group("second", side=SELL, position=20)]],
        [[group("first", side=BUY, position=-5), group("second", side=BUY, position=-5)]],
    ],
    ids=["asked later", "other side", "after a bracket", "a bracket", "exits", "turning round"],
)
def test_whatever_else_is_for_one_symbol_goes_one_after_another(batches: Sequence[Sequence[OrderGroup]]) -> None:
    """What may have been decided on for what was asked before, or may be refused beside it, waits for its answer."""
    assert left(*batches) == ["first"]


def test_a_venue_that_nets_trades_takes_one_after_another() -> None:
    """Where an order becomes trades by what the one before has left, none goes before that is answered."""
    assert left([group("first"), group("second")], takes_together=False) == ["first"]


def test_what_follows_a_party_waits_for_all_of_it() -> None:
    """An exit of the same breath goes after both entries, not after the last of them alone."""

    async def whole() -> list[str]:
        clock, bridge, answers = VirtualClock(T0), Bridge(), dict[str, asyncio.Event]()

        class Held(Desk):
            async def submit(self, group: OrderGroup) -> None:
                self.sent.append(name := group.orders[0].client_order_id)
                await answers.setdefault(name, asyncio.Event()).wait()

        desk = Held()
        session = Session("s", clock, None, None, Heard(clock))  # type: ignore[arg-type]
        hub = Hub(bridge, session, desk, Slicer([]))  # type: ignore[arg-type]
        bridge.attach(asyncio.get_running_loop(), hub.obey)
        bridge.send(*map(Submit, (group("one"), group("two"), group("other side", side=SELL))))
        told = []
        for name in ("two", "one"):
            await clock.advance(0.01)
            told.append(list(desk.sent))
            answers[name].set()
        await clock.advance(0.01)
        await hub.end()
        return [*map(len, told), *desk.sent]  # type: ignore[list-item]

    assert asyncio.run(whole()) == [2, 2, "one", "two", "other side"]


def test_in_lock_step_everything_goes_one_after_another() -> None:
    """A session with a sandbox comes out alike each time."""
    assert left([group("first"), group("second", "IBM")], gathers=True) == ["first"]


def test_exits_leave_before_the_entries_of_their_list_where_requests_are_short() -> None:
    """Three requests are left: the two exits go although three entries were asked for before them."""
    entries = [group(f"entry{each}", f"E{each}") for each in range(3)]
    exits = [group(f"exit{each}", f"X{each}", SELL, position=10) for each in range(2)]
    sorted_ = [each for each, _ in exits_first((each, None) for each in (*entries, *exits))]
    assert left(sorted_, limit=3) == ["exit0", "exit1", "entry0"]


made = st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(Side), st.sampled_from([-20.0, 0.0, 20.0])))


@given(made)
def test_exits_first_keeps_the_order_of_each_symbol(asked: list[tuple[str, Side, float]]) -> None:
    """All leave once, one symbol's as they were asked for, and before an exit only exits or what its symbol did."""
    groups = [group(str(at), symbol, side, position=held) for at, (symbol, side, held) in enumerate(asked)]
    found = [each for each, _ in exits_first((each, None) for each in groups)]
    for symbol in "ABC":
        same = [each for each in groups if each.orders[0].symbol == symbol]
        assert [each for each in found if each.orders[0].symbol == symbol] == same
    entries = [at for at, each in enumerate(found) if not each.is_exit]
    for each in found[entries[0] :] if entries else []:
        earlier = groups[: groups.index(each)]
        mates = [other for other in earlier if other.orders[0].symbol == each.orders[0].symbol]
        assert not each.is_exit or any(not other.is_exit for other in mates)


def test_a_session_that_ends_waits_for_all_that_was_sent() -> None:
    """Commands are begun some at a time; what is still to be begun when the end comes is not forgotten."""

    async def whole() -> int:
        clock, bridge, desk = VirtualClock(T0), Bridge(), Desk()
        desk.answers.set()
        session = Session("s", clock, None, None, Heard(clock))  # type: ignore[arg-type]
        hub = Hub(bridge, session, desk, Slicer([]))  # type: ignore[arg-type]
        bridge.attach(asyncio.get_running_loop(), hub.obey)
        bridge.send(*(Submit(group(str(each), f"S{each}")) for each in range(190)))
        await hub.settle()
        await hub.end()
        return len(desk.sent)

    assert asyncio.run(whole()) == 190


def test_a_minute_is_any_minute_and_not_the_refills() -> None:
    """A window that is filled anew each minute lets 190 go at its end and 190 after it: 380 in two seconds, and 429s.

    That is the original's `rate_replenisher`. Here the places come back one by one.
    """
    window, gone = Window(190, at_once=1_000, reserve=0), []
    for now in (59.0, 61.0, 118.9, 119.2):
        while window.may(Priority.ENTRY, now):
            window.take()
            window.end(now)
            gone.append(now)
    assert (gone.count(59.0), gone.count(61.0), gone.count(118.9), gone.count(119.2)) == (190, 0, 0, 190)


def test_a_second_burst_opens_no_connection() -> None:
    """The pool is warm: what was opened for the first burst serves the second."""

    async def whole() -> list[int]:
        opened = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal opened
            opened += 1
            while await reader.readline():
                while (await reader.readline()).strip():
                    pass
                await asyncio.sleep(0.01)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        found = []
        async with server, AioHttp("Loop", WallClock(), connections=20) as http:
            for _ in range(2):
                await asyncio.gather(*(http.send(_one(url)) for _ in range(40)))
                found.append(opened)
        return found

    assert asyncio.run(whole()) == [20, 20]


def _one(url: str) -> Any:
    return (yield HttpRequest("POST", url, json=None))
