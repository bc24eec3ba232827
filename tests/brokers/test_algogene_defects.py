"""What the seed's script and ALGOGENE's own clients get wrong, ours right: against the sandbox, over HTTP."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from algogene_client import Client, served

from brokers.algogene.advancing import advance, questions
from brokers.algogene.diff import diff
from brokers.algogene.exchanges import Refused, Submitted, Taken, Unknown, close_orders, open_order
from brokers.algogene.following import Following, Kind, Part, Poll, Questions
from brokers.algogene.instruments import meta_instruments
from brokers.algogene.lookups import balance, find_by_ref, opened_trades, pending_trades, query_order, strategy_trade
from brokers.algogene.netting import Close, Lot, actions
from brokers.algogene.orders import body
from brokers.algogene.protocol import Endpoint
from feeds.algogene.protocol import Session
from framework.config import Credentials
from framework.errors import VenueError
from framework.http import Http
from framework.model import OrderRequest, OrderStatus, OrderType, OrderUpdate, Side
from framework.retries import Patience

NOW = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
QUICK = Patience(attempts=2, connect=5.0, read=0.3, whole=5.0, first_wait=0.01, longest_wait=0.01)


class Trader:
    """Our exchanges over a real transport, and what is followed with them."""

    def __init__(self, client: Client, http: Http) -> None:
        access = client.sandbox.algogene
        self.client, self.http = client, http
        credentials = Credentials(access["user"], access["api_key"])
        self.session = Session(credentials, time.monotonic, access["base_url"])
        self.endpoint = Endpoint(self.session, access["accountid"])
        self.instrument = http.send(meta_instruments(self.session, ("BTCUSD",)))["BTCUSD"]
        self.followed: dict[str, Following] = {}
        self.asked = Questions()

    def order(self, name: str, side: Side = Side.BUY, quantity: float = 1.0) -> dict[str, Any]:
        return body(OrderRequest(name, "BTCUSD", side, OrderType.MARKET, quantity), self.instrument, NOW)

    def buy(self, name: str) -> Taken | Refused:
        done = self.http.send(open_order(self.endpoint, self.order(name)))
        if isinstance(done, Taken):
            self.followed[name] = Following(name, (Part(done.trade_id, Kind.OPEN, Decimal(1), Side.BUY),))
        return done

    def close(self, name: str, trade_id: str) -> Submitted | Refused:
        self.followed[name] = Following(name, (Part(trade_id, Kind.CLOSE, Decimal(1), Side.BUY),))
        return self.http.send(close_orders(self.endpoint, [trade_id]))

    def poll(self) -> list[OrderUpdate]:
        ours = self.endpoint
        queries = {each: self.http.send(query_order(ours, each)) for each in self.asked.queries}
        pending, opened = self.http.send(pending_trades(ours)), self.http.send(opened_trades(ours))
        deals = self.http.send(strategy_trade(ours)) if self.asked.deals else None
        poll = Poll(NOW, queries, pending, opened, deals)
        after = advance(self.followed, poll)
        news, self.followed, self.asked = diff(self.followed, after, NOW), after, questions(after, poll)
        return news

    def settled(self) -> list[tuple[str, OrderStatus]]:
        return [(each.client_order_id, each.status) for _ in range(3) for each in self.poll()]


@contextmanager
def trading(**options: Any) -> Iterator[Trader]:
    with served(**options) as client, Http("ALGOGENE", QUICK) as http:
        yield Trader(client, http)


LOSSES = ("stall", "cut_answer", "gateway_timeout", "html_answer", "odd_answer")


@pytest.mark.parametrize("fault", LOSSES)
def test_a_timeout_after_acceptance_is_no_rejection_and_no_second_order(fault: str) -> None:
    """The official client makes (400, {}) of it, the seed dies of it, and both would send again."""
    with trading() as trader:
        trader.client.sandbox.fault(fault, match={"path": "/open_order"}, seconds=1)
        done = trader.buy("s-1-1")
        assert (isinstance(done, Taken) and done.is_adopted) is True
        assert len(trader.client.rows("pending_trades")) == 1


def test_a_request_that_never_arrived_is_unknown_and_not_refused() -> None:
    """It might be on its way: the caller is told its reference, and finds that it is nowhere."""
    with trading() as trader:
        trader.client.sandbox.fault("stall_early", match={"path": "/open_order"}, seconds=1)
        with pytest.raises(Unknown) as raised:
            trader.buy("s-1-1")
        assert trader.http.send(find_by_ref(trader.endpoint, raised.value.order_ref)) is None


def test_a_bad_gateway_is_not_logged_as_success() -> None:
    """The official tool drops the status of bad JSON, and says that the order is placed."""
    with trading() as trader:
        trader.client.sandbox.fault("bad_gateway", match={"path": "/open_order"})
        with pytest.raises(Unknown):
            trader.buy("s-1-1")


def test_an_order_that_fills_late_is_still_ours() -> None:
    """The seed follows the last id alone: of two orders, one would be an orphan."""
    with trading() as trader:
        for name in ("s-1-1", "s-1-2"):
            trader.buy(name)
        trader.poll()
        trader.client.sandbox.step()
        assert {name for name, status in trader.settled() if status is OrderStatus.FILLED} == {"s-1-1", "s-1-2"}


@pytest.mark.parametrize("fault", [None, "lost_close", "slow_close"])
def test_submitted_is_not_closed(fault: str | None) -> None:
    """The seed takes the answer for the deed; a close that is lost leaves the trade, and nothing says otherwise."""
    with trading() as trader:
        done = trader.buy("s-1-1")
        assert isinstance(done, Taken)
        trader.client.sandbox.step()
        trader.settled()
        if fault:
            trader.client.sandbox.fault(fault, seconds=300)
        assert isinstance(trader.close("s-1-2", done.trade_id), Submitted)
        assert trader.settled() == [("s-1-2", OrderStatus.NEW)]
        trader.client.sandbox.step()
        assert trader.settled() == ([] if fault else [("s-1-2", OrderStatus.FILLED)])


def test_a_trade_that_is_closed_is_not_closed_again() -> None:
    """The seed never forgets an id, and closes it each minute; what is gone is in no netting, and refused in words."""
    with trading() as trader:
        done = trader.buy("s-1-1")
        assert isinstance(done, Taken)
        trader.client.sandbox.step()
        trader.close("s-1-2", done.trade_id)
        trader.client.sandbox.step()
        assert trader.close("s-1-3", done.trade_id) == Refused(f"no such opened trades: {done.trade_id}")
        left = [Lot(each.trade_id, Decimal(1)) for each in trader.http.send(opened_trades(trader.endpoint)).values()]
        assert not any(isinstance(each, Close) for each in actions(left, Decimal(-1)))


def test_an_expired_token_is_not_used_in_silence() -> None:
    """The official client goes on with it; ours asks for another, and sends no order twice."""
    with trading() as trader:
        trader.client.sandbox.fault("expired_token", count=1, match={"path": "/open_order"})
        assert isinstance(trader.buy("s-1-1"), Taken)
        trader.client.sandbox.fault("expired_token", count=1, match={"path": "/opened_trades"})
        trader.poll()
        assert len(trader.client.rows("pending_trades")) == 1


def test_an_answer_without_an_id_kills_nothing() -> None:
    """`res['tradeID']` is a KeyError in the seed, when the order was refused for want of money, say."""
    with trading() as trader:
        order = {**trader.order("s-1-1"), "volume": 1e6}
        done = trader.http.send(open_order(trader.endpoint, order))
        assert done == Refused("insufficient available balance", is_margin=True)


def test_what_is_not_asked_for_is_not_sent() -> None:
    """The official client sends -1 for levels that there are none of, which the venue may take for a price."""
    with trading() as trader:
        told = trader.order("s-1-1")
        assert set(told) == {"instrument", "buysell", "ordertype", "volume", "orderRef"}
        assert (told["buysell"], told["volume"]) == ("BUY", 1.0)


def test_no_log_and_no_error_shows_what_travels_in_queries(caplog: pytest.LogCaptureFixture) -> None:
    """Every GET has the API key in its address: at the finest level, with its traceback, nothing shows it."""
    with trading() as trader:
        caplog.set_level(logging.DEBUG)
        secrets = (trader.session.credentials.key, trader.session.credentials.secret)
        trader.buy("s-1-1")
        told = [repr(trader.session), repr(trader.endpoint)]
        for fault in ("stall_early", "bad_gateway", "html_answer", "odd_answer"):
            trader.client.sandbox.fault(fault, match={"path": "/balance"}, count=2, seconds=1)
            with pytest.raises(VenueError) as raised:
                trader.http.send(balance(trader.endpoint))
            told += traceback.format_exception(raised.value)
        token = trader.http.send(trader.session.open())
        trader.client.sandbox.step()
    assert caplog.text
    assert not any(each in caplog.text + "".join(told) for each in (*secrets, token))
