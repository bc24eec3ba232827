"""Exits that Alpaca does not take as a pair, over real sockets: one rests, the others are held here, none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from asked import fills
from desk_session import Trader
from desk_tape import CLOSE, market, spy
from sandbox_client import Rest

from framework.app.sandbox import Sandbox
from framework.model import GroupKind, OrderGroup, OrderRequest, OrderStatus, OrderType, OrderUpdate, TimeInForce
from framework.ports import Resumed

S = OrderStatus
BRACKET, OCO = GroupKind.BRACKET, GroupKind.OCO
ENTRY, STOP, LIMIT = "run-1-1", "run-1-2", "run-1-3"
BTC: dict[str, Any] = {"symbol": "BTC/USD", "quantity": 0.5}
PART: dict[str, Any] = {"quantity": 2.5}
TRAIL: dict[str, Any] = {"order_type": OrderType.TRAILING_STOP, "trail_amount": 5.0}


def exits(size: dict[str, Any], **stop: Any) -> tuple[OrderRequest, OrderRequest]:
    return spy(STOP, "sell", **size, **(stop or {"stop_price": 95.0})), spy(LIMIT, "sell", **size, limit_price=110.0)


@contextmanager
def holding(*prices: Any, size: dict[str, Any] = PART, **stop: Any) -> Iterator[Trader]:
    """Send a bracket at market and fill its entry; then the market goes on."""
    symbol = size.get("symbol", "SPY")
    with market(100.0, 100.0, *prices, symbol=symbol) as sandbox, Trader(sandbox) as trader:
        trader.listen().submit(spy(ENTRY, **size), *exits(size, **stop), kind=BRACKET)
        trader.play()
        assert (trader.statuses(STOP), trader.statuses(LIMIT)) == ([S.HELD], [S.NEW])
        yield trader


def ends(trader: Trader) -> list[OrderStatus]:
    return [trader.last(each).status for each in (STOP, LIMIT)]


def is_flat(trader: Trader) -> bool:
    return trader.rest.get("/v2/positions") == [] and trader.rest.get("/v2/orders") == []


SHAPES = [(BTC, {}), (PART, {}), (PART, TRAIL), ({"quantity": 10}, TRAIL)]


@pytest.mark.parametrize(("size", "stop"), SHAPES)
def test_a_price_that_falls_to_the_stop_ends_the_limit_and_closes_the_position(size: Any, stop: Any) -> None:
    """Crypto, fractions, a trailing stop: the shares that the limit holds are freed, and a market order sells them."""
    with holding(94.0, 94.0, size=size, **stop) as trader:
        trader.play()
        assert (trader.statuses(LIMIT)[-1], trader.shown(STOP)["type"], trader.made) == (S.CANCELED, "market", 3)
        trader.play()
        assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)
        trader.check()


@pytest.mark.parametrize(("size", "stop"), SHAPES)
def test_a_limit_that_fills_first_ends_the_stop(size: Any, stop: Any) -> None:
    """Nothing more is sent, whatever the price does then."""
    with holding(111.0, 90.0, 90.0, size=size, **stop) as trader:
        trader.play(3)
        assert (ends(trader), trader.made, is_flat(trader)) == ([S.CANCELED, S.FILLED], 2, True)
        assert trader.last(STOP).reason == "the other exit has filled"
        trader.check()


def test_the_low_of_a_bar_reaches_a_stop_that_its_close_does_not() -> None:
    """Between two closes too."""
    with holding((100.0, 100.0, 94.5, 100.0), 100.0) as trader:
        trader.play(2)
        assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)


def test_a_bar_that_began_before_the_stop_was_there_counts_by_its_close_only() -> None:
    """What the price did before the entry filled is nothing to its exits."""
    with market(100.0, (100.0, 100.0, 90.0, 100.0), 100.0) as sandbox, Trader(sandbox) as trader:
        trader.listen().submit(spy(ENTRY, **PART), *exits(PART), kind=BRACKET)
        trader.play(2)
        assert ends(trader) == [S.HELD, S.NEW]


def test_a_trailing_stop_moves_with_the_close() -> None:
    """From 100 to 105 it goes from 95 to 100."""
    with holding(105.0, (104.0, 104.0, 99.9, 104.0), 104.0, **TRAIL) as trader:
        trader.play()
        assert ends(trader) == [S.HELD, S.NEW]
        trader.play(2)
        assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)


def test_a_stop_with_a_limit_is_sent_as_a_limit_order() -> None:
    """What it becomes when it is reached."""
    with holding(94.0, 96.0, 97.0, stop_price=95.0, limit_price=96.5) as trader:
        trader.play()
        assert [trader.shown(STOP)[key] for key in ("type", "limit_price", "qty")] == ["limit", "96.5", "2.5"]
        trader.play(2)
        assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)


@pytest.mark.parametrize(
    "then", [[111.0, 94.0, 94.0], [(100.0, 111.0, 94.0, 94.0), 94.0]], ids=["one bar later", "in one bar"]
)
def test_a_stop_after_a_partial_fill_of_the_limit_sells_what_is_left(then: Any) -> None:
    """Not a share more than the position."""
    with market(100.0, 100.0, 100.0, *then, partial=1.0) as sandbox, Trader(sandbox) as trader:
        trader.listen().submit(spy(ENTRY, **PART), *exits(PART), kind=BRACKET)
        trader.play(2 + len(then))
        assert (trader.filled(LIMIT), trader.filled(STOP)) == (1.0, 1.5)
        assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)
        trader.check()


def test_a_pair_of_a_fractional_position() -> None:
    """An OCO that Alpaca does not take."""
    with market(*[100.0] * 3, 94.0, 94.0) as sandbox, Trader(sandbox) as trader:
        trader.listen().submit(spy(ENTRY, **PART))
        trader.play()
        trader.submit(*exits(PART), kind=OCO, position=2.5)
        assert any("followed here and ends with this process" in each for each in trader.remarks)
        trader.play(3)
        assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)


@pytest.mark.parametrize("size", [BTC, PART])
def test_alpaca_and_the_sandbox_refuse_a_second_exit_for_the_same_shares(size: Any) -> None:
    """That is why one is held; whoever sends two of them learns it."""
    with holding(100.0, size=size) as trader:
        trader.submit(spy("run-1-8", "sell", **size, limit_price=120.0), position=size["quantity"])
        assert trader.last("run-1-8").status is S.REJECTED
        assert "insufficient qty available" in trader.last("run-1-8").reason


@pytest.mark.parametrize("name", [STOP, LIMIT])
def test_one_that_is_cancelled_takes_the_other(name: str) -> None:
    """As Backtrader's broker does; no price brings the stop back."""
    with holding(94.0, 94.0) as trader:
        trader.cancel(name)
        trader.play(2)
        assert (ends(trader), trader.made, trader.rest.get("/v2/orders")) == ([S.CANCELED] * 2, 2, [])
        trader.check()


