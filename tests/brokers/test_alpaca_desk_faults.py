"""The desk on a bad line: each fault of the sandbox, end to end; then the book and the owner agree."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from desk_session import Trader
from desk_tape import bracket, market, spy, trading

from brokers.alpaca.sending import ABSENT
from framework.errors import AuthenticationError, ConnectionLost
from framework.live.clock import VenueClock, WallClock
from framework.model import GroupKind, OrderStatus
from framework.wire import Exchange, HttpResponse, Priority

S = OrderStatus
POST = {"method": "POST"}
ENTRY, STOP, LIMIT = "run-1-1", "run-1-2", "run-1-3"


@pytest.fixture
def trader() -> Iterator[Trader]:
    with trading(*[100.0] * 8) as trader:
        yield trader


def fault(trader: Trader, name: str, **more: Any) -> None:
    trader.sandbox.fault(name, **more)


def is_done(trader: Trader, made: int = 1) -> None:
    """Hold an order for ten at market against the book: one POST, new, filled, ten."""
    assert (trader.statuses(), trader.filled(), trader.made) == ([S.NEW, S.FILLED], 10, made)
    trader.check()


# What goes wrong with a request


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("event_first", {}),
        ("gateway_timeout", {"match": POST}),
        ("stall", {"match": POST, "seconds": 1.0}),
        ("stall_early", {"match": POST, "seconds": 1.0}),
        ("cut_answer", {"match": POST}),
        ("bad_gateway", {"match": POST}),
        ("bad_gateway", {"match": {"method": "GET"}}),
        ("cut_answer", {"match": {"method": "GET"}}),
    ],
)
def test_an_order_whose_request_goes_wrong_is_one_order(trader: Trader, name: str, more: Any) -> None:
    """Taken once, whatever became of its answer."""
    fault(trader, name, **more)
    trader.submit(spy())
    trader.play()
    is_done(trader)


def test_an_order_that_two_gateways_swallowed_is_rejected_after_a_look(trader: Trader) -> None:
    """It was sent twice at most, and is not there: its owner is told, and it is never sent again."""
    fault(trader, "bad_gateway", count=2, match=POST)
    trader.submit(spy())
    trader.play(3)
    assert (trader.statuses(), trader.made) == ([S.REJECTED], 0)
    assert "it never reached Alpaca" in trader.last().reason
    assert ABSENT == 2


def test_an_order_without_any_answer_is_looked_up_for_as_long_as_it_takes(trader: Trader) -> None:
    """The POST was taken, and then no look-up comes through for a while; nothing is sent again."""
    fault(trader, "cut_answer", match=POST)
    fault(trader, "bad_gateway", count=12, match={"path": "/v2/orders:by_client_order_id"})
    trader.submit(spy())
    trader.play()
    is_done(trader)
    assert any("it is being looked up" in each for each in trader.remarks)


def test_an_order_over_the_rate_limit_is_rejected_and_not_sent_later(trader: Trader) -> None:
    """An entry that comes late is another trade."""
    fault(trader, "rate_limited", match=POST)
    trader.submit(spy())
    trader.play(2)
    assert (trader.statuses(), trader.made) == ([S.REJECTED], 0)
    assert "rate limit exceeded" in trader.last().reason


class Limited:
    """A transport whose first POST is over the limit, for so many seconds."""

    def __init__(self, http: Any, wait: int = 0) -> None:
        self.http, self.wait, self.seen = http, wait, list[tuple[str, Priority]]()

    async def send(self, exchange: Exchange[Any]) -> Any:
        def watched() -> Exchange[Any]:
            request = next(exchange)
            while True:
                is_first = request.method == "POST" and "POST" not in [each for each, _ in self.seen]
                self.seen.append((request.method, request.urgency))
                try:
                    answer = HttpResponse(429, {"retry-after": str(self.wait)}, b"{}") if is_first else (yield request)
                except ConnectionLost as lost:
                    request = exchange.throw(lost)
                else:
                    try:
                        request = exchange.send(answer)
                    except StopIteration as end:
                        return end.value

        return await self.http.send(watched())


def test_an_exit_over_the_rate_limit_goes_as_soon_as_it_may() -> None:
    """It is known that nothing was taken; an exit must not be lost, and goes before all else."""
    seen: list[Limited] = []

    def limited(http: Any) -> Limited:
        seen.append(Limited(http))
        return seen[0]

    with market(*[100.0] * 4) as sandbox, Trader(sandbox) as first:
        first.listen().submit(spy("run-1-9"))
        first.play()
        first.stop()
        with Trader(sandbox, wrapped=limited) as trader:
            trader.listen().submit(spy("run-1-1", "sell"), position=10)
            trader.play()
            assert (trader.statuses(), trader.made) == ([S.NEW, S.FILLED], 2)
    posts = [urgency for method, urgency in seen[0].seen if method == "POST"]
    looks = {urgency for method, urgency in seen[0].seen if method == "GET"}
    assert (posts, looks) == ([Priority.EXIT, Priority.EXIT], {Priority.LOOK_UP})


class Waiting(VenueClock):
    """A clock that lets a test do something in place of a wait of 77 seconds."""

    meanwhile: Any = None

    async def sleep(self, seconds: float) -> None:
        if self.meanwhile is not None and seconds == 77:
            await self.meanwhile()
        else:
            await super().sleep(seconds)


def test_an_exit_that_is_cancelled_while_it_waits_for_the_limit_is_not_sent() -> None:
    """The venue asked to wait for a while; the order ends here."""
    with market(*[100.0] * 4) as sandbox:
        clock = Waiting(sandbox.market.now(), None, WallClock())
        with Trader(sandbox, clock=clock, wrapped=lambda http: Limited(http, 77)) as trader:
            trader.listen()
            clock.meanwhile = lambda: trader.desk.cancel("run-1-1")
            trader.submit(spy("run-1-1", "sell"), position=10)
            assert (trader.statuses(), trader.made) == ([S.CANCELED], 0)
            assert any("the order waits, and goes then" in each for each in trader.remarks)


def test_an_order_that_the_venue_rejects_after_taking_it_is_rejected_once(trader: Trader) -> None:
    """By the stream."""
    fault(trader, "rejected")
    trader.submit(spy())
    trader.play()
    assert (trader.last().status, trader.filled()) == (S.REJECTED, 0)
    trader.check()


@pytest.mark.parametrize("name", ["bad_gateway", "cut_answer", "gateway_timeout"])
def test_a_cancel_whose_request_goes_wrong_is_asked_again(name: str) -> None:
    """A cancel twice does no more than once."""
    with trading(*[100.0] * 3) as trader:
        trader.submit(spy(limit_price=90.0))
        fault(trader, name, match={"method": "DELETE"})
        trader.cancel("run-1-1")
        assert trader.statuses() == [S.NEW, S.CANCELED]
        trader.check()


def test_a_cancel_that_is_not_carried_out_is_told_and_the_order_lives(trader: Trader) -> None:
    """Answered 204, then taken back by the stream; a second one is carried out."""
    fault(trader, "cancel_rejected")
    trader.submit(spy(limit_price=90.0))
    trader.cancel("run-1-1")
    assert (trader.last().status, trader.last().reason) == (S.NEW, "order cancel rejected")
    trader.cancel("run-1-1")
    assert trader.last().status is S.CANCELED
    trader.check()


@pytest.mark.parametrize("name", ["cut_answer", "gateway_timeout", "bad_gateway"])
def test_a_change_whose_answer_is_lost_is_looked_up(trader: Trader, name: str) -> None:
    """It is there, or was sent again because it was not."""
    trader.submit(spy(limit_price=90.0))
    fault(trader, name, match={"method": "PATCH"})
    trader.replace("run-1-1", spy("run-1-1.1", limit_price=95.0))
    assert (trader.shown("run-1-1")["limit_price"], trader.last().status) == ("95", S.NEW)
    assert len(trader.rest.get("/v2/orders", status="all")) == 2


# What goes wrong with the stream


@pytest.mark.parametrize("name", ["duplicate", "reordered", "null_data"])
@pytest.mark.parametrize("count", [1, 0])
def test_what_is_told_badly_is_told_well(trader: Trader, name: str, count: int) -> None:
    """Twice, in the wrong order, or about nothing: each thing once, in its order."""
    fault(trader, name, count=count)
    trader.submit(spy())
    trader.play()
    is_done(trader)


@pytest.mark.parametrize("name", ["missing", "mute"])
def test_a_fill_that_is_never_told_is_found_by_a_look(trader: Trader, name: str) -> None:
    """An order of which nothing is heard for a quarter of a minute is looked up."""
    trader.submit(spy())
    fault(trader, name, stream="trade_updates", match={"event": "fill"})
    trader.play()
    assert trader.statuses() == [S.NEW]
    trader.pass_until(trader.clock.now() + timedelta(seconds=16))
    is_done(trader)


def test_what_comes_late_is_told_when_it_comes(trader: Trader) -> None:
    """Held back while others pass."""
    trader.submit(spy())
    fault(trader, "late", seconds=0.05, match={"event": "fill"})
    trader.play()
    trader.until(lambda: trader.filled() == 10)
    is_done(trader)


def test_a_slow_stream_is_waited_for(trader: Trader) -> None:
    """Each message is held back; nothing else waits for it."""
    fault(trader, "slow", count=0, seconds=0.02)
    trader.submit(spy())
    trader.play()
    is_done(trader)


@pytest.mark.parametrize("name", ["drop", "half_closed"])
def test_a_line_that_breaks_is_told_and_what_was_missed_is_told_before_it_is_up(trader: Trader, name: str) -> None:
    """Down once, the fill, then up: the book is asked for what the stream did not say."""
    trader.submit(spy())
    fault(trader, name, stream="trade_updates")
    trader.sandbox.step()
    trader.clock.set(trader.sandbox.market.now())
    if name == "half_closed":  # the account's one place is taken until the venue notices, too
        trader.until(lambda: trader.links == [True, False])
        trader.sandbox.hang_up("trade_updates")
    trader.until(lambda: trader.links == [True, False, True])
    trader.settle()
    is_done(trader)
    kinds = [type(each).__name__ for each in trader.told if type(each).__name__ != "Remark"]
    assert kinds[-2:] == ["OrderUpdate", "Link"]


def test_a_place_that_stays_taken_is_waited_for(trader: Trader) -> None:
    """The old connection holds the account's one slot for a while: one Link down, then up."""
    fault(trader, "zombie", stream="trade_updates", seconds=0.1)
    fault(trader, "drop", stream="trade_updates")
    trader.submit(spy())
    trader.until(lambda: trader.links == [True, False, True])
    trader.play()
    is_done(trader)


