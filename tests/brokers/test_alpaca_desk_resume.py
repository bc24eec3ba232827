"""The desk after a crash: a new one, the same book, and all that happened meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from asked import fills
from desk_session import Trader
from desk_tape import CLOSE, bracket, market, spy

from framework.app.sandbox import Sandbox
from framework.live.clock import VenueClock, WallClock
from framework.model import GroupKind, OrderGroup, OrderRequest, OrderStatus, OrderType, TimeInForce
from framework.ports import Resumed

S = OrderStatus
BRACKET, OCO = GroupKind.BRACKET, GroupKind.OCO
ENTRY, STOP, LIMIT = "run-1-1", "run-1-2", "run-1-3"


class Crash:
    """A first run that ends without a word, and what its journal holds of one group."""

    def __init__(self, sandbox: Sandbox, *orders: OrderRequest, kind: GroupKind = GroupKind.LIST, position: float = 0):
        self.sandbox, self.group = sandbox, OrderGroup(orders, kind, position)
        self.at = sandbox.market.now()

    def before(self, plays: int = 0, *, cancel: str = "") -> Resumed:
        """Send the group, play some instants, and die."""
        with Trader(self.sandbox) as trader:
            trader.listen().submit(*self.group.orders, kind=self.group.kind, position=self.group.position)
            trader.play(plays)
            if cancel:
                trader.cancel(cancel)
            names = [each.client_order_id for each in self.group.orders]
            booked = {name: (trader.filled(name), self._paid(trader, name)) for name in names}
            ended = {name for name in names if any(each.is_final for each in trader.statuses(name))}
        return self.known(booked, frozenset(ended))

    def known(self, booked: Mapping[str, tuple[float, float]] | None = None, ended: Any = frozenset()) -> Resumed:
        return Resumed(self.group, self.at, booked or {}, ended)

    def _paid(self, trader: Trader, name: str) -> float:
        mine = [each for each in trader.updates if each.client_order_id == name]
        return sum(size * price for size, price in fills(mine))


def resumed(sandbox: Sandbox, was: Resumed, **more: Any) -> Trader:
    trader = Trader(sandbox, resumed=[was], **more)
    trader.requests.update({each.client_order_id: each for each in was.group.orders})
    return trader


def test_what_filled_meanwhile_is_told_before_the_link_is_up() -> None:
    """Beyond what was booked, and its end once."""
    with market(*[100.0] * 8, partial=1.0) as sandbox:
        was = Crash(sandbox, spy(quantity=16)).before(plays=1)
        sandbox.step(5)
        with resumed(sandbox, was) as trader:
            trader.listen()
            booked = was.booked["run-1-1"][0]
            assert 0 < booked < 16
            assert booked + trader.filled() == float(trader.shown("run-1-1")["filled_qty"])
            assert trader.made == 1


def test_an_order_that_never_left_is_rejected_and_not_sent() -> None:
    """Its intent was in the journal, and the venue has never had it."""
    with market(100.0, 100.0, 100.0) as sandbox, resumed(sandbox, Crash(sandbox, spy()).known()) as trader:
        trader.listen().play(2)
        assert (trader.statuses(), trader.made) == ([S.REJECTED], 0)
        assert "the program stopped before it was sent; nothing was sent again" in trader.last().reason


def test_an_order_that_ended_before_is_not_told_again() -> None:
    """The journal knows its end."""
    with market(100.0, 100.0, 100.0) as sandbox:
        was = Crash(sandbox, spy()).before(plays=1)
        assert was.ended == {"run-1-1"}
        with resumed(sandbox, was) as trader:
            trader.listen().play()
            assert trader.updates == []


def test_an_order_that_rests_is_live_again() -> None:
    """Its news come as before, and it can be cancelled."""
    with market(100.0, 100.0, 100.0) as sandbox:
        was = Crash(sandbox, spy(limit_price=90.0)).before()
        with resumed(sandbox, was) as trader:
            trader.listen()
            assert trader.statuses() == [S.NEW]
            trader.cancel("run-1-1")
            assert trader.statuses() == [S.NEW, S.CANCELED]
            trader.check()


def test_a_good_till_date_is_kept_again() -> None:
    """Its end is planned as it was."""
    with market(*[100.0] * 6) as sandbox:
        end = sandbox.market.now() + timedelta(minutes=3)
        order = spy(limit_price=90.0, time_in_force=TimeInForce.GTD, expires_at=end)
        was = Crash(sandbox, order).before(plays=1)
        with resumed(sandbox, was) as trader:
            trader.listen().play(3)
            assert trader.statuses() == [S.NEW, S.EXPIRED]


@pytest.mark.parametrize("plays", [0, 1])
def test_a_bracket_of_alpacas_own_goes_on(plays: int) -> None:
    """Each of its orders is known again, whether its entry had filled or not."""
    with market(100.0, 100.0, 100.0, 111.0) as sandbox:
        was = Crash(sandbox, *bracket(), kind=BRACKET).before(plays)
        sandbox.step(1)
        with resumed(sandbox, was) as trader:
            trader.listen().play(2)
            assert trader.last(LIMIT).status is S.FILLED
            assert trader.last(STOP).status is S.CANCELED
            assert (trader.filled(ENTRY), trader.made) == ((10, 1) if plays == 0 else (0, 1))


def own_bracket() -> tuple[OrderRequest, ...]:
    return bracket(stop_price=102.0)


def test_the_exits_of_our_bracket_are_sent_when_its_entry_fills_after_the_crash() -> None:
    """They wait as before."""
    with market(100.0, 100.0, 103.0, 103.0, 111.0) as sandbox:
        was = Crash(sandbox, *own_bracket(), kind=BRACKET).before()
        with resumed(sandbox, was) as trader:
            trader.listen().play(4)
            assert [trader.last(each).status for each in (ENTRY, STOP, LIMIT)] == [S.FILLED, S.CANCELED, S.FILLED]
            assert trader.made == 2


def test_the_exits_of_our_bracket_are_sent_where_its_entry_filled_meanwhile() -> None:
    """A position must not stay without its stop."""
    with market(100.0, 100.0, 103.0, 103.0, 94.0) as sandbox:
        was = Crash(sandbox, *own_bracket(), kind=BRACKET).before()
        sandbox.step(2)
        with resumed(sandbox, was) as trader:
            trader.listen().settle()
            assert trader.last(ENTRY).status is S.FILLED
            trader.play(2)
            assert [trader.last(each).status for each in (STOP, LIMIT)] == [S.FILLED, S.CANCELED]
            assert trader.made == 2


@pytest.mark.parametrize("is_told", [True, False])
def test_the_exits_of_our_bracket_are_sent_once(is_told: bool) -> None:
    """They had been sent: they are found by their ids, whether the entry's end was in the journal or not."""
    with market(100.0, 103.0, 103.0, 103.0, 111.0, 111.0) as sandbox:
        crash = Crash(sandbox, *own_bracket(), kind=BRACKET)
        was = crash.before(plays=2)
        assert sandbox.state()["requests"]["orders"] == 2
        with resumed(sandbox, was if is_told else crash.known()) as trader:
            trader.listen().settle()
            trader.play(3)
            assert [trader.last(each).status for each in (STOP, LIMIT)] == [S.CANCELED, S.FILLED]
            assert trader.made == 2


