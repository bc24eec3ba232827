"""Backtrader's orders in FIX words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import backtrader as bt
import pytest
from tape import OPEN, Tape

from framework import run
from framework.engine.translate import order_request, order_type, time_in_force
from framework.errors import Unsupported
from framework.model import OrderRequest, OrderType, Side, TimeInForce


def translated(method: str, **keywords: Any) -> OrderRequest:
    """Send one order in a run and return it as a request."""

    class Once(bt.Strategy):
        def next(self) -> None:
            if len(self) == 1:
                self.order = getattr(self, method)(size=3, **keywords)

    strategy = run(Once, source=Tape({"XYZ": [100.0, 101.0]})).strategy
    return order_request(strategy.order, "XYZ", "id-1")


def test_a_market_order_has_no_prices() -> None:
    """What Backtrader notes as the reference price of a market order is not sent."""
    request = translated("buy")
    assert (request.side, request.order_type, request.quantity) == (Side.BUY, OrderType.MARKET, 3)
    assert request.limit_price is None
    assert request.stop_price is None
    assert request.time_in_force is TimeInForce.GTC


def test_a_stop_limit_keeps_trigger_and_limit_apart() -> None:
    """Backtrader's price is the trigger, its plimit the limit: the two are never swapped."""
    request = translated("sell", exectype=bt.Order.StopLimit, price=95.0, plimit=94.5)
    assert (request.side, request.stop_price, request.limit_price) == (Side.SELL, 95.0, 94.5)


def test_a_limit_orders_price_is_its_limit() -> None:
    """`price` of a Limit is the limit, of a Stop the trigger."""
    assert translated("buy", exectype=bt.Order.Limit, price=99.0).limit_price == 99.0
    assert translated("buy", exectype=bt.Order.Stop, price=103.0).stop_price == 103.0


def test_a_trailing_stop_carries_its_distance() -> None:
    """An amount or a fraction, as given."""
    assert translated("sell", exectype=bt.Order.StopTrail, trailpercent=0.02).trail_percent == 0.02
    assert translated("sell", exectype=bt.Order.StopTrail, trailamount=1.5).trail_amount == 1.5


def test_valid_becomes_a_time_in_force() -> None:
    """Nothing is good till cancelled, `Order.DAY` the day, anything else a date."""
    assert time_in_force(None) is TimeInForce.GTC
    assert time_in_force(bt.Order.DAY) is time_in_force(0) is TimeInForce.DAY
    request = translated("buy", exectype=bt.Order.Limit, price=9.0, valid=timedelta(minutes=2))
    assert request.time_in_force is TimeInForce.GTD
    assert abs(request.expires_at - (OPEN + timedelta(minutes=3))) < timedelta(milliseconds=1)


def test_a_historical_order_is_no_venues() -> None:
    """What replays a history cannot be sent anywhere."""
    assert order_type(None) is OrderType.MARKET
    with pytest.raises(Unsupported, match="Historical"):
        order_type(bt.Order.Historical)