def test_a_limit_that_is_cancelled_by_hand_takes_the_stop() -> None:
    """It is news of an order like any other."""
    with holding(94.0, 94.0) as trader:
        trader.rest.ask("DELETE", f"/v2/orders/{trader.last(LIMIT).venue_order_id}")
        trader.play(2)
        assert (ends(trader), trader.made) == ([S.CANCELED] * 2, 2)


def test_exits_that_are_over_end_without_a_trade() -> None:
    """Both at their time, the limit by our cancel."""
    with market(*[100.0] * 6) as sandbox, Trader(sandbox) as trader:
        until = {"time_in_force": TimeInForce.GTD, "expires_at": sandbox.market.now() + timedelta(minutes=3)}
        stop, limit = (replace(each, **until) for each in exits(PART))
        trader.listen().submit(spy(ENTRY, **PART), stop, limit, kind=BRACKET)
        trader.play(5)
        assert ({*ends(trader)} <= {S.EXPIRED, S.CANCELED}, trader.made, trader.rest.get("/v2/orders")) == (True, 2, [])


def test_a_stop_that_is_changed_has_its_new_level() -> None:
    """And it stays the same order for its owner."""
    with holding(98.0, 98.0, 98.0) as trader:
        trader.replace(STOP, spy("run-1-2.1", "sell", stop_price=97.0, **PART))
        trader.play()
        assert ends(trader) == [S.HELD, S.NEW]
        trader.replace(STOP, spy("run-1-2.2", "sell", stop_price=99.0, **PART))
        trader.play()
        assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)


@pytest.mark.parametrize(
    ("more", "why"), [({}, "without its stop_price"), ({"quantity": None, "notional": 9.0}, "size")]
)
def test_a_change_that_cannot_be_leaves_the_stop_as_it_is(more: Any, why: str) -> None:
    """A remark says why."""
    with holding(94.0, 94.0) as trader:
        trader.replace(STOP, spy("run-1-2.1", "sell", order_type=OrderType.STOP, **{**PART, **more}))
        assert why in trader.remarks[-1]
        trader.play(2)
        assert ends(trader) == [S.FILLED, S.CANCELED]


def test_a_cancel_that_alpaca_takes_back_is_asked_for_again() -> None:
    """The shares must be freed: the stop cannot go before."""
    with holding(94.0, 94.0) as trader:
        trader.sandbox.fault("cancel_rejected")
        trader.play(2)
        assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)


