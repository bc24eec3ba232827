"""A trading function as a strategy: orders read and checked, exits first, what was refused told to the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.function import ACTIONS, BadOrder, Context, TradingFunction, read

BUY = {"ticker": "A", "quantity": 10, "side": "buy", "order_type": "market"}
SELL = {**BUY, "side": "sell"}


def played(function: Callable[[Context], Any], prices: dict[str, list[float]], **params: Any) -> Any:
    """Play a function over day bars of these closes on stock Backtrader, and return the strategy."""
    cerebro = bt.Cerebro(stdstats=False)
    for name, closes in prices.items():
        days = pd.date_range("2026-01-05", periods=len(closes))
        frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), closes), index=days).assign(volume=0)
        cerebro.adddata(bt.feeds.PandasData(dataname=frame), name=name)
    cerebro.addstrategy(TradingFunction, function=function, **params)
    (strategy,) = cerebro.run(runonce=False)
    return strategy


def scripted(*orders: Any) -> Callable[[Context], Any]:
    """Return a function that gives these at its calls, one after the other, and then nothing."""
    waiting = list(orders)
    return lambda context: waiting.pop(0) if waiting else None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"ticker": "A1"}, "ticker 'A1' is none of A, B (did you mean A?)"),
        ({"side": "bye"}, "side 'bye' is none of buy, sell"),
        ({"order_type": "stop"}, "order_type 'stop' is none of market, limit"),
        ({"action": "short_sell"}, "action 'short_sell' is none of buy_long, buy_to_cover, cover_short"),
        ({"quantity": None}, "'quantity' is missing"),
        ({"quantity": "ten"}, "quantity 'ten' is no number above zero"),
        ({"quantity": -1}, "quantity -1 is no number above zero"),
        ({"quantity": True}, "quantity True is no number above zero"),
        ({"order_type": "limit"}, "'limit_price' is missing"),
        ({"limit_price": 10.0}, "a market order has no limit_price"),
        ({"qty": 10}, "there is no 'qty' in an order (did you mean quantity?)"),
    ],
)
def test_a_bad_order_is_one_clear_line_with_the_order_in_it(change: dict[str, Any], what: str) -> None:
    """What is wrong, which order it is, and what one looks like."""
    order = {**BUY, **change}
    with pytest.raises(BadOrder) as raised:
        read(order, ["A", "B"])
    assert what in str(raised.value)
    assert repr(order) in str(raised.value)
    assert '"order_type": "market"' in str(raised.value)


@given(st.sampled_from([(side, action) for side, actions in ACTIONS.items() for action in actions]), st.integers(1, 99))
def test_every_action_of_the_schema_is_understood(chosen: tuple[str, str], quantity: int) -> None:
    """Those of the other side are not."""
    side, action = chosen
    order = {**BUY, "side": side, "action": action, "quantity": float(quantity)}
    asked = read(order, ["A"])
    assert (asked.side, asked.action, asked.quantity, asked.limit) == (side, action, quantity, None)
    other = "sell" if side == "buy" else "buy"
    with pytest.raises(BadOrder):
        read({**order, "side": other}, ["A"])


def test_returned_and_submitted_orders_are_one_path() -> None:
    """Both reach the market with the next bar, a single order as well as a list."""
    returned = played(scripted(BUY), {"A": [10, 11, 12]})
    submitted = played(lambda context: context["submit_order"]([BUY]), {"A": [10, 11, 12]})
    assert returned.position.size == 10
    assert submitted.position.size == 20  # at each of the first two bars


def test_a_bad_order_takes_none_of_its_list_along() -> None:
    """A list leaves together or not at all, and the session goes on."""
    strategy = played(scripted([BUY, {**BUY, "side": "bye"}], BUY), {"A": [10, 11, 12, 13]})
    assert strategy.position.size == 10
    assert strategy.calls == 4
    assert len(strategy.failures) == 1


def test_exits_leave_before_entries() -> None:
    """What closes a position is sent first, in whichever order it was asked for."""
    sent = []

    class Noted(TradingFunction):
        def notify_order(self, order: Any) -> None:
            if order.status == order.Accepted:
                sent.append((order.data._name, order.ordtypename()))
            super().notify_order(order)

    cerebro = bt.Cerebro(stdstats=False)
    for name in "AB":
        frame = pd.DataFrame({"close": [10.0] * 5}, index=pd.date_range("2026-01-05", periods=5))
        cerebro.adddata(bt.feeds.PandasData(dataname=frame, open=0, high=0, low=0, close=0, volume=None), name=name)
    function = scripted([{**BUY, "ticker": "B"}], [{**BUY, "ticker": "A"}, {**SELL, "ticker": "B"}])
    cerebro.addstrategy(Noted, function=function)
    cerebro.run(runonce=False)
    assert sent == [("B", "Buy"), ("B", "Sell"), ("A", "Buy")]


@pytest.mark.parametrize("action", ["sell_long", "liquidate", None])
def test_a_sale_closes_and_never_opens_a_short(action: str | None) -> None:
    """The original told its own books "flat" when 15 of 10 were sold, while the account was 5 short."""
    told = []

    def function(context: Context) -> Any:
        told.extend(context["rejections"])
        _, positions = context["get_current_data"]()
        return {**SELL, "quantity": 15, **({"action": action} if action else {})} if positions else BUY

    strategy = played(function, {"A": [10, 11, 12, 13]})
    assert strategy.position.size == 10
    assert told[0]["reason"] == f"{action or 'sell_long'} only closes, and 10 A are to close"
    assert told[0]["order"]["quantity"] == 15


def test_what_is_being_closed_is_not_closed_twice() -> None:
    """A function that is called again before its exit has filled asks for it again."""
    limit = {**SELL, "order_type": "limit", "limit_price": 99.0}
    strategy = played(scripted(BUY, None, [limit, SELL]), {"A": [10] * 3})
    assert strategy.position.size == 10
    assert strategy.open_orders() == [{**limit, "filled": 0}]
    assert strategy.rejections == [{"order": SELL, "reason": "sell_long only closes, and 0 A are to close"}]


def test_what_the_broker_refuses_is_told_to_the_function() -> None:
    """In the original a rejection was seen by nobody."""
    told = []
    function = scripted({**BUY, "quantity": 10_000})
    played(lambda context: told.extend(context["rejections"]) or function(context), {"A": [100, 100, 100]})
    assert told == [{"order": {**BUY, "quantity": 10_000}, "reason": "there is not enough cash"}]


def test_a_short_that_is_covered_makes_what_it_made() -> None:
    """Short 10 at 100, covered at 90: the original's capital grew by 1,100, and cover_short realised nothing there."""
    short = {**SELL, "action": "short_sell"}
    cover = {**BUY, "action": "cover_short"}
    strategy = played(scripted(short, None, cover), {"A": [100, 100, 90, 90, 90]})
    assert strategy.realised == 100
    assert strategy.broker.getcash() == 10_100
    assert strategy.current_data()[1] == []


def test_quotes_and_positions_are_of_the_schema() -> None:
    """Bid and ask by ticker; of positions what is held, what it was bought at, and the product of both."""
    strategy = played(scripted({**SELL, "action": "short_sell", "quantity": 5}), {"A": [10, 12, 13], "B": [1, 2, 3]})
    quotes, positions = strategy.current_data()
    assert quotes == {"A": {"bid": 13.0, "ask": 13.0}, "B": {"bid": 3.0, "ask": 3.0}}
    assert positions == [{"ticker": "A", "quantity": -5, "bought_at": 12.0, "cost_basis": -60.0}]


def test_an_exception_is_told_with_its_place_and_the_session_goes_on() -> None:
    """The original's was passed over in silence."""
    strategy = played(lambda context: 1 / 0, {"A": [10, 11]})
    assert strategy.calls == 2
    assert strategy.failures[0].startswith("ZeroDivisionError: division by zero (")
    assert "test_function.py, line" in strategy.failures[0]


def test_what_the_context_has_not_is_said() -> None:
    """The original's queues and shared memory are none of ours."""
    strategy = played(lambda context: context["shm_meta"], {"A": [10]})
    assert "the context has no 'shm_meta'; it has get_current_data, submit_order" in strategy.failures[0]
