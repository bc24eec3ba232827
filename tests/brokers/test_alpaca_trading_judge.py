"""alpaca-py's TradingClient and TradingStream, unmodified but for `url_override`, judge the sandbox."""

from __future__ import annotations

import queue
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest

from framework.app.sandbox import Sandbox

with warnings.catch_warnings():
    # alpaca-py imports the legacy part of websockets.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.trading import enums, requests
    from alpaca.trading.client import TradingClient
    from alpaca.trading.stream import TradingStream

BUY, SELL, DAY, GTC = enums.OrderSide.BUY, enums.OrderSide.SELL, enums.TimeInForce.DAY, enums.TimeInForce.GTC


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


@pytest.fixture
def client(sandbox: Sandbox) -> TradingClient:
    return TradingClient(sandbox.key, sandbox.secret, url_override=sandbox.url)


def market(qty: float = 10, side: enums.OrderSide = BUY, **more: Any) -> requests.MarketOrderRequest:
    return requests.MarketOrderRequest(symbol="SPY", qty=qty, side=side, time_in_force=DAY, **more)


def limit(price: float, side: enums.OrderSide = BUY, **more: Any) -> requests.LimitOrderRequest:
    given = {"symbol": "SPY", "qty": 10, "side": side, "time_in_force": DAY, "limit_price": price, **more}
    return requests.LimitOrderRequest(**given)


def test_account_clock_calendar_and_assets(client: TradingClient) -> None:
    """Every model of the account and the market is read."""
    account, clock = client.get_account(), client.get_clock()
    assert (account.cash, account.status, account.pattern_day_trader) == ("100000", enums.AccountStatus.ACTIVE, None)
    assert clock.is_open
    days = client.get_calendar(requests.GetCalendarRequest(start=date(2026, 11, 25), end=date(2026, 11, 28)))
    assert [(each.date.day, each.close.hour) for each in days] == [(25, 16), (27, 13)]
    wanted = requests.GetAssetsRequest(asset_class=enums.AssetClass.US_EQUITY)
    assert [each.symbol for each in client.get_all_assets(wanted)] == ["SPY", "IBM"]
    asset = client.get_asset("SPY")
    assert client.get_asset(asset.id).symbol == "SPY"


def test_configurations_are_read_and_changed(client: TradingClient) -> None:
    """A suspended account refuses orders."""
    configuration = client.get_account_configurations()
    configuration.suspend_trade = True
    assert client.set_account_configurations(configuration).suspend_trade
    with pytest.raises(APIError, match="suspended"):
        client.submit_order(market())


def test_market_order_from_pending_to_position(sandbox: Sandbox, client: TradingClient) -> None:
    """An order is taken, fills at the next open, and is a position that can be closed."""
    order = client.submit_order(market(client_order_id="first"))
    assert order.status is enums.OrderStatus.PENDING_NEW
    sandbox.step()
    filled = client.get_order_by_client_id("first")
    assert (filled.id, filled.status, filled.filled_qty) == (order.id, enums.OrderStatus.FILLED, "10")
    position = client.get_open_position("SPY")
    assert (position.qty, position.avg_entry_price) == ("10", filled.filled_avg_price)
    closing = client.close_position("SPY", requests.ClosePositionRequest(percentage="50"))
    assert (closing.side, closing.qty) == (SELL, "5")
    sandbox.step()
    assert [each.qty for each in client.get_all_positions()] == ["5"]


ORDERS = [
    limit(90.0),
    requests.StopOrderRequest(symbol="SPY", qty=1, side=BUY, time_in_force=GTC, stop_price=99),
    requests.StopLimitOrderRequest(symbol="SPY", qty=1, side=BUY, time_in_force=DAY, stop_price=99, limit_price=99.5),
    requests.TrailingStopOrderRequest(symbol="SPY", qty=1, side=BUY, time_in_force=GTC, trail_percent=2),
    requests.MarketOrderRequest(symbol="SPY", notional=500, side=BUY, time_in_force=DAY),
    market(0.5),
    market(side=SELL),
    requests.MarketOrderRequest(symbol="SPY", qty=1, side=BUY, time_in_force=enums.TimeInForce.CLS),
    limit(90.0, time_in_force=enums.TimeInForce.IOC),
    limit(90.0, time_in_force=enums.TimeInForce.FOK),
    limit(90.0, extended_hours=True),
    limit(
        90.0, order_class="bracket", take_profit={"limit_price": 95}, stop_loss={"stop_price": 85, "limit_price": 84}
    ),
    limit(90.0, order_class="oto", stop_loss={"stop_price": 85}),
]


