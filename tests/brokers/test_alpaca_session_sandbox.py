"""A session on a bad line, over real sockets: POSTs, the stream, look-ups; then everybody agrees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from asked import fills, statuses
from desk import Desk, spy
from sandbox_client import Socket, opened

from brokers.alpaca.chain import Told
from brokers.alpaca.exchanges import inquire
from brokers.alpaca.following import Reports
from brokers.alpaca.settings import Settings
from framework.app.sandbox import Sandbox
from framework.errors import ProtocolError
from framework.model import GroupKind, OrderRequest, OrderStatus

S = OrderStatus


class Live:
    """A desk that listens: what it was told of its orders."""

    def __init__(self, desk: Desk, socket: Socket) -> None:
        self.desk, self.socket, self.reports = desk, socket, Reports()
        self.told: list[Told] = []
        self.heard = 0

    def submit(self, *orders: OrderRequest, kind: GroupKind = GroupKind.LIST) -> None:
        post = self.desk.post(*orders, kind=kind)
        self.reports.expect(post, self.desk.now)
        answer = self.desk.taken(*orders, kind=kind)
        self.listen()  # events that are there before the answer is read
        self.told += self.reports.see(answer.order, self.desk.now)

    def play(self, count: int = 1) -> None:
        for _ in range(count):
            self.desk.sandbox.step()
            self.listen()

    def listen(self) -> None:
        """Read what has been sent so far."""
        sent = self.desk.sandbox.state()["sent"].get("trade_updates", 0)
        while self.heard < sent:
            self.heard += 1
            self.told += self.reports.hear(self.socket.hear()["data"], self.desk.now)

    def inquire(self) -> None:
        """Look up whatever is open, until nothing new comes of it."""
        for _ in range(4):
            for each in self.reports.inquiries(self.desk.now.replace(year=2027)):
                found = self.desk.send(inquire(self.desk.endpoint, each))
                self.told += self.reports.see(found, self.desk.now)

    def size(self, name: str) -> float:
        return self.reports.filled(name)[0]


@pytest.fixture
def live() -> Iterator[Live]:
    with Sandbox() as sandbox, Desk(sandbox) as desk, opened(sandbox) as socket:
        yield Live(desk, socket)


def bracket(profit: float = 5000.0, loss: float = 1.5) -> tuple[OrderRequest, ...]:
    return (
        spy("run-1-1"),
        spy("run-1-2", "sell", stop_price=loss),
        spy("run-1-3", "sell", limit_price=profit),
    )


def ends(told: Iterable[Told], name: str) -> list[OrderStatus]:
    return [each for each in statuses(told, name) if each.is_final]


def test_an_order_from_its_post_to_its_fill(live: Live) -> None:
    """Pending, new, filled: each once, in this order, with one fill."""
    live.submit(spy())
    live.play()
    assert [each for each in statuses(live.told) if each is not S.PENDING_NEW] == [S.NEW, S.FILLED]
    assert [size for size, _ in fills(live.told)] == [10]


@pytest.mark.parametrize("fault", ["duplicate", "reordered", "null_data", "event_first"])
def test_what_is_told_badly_is_understood(live: Live, fault: str) -> None:
    """Twice, in the wrong order, about nothing, or before the answer: the same two things come of it."""
    live.desk.sandbox.fault(fault, count=0)
    live.submit(spy())
    live.play()
    assert ends(live.told, "run-1-1") == [S.FILLED]
    assert [size for size, _ in fills(live.told)] == [10]
    assert statuses(live.told).count(S.NEW) == 1


def test_a_fill_that_is_never_told_is_found(live: Live) -> None:
    """A look at the order says what the stream did not."""
    live.desk.sandbox.fault("missing", count=0)
    live.submit(spy())
    live.play()
    assert live.size("run-1-1") == 0
    live.inquire()
    assert (live.size("run-1-1"), ends(live.told, "run-1-1")) == (10, [S.FILLED])


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_take_profit_ends_its_stop_told_or_not(live: Live, is_silent: bool) -> None:
    """silent_sibling: the end of the held stop is not streamed, and is known all the same."""
    if is_silent:
        live.desk.sandbox.fault("silent_sibling")
    live.submit(*bracket(profit=price(live) + 0.05), kind=GroupKind.BRACKET)
    live.play(60)
    assert ends(live.told, "run-1-3") == [S.FILLED]
    assert ends(live.told, "run-1-2") == [S.CANCELED]


def price(live: Live) -> float:
    """Return about what SPY costs."""
    live.desk.sandbox.step()
    (each,) = live.desk.rest.get("/v2/stocks/bars/latest", symbols="SPY", feed="iex")["bars"].values()
    return round(float(each["c"]), 2)


def test_a_leg_that_moves_without_a_word_is_followed(live: Live) -> None:
    """The held stop goes on under another id: look-ups find it, and its cancel is ours."""
    live.desk.sandbox.fault("moved_leg")
    live.submit(*bracket(), kind=GroupKind.BRACKET)
    before = live.reports.venue_order_id("run-1-2")
    live.play()
    live.inquire()
    moved = live.reports.venue_order_id("run-1-2")
    assert moved != before
    assert live.desk.rest.get(f"/v2/orders/{moved}")["replaces"] == before
    assert ends(live.told, "run-1-2") == []


FAULTS = ("duplicate", "missing", "reordered", "null_data", "silent_sibling", "moved_leg", "event_first")


@pytest.mark.parametrize("seed", range(10))
def test_after_a_storm_the_books_agree(seed: int) -> None:
    """Partial fills, brackets, and three messages of ten go wrong: fills, ends and positions are the venue's."""
    settings = Settings(partial=0.5)
    with Sandbox(settings=settings, seed=seed) as sandbox, Desk(sandbox) as desk, opened(sandbox) as socket:
        live = Live(desk, socket)
        at = price(live)
        sandbox.random_faults(seed, 0.3, *FAULTS)
        entries = bracket(at + 0.1, at - 0.1)
        live.submit(*entries, kind=GroupKind.BRACKET)
        live.submit(spy("run-1-4", quantity=7, symbol="IBM"))
        live.play(15)
        sandbox.random_faults(seed, 0.0, *FAULTS)
        live.inquire()
        assert not [each for each in live.told if isinstance(each, ProtocolError)]
        for each in (*entries, spy("run-1-4")):
            check(live, each.client_order_id)
        held = {each["symbol"]: float(each["qty"]) for each in desk.rest.get("/v2/positions")}
        mine = live.size("run-1-1") - live.size("run-1-2") - live.size("run-1-3")
        assert (held.get("SPY", 0.0), held["IBM"]) == (mine, live.size("run-1-4"))


def check(live: Live, name: str) -> None:
    shown: Any = live.desk.rest.get(f"/v2/orders/{live.reports.venue_order_id(name)}")
    size, value = live.reports.filled(name)
    assert size == float(shown["filled_qty"])
    assert abs(value - size * float(shown["filled_avg_price"] or 0)) < 0.01
    final = S(shown["status"]) if shown["status"] in {each.value for each in S if each.is_final} else None
    assert ends(live.told, name) == ([] if final is None else [final])