def test_the_other_of_our_pair_is_cancelled_where_one_filled_meanwhile() -> None:
    """The duty goes on."""
    pair = spy(STOP, stop_price=102.0), spy(LIMIT, limit_price=95.0)
    with market(100.0, 103.0, 103.0, 103.0) as sandbox:
        was = Crash(sandbox, *pair, kind=OCO).before()
        sandbox.step(2)
        with resumed(sandbox, was) as trader:
            trader.listen().settle()
            assert [trader.last(each).status for each in (STOP, LIMIT)] == [S.FILLED, S.CANCELED]
            trader.check()


def test_the_other_of_our_pair_is_cancelled_where_the_first_had_ended() -> None:
    """Died between the end of the one and the cancel of the other."""
    pair = spy(STOP, stop_price=102.0), spy(LIMIT, limit_price=95.0)
    with market(100.0, 103.0, 103.0) as sandbox:
        crash = Crash(sandbox, *pair, kind=OCO)
        crash.before()
        sandbox.step()
        ended = crash.known({STOP: (10, 1030.0)}, frozenset({STOP}))
        with resumed(sandbox, ended) as trader:
            trader.listen().settle()
            assert (trader.statuses(STOP), trader.last(LIMIT).status) == ([], S.CANCELED)


def test_a_late_order_whose_time_passed_meanwhile_is_rejected() -> None:
    """The close that it was for is over, or nearly."""
    with market(*[100.0] * 7, opens=CLOSE - timedelta(minutes=6)) as sandbox:
        was = Crash(sandbox, spy(order_type=OrderType.MARKET_ON_CLOSE)).before(plays=1)
        sandbox.step(4)
        with resumed(sandbox, was) as trader:
            trader.listen()
            assert (trader.statuses(), trader.made) == ([S.REJECTED], 0)


