"""Units and lots, exactly; and an order as ALGOGENE is sent it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from algogene_talk import deal, driven, listed, paths, session
from hypothesis import given
from hypothesis import strategies as st

from brokers.algogene.instruments import Instrument, list_instruments, meta_instruments, read_instruments
from brokers.algogene.lots import lots_of, refusal, steps, units_of, volume
from brokers.algogene.orders import body, changes
from framework.errors import ConfigError, ProtocolError, Unsupported
from framework.model import OrderRequest, OrderType, Side

NOW = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
GOLD = Instrument("XAUUSD", Decimal(100), Decimal("0.01"))
COIN = Instrument("BTCUSD", Decimal(1), Decimal("0.01"))


def order(kind: OrderType = OrderType.MARKET, quantity: float | None = 1.0, **more: Any) -> OrderRequest:
    return OrderRequest("s-1-1", "BTCUSD", Side.BUY, kind, quantity, **more)


def test_units_are_divided_by_the_contract() -> None:
    """250 ounces are two and a half lots; what is less than a step is cut off."""
    assert [volume(lots_of(each, GOLD)) for each in (250.0, 1.0, 1.99)] == [2.5, 0.01, 0.01]
    assert units_of(-2.5, GOLD) == -250


@pytest.mark.parametrize("units", [0.99, 0.0, -1.0, float("nan"), float("inf")])
def test_what_is_below_one_step_is_refused(units: float) -> None:
    """In one line that names the smallest size; so is what is no size at all."""
    assert refusal(units, GOLD).startswith("XAUUSD: a size of")
    with pytest.raises(ConfigError, match="size"):
        lots_of(units, GOLD)


def test_noise_of_floats_costs_no_step() -> None:
    """0.1 + 0.2 and 0.29999999999999998 are thirty steps."""
    assert steps(0.1 + 0.2, COIN) == steps(0.3, COIN) == steps(3 * 0.1, COIN) == 30
    assert steps(0.07 * 100, COIN) == 700


@given(st.integers(1, 10**7), st.sampled_from([COIN, GOLD, Instrument("EURUSD", Decimal(100_000), Decimal("0.01"))]))
def test_every_multiple_of_the_step_goes_there_and_back(count: int, instrument: Instrument) -> None:
    """As floats, which is how sizes and volumes travel."""
    units = float(count * instrument.smallest)
    sent = volume(lots_of(units, instrument))
    assert units_of(sent, instrument) == count * instrument.smallest
    assert float(units_of(sent, instrument)) == units


def test_an_instrument_is_read_from_a_list_or_by_its_name() -> None:
    """Which of the two is not known."""
    told = {"contractSize": 100, "market": "METAL", "producttype": "SPOT", "settleCurrency": "USD"}
    found = read_instruments({"count": 1, "res": [{"instrument": "XAUUSD", **told}]})
    assert found == read_instruments({"res": {"XAUUSD": told}})
    assert (found["XAUUSD"].contract, found["XAUUSD"].smallest) == (100, 1)
    for wrong in (0, -1, None, "big"):
        with pytest.raises(ProtocolError, match="contractSize"):
            read_instruments({"res": {"XAUUSD": {**told, "contractSize": wrong}}})


def test_instruments_are_asked_for_without_a_session() -> None:
    """User and API key are enough; one that is not there is the user's to put right."""
    row = {"instrument": "BTCUSD", "contractSize": 1}
    found, asked = driven(meta_instruments(session(), ("BTCUSD",)), [listed(row)])
    assert (found["BTCUSD"].symbol, paths(asked)) == ("BTCUSD", ["meta_instrument"])
    assert driven(list_instruments(session()), [listed(row, deal())])[0] == ("BTCUSD", "BTCUSD")
    with pytest.raises(ConfigError, match="has no BTCUSDT"):
        driven(meta_instruments(session(), ("BTCUSDT",)), [listed(row)])


def test_an_order_is_sent_in_lots_and_words() -> None:
    """BUY and SELL, MKT, LMT and STOP, and a price where there is one."""
    assert body(order(), COIN, NOW) == {
        "instrument": "BTCUSD", "buysell": "BUY", "ordertype": "MKT", "volume": 1.0, "orderRef": "s-1-1",
    }  # fmt: skip
    assert body(order(OrderType.LIMIT, limit_price=5), COIN, NOW)["price"] == 5.0
    assert body(order(OrderType.STOP, stop_price=7.5), COIN, NOW)["ordertype"] == "STOP"


def test_an_order_bears_its_levels_and_how_long_it_lasts() -> None:
    """`valid` in whole seconds, never more than was asked."""
    lasting = order(OrderType.LIMIT, limit_price=5.0, expires_at=NOW + timedelta(seconds=90.9))
    told = body(lasting, COIN, NOW, take_profit=6, stop_loss=4, holdtime=3600)
    assert (told["timeinforce"], told["takeProfitLevel"], told["stopLossLevel"]) == (90, 6.0, 4.0)
    assert told["holdtime"] == 3600.0


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (order(OrderType.STOP_LIMIT, limit_price=1, stop_price=1), Unsupported),
        (order(OrderType.TRAILING_STOP, trail_amount=1), Unsupported),
        (order(quantity=None, notional=50.0), Unsupported),
        (order(OrderType.LIMIT), ConfigError),
        (order(OrderType.LIMIT, limit_price=float("nan")), ConfigError),
        (order(quantity=0.001), ConfigError),
        (order(OrderType.LIMIT, limit_price=1, expires_at=NOW), ConfigError),
    ],
)
def test_what_cannot_be_sent_says_why(request_: OrderRequest, error: type[Exception]) -> None:
    """Before anything leaves."""
    with pytest.raises(error, match="BTCUSD"):
        body(request_, COIN, NOW)


def test_a_change_is_of_prices_and_times() -> None:
    """Under the new id; what cannot be changed has to be cancelled."""
    was = order(OrderType.LIMIT, limit_price=5.0)
    new = replace(was, client_order_id="s-1-1.1", limit_price=6.0, expires_at=NOW + timedelta(seconds=9))
    assert changes(new, was, NOW) == {"orderRef": "s-1-1.1", "price": 6.0, "timeinforce": 9}
    with pytest.raises(Unsupported, match="does not change the quantity"):
        changes(replace(new, quantity=2.0), was, NOW)


def test_a_level_is_above_zero() -> None:
    """0 would say that there is none."""
    with pytest.raises(ConfigError, match="stopLossLevel"):
        body(order(), COIN, NOW, stop_loss=0.0)