@pytest.mark.parametrize("request_", ORDERS, ids=lambda each: f"{each.type.value}-{each.time_in_force.value}")
def test_every_kind_of_order_is_taken(client: TradingClient, request_: Any) -> None:
    """Each type, class and time in force is answered with an order that alpaca-py reads back."""
    order = client.submit_order(request_)
    found = client.get_order_by_id(order.id, requests.GetOrderByIdRequest(nested=True))
    assert (found.type, found.time_in_force, found.order_class) == (
        request_.type, request_.time_in_force, request_.order_class or enums.OrderClass.SIMPLE,
    )  # fmt: skip


def test_bracket_legs_are_nested_held_and_cancelled_together(sandbox: Sandbox, client: TradingClient) -> None:
    """Open orders show the take-profit, not the held stop; cancelling one cancels the other."""
    entry = market(order_class="bracket", take_profit={"limit_price": 120}, stop_loss={"stop_price": 80})
    order = client.submit_order(entry)
    assert [leg.status for leg in order.legs] == [enums.OrderStatus.HELD] * 2
    sandbox.step()
    (profit,) = client.get_orders()
    client.cancel_order_by_id(profit.id)
    everything = requests.GetOrdersRequest(status=enums.QueryOrderStatus.ALL, nested=True)
    (parent,) = client.get_orders(everything)
    assert [leg.status for leg in parent.legs] == [enums.OrderStatus.CANCELED] * 2


def test_oco_closes_a_position(sandbox: Sandbox, client: TradingClient) -> None:
    """The take-profit is the parent, the stop its leg."""
    client.submit_order(market())
    sandbox.step()
    exits = {"take_profit": {"limit_price": 120}, "stop_loss": {"stop_price": 80}}
    request = requests.LimitOrderRequest(symbol="SPY", qty=10, side=SELL, time_in_force=GTC, order_class="oco", **exits)
    order = client.submit_order(request)
    assert ([leg.type for leg in order.legs], order.limit_price) == ([enums.OrderType.STOP], "120")


def test_replace_gives_a_new_order(client: TradingClient) -> None:
    """The new order names the old one, and the old one the new."""
    old = client.submit_order(limit(90.0))
    new = client.replace_order_by_id(old.id, requests.ReplaceOrderRequest(qty=5, limit_price=89.5))
    assert (new.replaces, new.qty, new.limit_price) == (old.id, "5", "89.5")
    assert client.get_order_by_id(old.id).replaced_by == new.id


def test_cancel_one_and_all(client: TradingClient) -> None:
    """204 for one, 207 with a list for all, 422 for what has ended, 404 for what never was."""
    first, _ = client.submit_order(limit(90.0)), client.submit_order(limit(89.0))
    assert client.cancel_order_by_id(first.id) is None
    assert [each.status for each in client.cancel_orders()] == [200]
    for order_id, status in ((first.id, 422), ("4e2d0b10-7e9b-4c56-9a80-1c1f9c3f2b61", 404)):
        with pytest.raises(APIError) as caught:
            client.cancel_order_by_id(order_id)
        assert caught.value.status_code == status


def test_orders_are_listed_by_status_side_and_number(sandbox: Sandbox, client: TradingClient) -> None:
    """Newest first unless asked otherwise; open is the default."""
    client.submit_order(market(client_order_id="filled"))
    sandbox.step()
    for price in (80.0, 81.0, 82.0):
        client.submit_order(limit(price, client_order_id=f"at {price}"))
    assert [each.client_order_id for each in client.get_orders()] == ["at 82.0", "at 81.0", "at 80.0"]
    closed = requests.GetOrdersRequest(status=enums.QueryOrderStatus.CLOSED, side=BUY)
    assert [each.client_order_id for each in client.get_orders(closed)] == ["filled"]
    from_first = requests.GetOrdersRequest(
        direction="asc", limit=2, after=datetime(2026, 10, 5, 13, 30, 30, tzinfo=UTC)
    )
    assert [each.client_order_id for each in client.get_orders(from_first)] == ["at 80.0", "at 81.0"]