@pytest.mark.parametrize("event", ["canceled", "fill"])
def test_news_that_are_never_told_are_looked_up(event: str) -> None:
    """The end of the limit is known, whatever the stream does not say."""
    with holding((100.0, 111.0 if event == "fill" else 100.0, 94.0, 94.0), 94.0) as trader:
        trader.sandbox.fault("missing", match={"event": event})
        trader.sandbox.step()
        trader.price("SPY", 94.0)
        trader.until(lambda: trader.last(LIMIT).status.is_final)
        assert trader.last(LIMIT).status is (S.FILLED if event == "fill" else S.CANCELED)


def test_a_stop_that_is_refused_when_it_is_sent_is_told() -> None:
    """The position is bare, and its owner knows."""
    with holding(94.0, 94.0) as trader:
        trader.sandbox.fault("rejected")
        trader.play()
        assert ends(trader) == [S.REJECTED, S.CANCELED]


def test_where_nothing_can_rest_all_are_held_and_one_is_sent() -> None:
    """Alpaca has neither a stop nor a trailing stop for crypto."""
    with market(*[100.0] * 3, 94.0, 94.0, symbol="BTC/USD") as sandbox, Trader(sandbox) as trader:
        trader.listen().submit(spy(ENTRY, **BTC))
        trader.play()
        trader.submit(
            spy(STOP, "sell", stop_price=95.0, **BTC), spy(LIMIT, "sell", **BTC, **TRAIL), kind=OCO, position=0.5
        )
        assert (ends(trader), trader.made) == ([S.HELD] * 2, 1)
        trader.play(3)
        assert (ends(trader), trader.made, is_flat(trader)) == ([S.FILLED, S.CANCELED], 2, True)


def test_a_single_stop_for_crypto_is_held() -> None:
    """Alpaca has none, with a limit beside it or without."""
    with market(*[100.0] * 3, 94.0, 94.0, symbol="BTC/USD") as sandbox, Trader(sandbox) as trader:
        trader.listen().submit(spy(ENTRY, **BTC), exits(BTC)[0], kind=GroupKind.OTO)
        trader.play(4)
        assert (trader.statuses(STOP), trader.made, is_flat(trader)) == ([S.HELD, S.NEW, S.FILLED], 2, True)


def test_a_stop_whose_position_was_closed_otherwise_ends_unsent() -> None:
    """It would sell what is not there."""
    with market(*[100.0] * 4, 94.0, 94.0, symbol="BTC/USD") as sandbox, Trader(sandbox) as trader:
        trader.listen().submit(spy(ENTRY, **BTC))
        trader.play()
        trader.submit(
            spy(STOP, "sell", stop_price=95.0, **BTC), spy(LIMIT, "sell", **BTC, **TRAIL), kind=OCO, position=0.5
        )
        trader.submit(spy("run-1-9", "sell", **BTC), position=0.5)
        trader.play(4)
        assert (ends(trader), trader.made, is_flat(trader)) == ([S.CANCELED] * 2, 2, True)
        assert trader.last(STOP).reason == "nothing is left of the position"


def test_an_exit_for_the_close_goes_shortly_before_it() -> None:
    """The limit rests until then."""
    with market(*[100.0] * 7, opens=CLOSE - timedelta(minutes=6)) as sandbox, Trader(sandbox) as trader:
        close = spy(STOP, "sell", order_type=OrderType.MARKET_ON_CLOSE, **PART)
        trader.listen().submit(spy(ENTRY, **PART), close, exits(PART)[1], kind=BRACKET)
        trader.play(6)
        assert (ends(trader), trader.made, is_flat(trader)) == ([S.FILLED, S.CANCELED], 3, True)


# After a crash


class Crash:
    """A run that places a bracket, plays, and ends without a word; what its journal holds is the caller's to say."""

    def __init__(self, sandbox: Sandbox, plays: int, **stop: Any) -> None:
        self.sandbox, self.at = sandbox, sandbox.market.now()
        self.group = OrderGroup((spy(ENTRY, **PART), *exits(PART, **stop)), BRACKET)
        with Trader(sandbox) as trader:
            trader.listen().submit(*self.group.orders, kind=BRACKET)
            trader.play(plays)
            self.told = trader.updates
            self.venue_order_id = trader.last(LIMIT).venue_order_id

    def resumed(self, *, is_told: bool, **changed: OrderRequest) -> Trader:
        """Return a new desk over the same book: with all that was told before, or with nothing but the intent."""
        told = self.told if is_told else []
        names = [each.client_order_id for each in self.group.orders]
        ended = {each.client_order_id for each in told if each.status.is_final}
        booked = {name: _booked(told, name) for name in names}
        changes = {name.replace("_", "-"): each for name, each in changed.items()}
        trader = Trader(self.sandbox, resumed=[Resumed(self.group, self.at, booked, frozenset(ended), changes)])
        trader.requests.update({each.client_order_id: each for each in self.group.orders})
        return trader