def test_a_late_order_whose_time_has_not_come_goes_on() -> None:
    """It is sent when it was to be, and the user is told again."""
    with market(*[100.0] * 7, opens=CLOSE - timedelta(minutes=6)) as sandbox:
        was = Crash(sandbox, spy(order_type=OrderType.MARKET_ON_CLOSE)).before(plays=1)
        with resumed(sandbox, was) as trader:
            trader.listen().play(6)
            assert (trader.statuses()[-1:], trader.made) == ([S.FILLED], 1)
            assert any("of an earlier run is sent from here" in each for each in trader.remarks)


def test_news_of_an_order_that_was_taken_for_lost_cancel_it() -> None:
    """It came up after its owner was told that it never arrived: it must not trade on its own."""
    with market(*[100.0] * 4) as sandbox, Trader(sandbox) as trader:
        trader.listen()
        sandbox.fault("bad_gateway", count=2, match={"method": "POST"})
        trader.submit(spy(limit_price=90.0))
        assert trader.last().status is S.REJECTED
        body = {
            "symbol": "SPY",
            "qty": "10",
            "side": "buy",
            "type": "limit",
            "limit_price": "90",
            "time_in_force": "gtc",
        }
        trader.rest.ask("POST", "/v2/orders", json={**body, "client_order_id": "run-1-1"})
        trader.settle()
        assert trader.shown("run-1-1")["status"] == "canceled"
        assert [each for each in trader.statuses() if each.is_final] == [S.REJECTED]


# A clock that runs


def test_on_a_clock_that_runs_what_is_due_is_done_without_being_asked() -> None:
    """An end that is ours comes by the clock, when no bar arrives."""
    with market(100.0, 100.0) as sandbox:
        now = sandbox.market.now()
        clock = VenueClock(now, 600.0, WallClock())
        with Trader(sandbox, clock=clock) as trader:
            end = now + timedelta(seconds=60)
            trader.listen().submit(spy(limit_price=90.0, time_in_force=TimeInForce.GTD, expires_at=end))
            trader.until(lambda: trader.statuses()[-1:] == [S.EXPIRED])
            assert clock.now() >= end


def test_on_a_clock_that_runs_a_silent_order_is_looked_up() -> None:
    """A fill that is never told is found by itself."""
    with market(100.0, 100.0) as sandbox:
        clock = VenueClock(sandbox.market.now(), 600.0, WallClock())
        with Trader(sandbox, clock=clock) as trader:
            trader.listen().submit(spy())
            sandbox.fault("missing", match={"event": "fill"})
            sandbox.step()
            trader.until(lambda: trader.filled() == 10)
            trader.check()


def test_a_clock_that_stands_costs_nothing() -> None:
    """No timer turns, and nothing is asked for."""
    with market(100.0, 100.0) as sandbox, Trader(sandbox) as trader:
        trader.listen().submit(spy(limit_price=90.0))
        before = sandbox.state()["requests"]["trading"]
        for _ in range(5):
            trader.settle()
        assert sandbox.state()["requests"]["trading"] == before


def test_an_order_that_was_changed_before_the_crash_is_followed_to_its_present_id() -> None:
    """The journal has it under its first id."""
    with market(*[100.0] * 4) as sandbox:
        crash = Crash(sandbox, spy(limit_price=90.0))
        with Trader(sandbox) as trader:
            trader.listen().submit(*crash.group.orders)
            trader.replace("run-1-1", spy("run-1-1.1", limit_price=101.0))
        sandbox.step()
        with resumed(sandbox, crash.known()) as trader:
            trader.listen()
            assert (trader.statuses()[-1:], trader.filled()) == ([S.FILLED], 10)
            trader.check()