def test_a_book_that_cannot_be_asked_keeps_the_link_down_until_it_can(trader: Trader) -> None:
    """Asked again and again, and the stream is heard all the while."""
    fault(trader, "bad_gateway", count=20, match={"method": "GET"})
    trader.sandbox.hang_up("trade_updates")
    trader.until(lambda: trader.links == [True, False, True])
    trader.submit(spy())
    trader.play()
    is_done(trader)


def test_keys_that_are_taken_back_end_the_session(trader: Trader) -> None:
    """No waiting cures that."""
    trader.sandbox.market.secret = "another"
    trader.sandbox.hang_up("trade_updates")
    with pytest.raises(AuthenticationError):
        trader.until(lambda: trader.links == [True, False, True])


def test_no_secret_is_written_down(trader: Trader, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a log at its wordiest nor in what is told, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    for name in ("gateway_timeout", "bad_gateway", "drop", "rejected"):
        fault(trader, name)
    trader.submit(spy())
    trader.until(lambda: trader.links[-1])
    trader.play()
    assert "switchback" in caplog.text
    assert trader.sandbox.secret not in caplog.text + str(trader.told)


# What goes wrong with a bracket


def test_a_stop_whose_end_is_not_told_is_known_to_have_ended() -> None:
    """silent_sibling: the take-profit has filled."""
    with trading(100.0, 100.0, 100.0, 111.0) as trader:
        fault(trader, "silent_sibling")
        trader.submit(*bracket(), kind=GroupKind.BRACKET)
        trader.play(3)
        assert [trader.last(each).status for each in (ENTRY, STOP, LIMIT)] == [S.FILLED, S.CANCELED, S.FILLED]
        trader.check()


def test_a_stop_that_moves_without_a_word_is_followed() -> None:
    """moved_leg: it fills under another id, and it is ours."""
    with trading(100.0, 100.0, 100.0, 94.0) as trader:
        fault(trader, "moved_leg")
        trader.submit(*bracket(), kind=GroupKind.BRACKET)
        trader.play(3)
        trader.pass_until(trader.clock.now() + timedelta(seconds=16))
        assert [trader.last(each).status for each in (ENTRY, STOP, LIMIT)] == [S.FILLED, S.FILLED, S.CANCELED]
        trader.check()


def test_a_stop_that_has_moved_without_a_word_is_cancelled_where_it_is() -> None:
    """The id that is known has been replaced; the order is followed to the one that carries it."""
    with trading(*[100.0] * 4) as trader:
        fault(trader, "moved_leg")
        trader.submit(*bracket(), kind=GroupKind.BRACKET)
        trader.sandbox.step()
        trader.until(lambda: trader.heard.count >= trader.heard.sent)
        trader.cancel(STOP)
        trader.play()
        assert trader.last(STOP).status is S.CANCELED
        trader.check()


FAULTS = ("duplicate", "missing", "reordered", "null_data", "silent_sibling", "moved_leg", "event_first",
          "gateway_timeout", "cut_answer", "drop", "cancel_rejected")  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_after_a_storm_the_book_and_the_owner_agree(seed: int) -> None:
    """Partial fills, a bracket, a pair of ours, cancels, and two chances of ten go wrong."""
    prices = [100.0, 100.0, 100.5, 99.0, 101.0, 103.0, 98.0, 94.0, 111.0, 100.0, 100.0, 100.0]
    with trading(*prices, partial=0.4) as trader:
        trader.sandbox.random_faults(seed, 0.2, *FAULTS)
        trader.submit(*bracket(), kind=GroupKind.BRACKET)
        trader.submit(spy("run-1-4", stop_price=102.0), spy("run-1-5", limit_price=98.5), kind=GroupKind.OCO)
        trader.play(3)
        trader.submit(spy("run-1-6", limit_price=90.0, quantity=7))
        trader.play(3)
        trader.cancel("run-1-6")
        trader.play(5)
        trader.sandbox.random_faults(seed, 0.0)
        trader.until(lambda: trader.links[-1])
        trader.pass_until(trader.clock.now() + timedelta(minutes=6))
        trader.pass_until(trader.clock.now() + timedelta(minutes=6))
        trader.check()
        held = sum(float(each["qty"]) for each in trader.rest.get("/v2/positions"))
        signs = {name: each.side.sign for name, each in trader.requests.items()}
        assert held == sum(trader.filled(name) * sign for name, sign in signs.items())
        assert trader.made == 4