def _booked(told: list[OrderUpdate], name: str) -> tuple[float, float]:
    mine = fills(each for each in told if each.client_order_id == name)
    return sum(size for size, _ in mine), sum(size * price for size, price in mine)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_stop_that_was_held_is_held_again(is_told: bool) -> None:
    """It goes when the price comes to it, whoever is there by then."""
    with market(*[100.0] * 4, 94.0, 94.0) as sandbox:
        crash = Crash(sandbox, plays=1)
        with crash.resumed(is_told=is_told) as trader:
            trader.listen().settle()
            assert trader.last(STOP).status is S.HELD
            assert any("followed here again" in each for each in trader.remarks)
            trader.play(5)
            assert (trader.filled(STOP), trader.made, is_flat(trader)) == (2.5, 3, True)
            assert ends(trader) == [S.FILLED, S.CANCELED]


def test_a_level_that_was_passed_meanwhile_counts_at_the_first_price() -> None:
    """An exit is never too late."""
    with market(100.0, 100.0, 94.0, 93.0, 93.0) as sandbox:
        crash = Crash(sandbox, plays=1)
        sandbox.step()
        with crash.resumed(is_told=True) as trader:
            trader.listen().play(2)
            assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)


def test_a_limit_that_filled_meanwhile_ends_the_stop() -> None:
    """Nothing is sold twice."""
    with market(100.0, 100.0, 111.0, 90.0, 90.0) as sandbox:
        crash = Crash(sandbox, plays=1)
        sandbox.step()
        with crash.resumed(is_told=True) as trader:
            trader.listen().play(2)
            assert (ends(trader), trader.made, is_flat(trader)) == ([S.CANCELED, S.FILLED], 2, True)


def test_a_limit_that_filled_in_part_meanwhile_leaves_the_rest_to_the_stop() -> None:
    """What is held again is for what is left."""
    with market(100.0, 100.0, 100.0, 111.0, 94.0, 94.0, partial=1.0) as sandbox:
        crash = Crash(sandbox, plays=2)
        sandbox.step()
        with crash.resumed(is_told=True) as trader:
            trader.listen().play(2)
            assert (trader.filled(LIMIT), trader.filled(STOP), is_flat(trader)) == (1.0, 1.5, True)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_stop_that_had_been_sent_is_found_and_not_sent_again(is_told: bool) -> None:
    """Died between its POST and its fill."""
    with market(100.0, 100.0, 94.0, 94.0, 94.0) as sandbox:
        crash = Crash(sandbox, plays=2)
        with crash.resumed(is_told=is_told) as trader:
            trader.listen().play(2)
            assert (trader.filled(STOP), trader.last(STOP).status, trader.made) == (2.5, S.FILLED, 3)
            assert is_flat(trader)
            trader.check()


def test_a_stop_whose_limit_was_gone_before_the_crash_is_held_alone() -> None:
    """Died between the cancel of the limit and the POST of the stop."""
    with market(*[100.0] * 3, 94.0, 94.0) as sandbox:
        crash = Crash(sandbox, plays=1)
        Rest(sandbox).ask("DELETE", f"/v2/orders/{crash.venue_order_id}")
        with crash.resumed(is_told=True) as trader:
            trader.listen().play(3)
            assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)


def test_a_stop_that_was_changed_is_held_again_as_it_was_changed() -> None:
    """Its owner had moved it nearer."""
    with market(*[100.0] * 3, 98.0, 98.0) as sandbox:
        changed = spy("run-1-2.1", "sell", stop_price=99.0, **PART)
        with Crash(sandbox, plays=1).resumed(is_told=True, run_1_2=changed) as trader:
            trader.listen().play(3)
            assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)


def test_a_trailing_stop_begins_anew() -> None:
    """From the first price after the restart: what it had climbed to is not known."""
    with market(100.0, 100.0, 105.0, 99.0, 93.0, 93.0) as sandbox:
        crash = Crash(sandbox, plays=2, **TRAIL)
        with crash.resumed(is_told=True) as trader:
            trader.listen().play()
            assert trader.last(STOP).status is S.HELD
            assert any("from the values that it was placed with" in each for each in trader.remarks)
            trader.play(2)
            assert (ends(trader), is_flat(trader)) == ([S.FILLED, S.CANCELED], True)


def test_a_cancelled_pair_stays_cancelled() -> None:
    """The stop's end was in the journal, the limit's was not: it is cancelled now."""
    with market(*[100.0] * 4) as sandbox:
        crash = Crash(sandbox, plays=1)
        crash.told.append(OrderUpdate(STOP, "", S.CANCELED, crash.at))
        with crash.resumed(is_told=True) as trader:
            trader.listen().settle()
            assert (trader.statuses(STOP), trader.last(LIMIT).status) == ([], S.CANCELED)