def test_close_all_positions(sandbox: Sandbox, client: TradingClient) -> None:
    """207: an order for each position, an error for what an open order holds."""
    client.submit_order(market())
    sandbox.step()
    client.submit_order(limit(120.0, SELL))
    (refused,) = client.close_all_positions(cancel_orders=False)
    assert (refused.status, refused.body.code) == (403, 40310000)
    (closing,) = client.close_all_positions(cancel_orders=True)
    assert (closing.status, closing.symbol) == (200, "SPY")
    sandbox.step()
    assert client.get_all_positions() == []
    with pytest.raises(APIError, match="position does not exist"):
        client.get_open_position("SPY")


def test_history_and_activities(sandbox: Sandbox, client: TradingClient) -> None:
    """The equity of each minute, and each fill, page by page."""
    for _ in range(3):
        client.submit_order(market(1))
        sandbox.step()
    history = client.get_portfolio_history(requests.GetPortfolioHistoryRequest(timeframe="1Min"))
    assert (len(history.equity), history.base_value) == (3, 100_000)
    path = "/account/activities/FILL"
    first = client.get(path, {"page_size": 2})
    rest = client.get(path, {"page_size": 2, "page_token": first[-1]["id"]})
    assert [each["cum_qty"] for each in (*first, *rest)] == ["1", "1", "1"]


def test_errors_carry_alpacas_codes(client: TradingClient) -> None:
    """alpaca-py reads code and message of a refusal."""
    client.submit_order(limit(90.0, client_order_id="once"))
    with pytest.raises(APIError) as caught:
        client.submit_order(limit(90.0, client_order_id="once"))
    assert (caught.value.status_code, caught.value.code) == (422, 40010001)


def test_wrong_keys_are_forbidden(sandbox: Sandbox) -> None:
    """A key of another environment is answered 403."""
    with pytest.raises(APIError) as caught:
        TradingClient("PKOTHER", "wrong", url_override=sandbox.url).get_account()
    assert caught.value.status_code == 403


def test_raw_data_is_the_wire(sandbox: Sandbox) -> None:
    """With raw_data the JSON comes as it was sent: money and quantities are strings."""
    client = TradingClient(sandbox.key, sandbox.secret, url_override=sandbox.url, raw_data=True)
    order = client.submit_order(market())
    assert (order["qty"], order["filled_qty"], order["order_class"]) == ("10", "0", "simple")
    assert client.get_account()["equity"] == "100000"


def test_the_old_account_has_the_day_trading_fields() -> None:
    """Before July 2026 the account had the pattern-day-trader fields."""
    from brokers.alpaca.settings import Settings

    with Sandbox(settings=Settings(old_account=True)) as sandbox:
        client = TradingClient(sandbox.key, sandbox.secret, url_override=sandbox.url)
        assert client.get_account().daytrade_count == 0
        assert client.get_account_configurations().pdt_check is enums.PDTCheck.ENTRY


@contextmanager
def listening(sandbox: Sandbox, *, raw: bool = False) -> Iterator[Callable[[], Any]]:
    """Run a TradingStream in a thread until the block is left; yield what waits for its next update."""
    heard: queue.Queue[Any] = queue.Queue()

    async def hear(update: Any) -> None:
        heard.put(update)

    stream = TradingStream(sandbox.key, sandbox.secret, url_override=f"{sandbox.websocket}/stream", raw_data=raw)
    stream.subscribe_trade_updates(hear)
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    sandbox.attend("trade_updates")
    try:
        yield lambda: heard.get(timeout=20)
    finally:
        stream.stop()
        sandbox.hang_up("trade_updates")
        thread.join(timeout=10)


def test_the_stream_tells_an_orders_life(sandbox: Sandbox, client: TradingClient) -> None:
    """New, then the fill with its own quantity and price, as models."""
    with listening(sandbox) as heard:
        order = client.submit_order(market())
        sandbox.step()
        new, fill = heard(), heard()
    assert (new.event, new.order.id) == (enums.TradeEvent.NEW, order.id)
    assert (fill.event, fill.qty, fill.position_qty) == (enums.TradeEvent.FILL, 10, 10)
    assert fill.execution_id is not None


def test_the_stream_in_raw_is_the_envelope(sandbox: Sandbox, client: TradingClient) -> None:
    """The message is {stream, data}; the data has the order and what happened."""
    with listening(sandbox, raw=True) as heard:
        client.cancel_order_by_id(client.submit_order(limit(90.0)).id)
        new, canceled = heard(), heard()
    assert (new["stream"], canceled["data"]["event"]) == ("trade_updates", "canceled")
    assert canceled["data"]["order"]["status"] == "canceled"
