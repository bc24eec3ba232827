"""Orders over real HTTP to a venue where things go wrong: none is ever taken twice, none is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from asked import bracket, order
from desk import Desk, spy

from brokers.alpaca.answers import Ground, Refused
from brokers.alpaca.endpoint import Endpoint
from brokers.alpaca.exchanges import Cancelled, Taken, cancel, cancel_all, find, replace
from brokers.alpaca.lookups import account, asset, assets, calendar, clock, fills_after, orders_after
from brokers.alpaca.orders import changes
from brokers.alpaca.settings import Settings
from framework.app.sandbox import Sandbox, sample
from framework.config import Credentials
from framework.errors import AuthenticationError, ConnectionLost, RateLimited
from framework.model import GroupKind, OrderType, Position, TimeInForce


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Sandbox() as sandbox, Desk(sandbox) as desk:
        yield desk


@pytest.mark.parametrize("fault", ["gateway_timeout", "cut_answer", "stall"])
def test_an_order_whose_answer_was_lost_is_adopted(desk: Desk, fault: str) -> None:
    """It was taken, and stays the only one: one POST, one order."""
    desk.sandbox.fault(fault, match={"method": "POST"}, **({"seconds": 1.0} if fault == "stall" else {}))
    answer = desk.taken(spy())
    assert (answer.is_adopted, answer.order["client_order_id"]) == (True, "run-1-1")
    assert (desk.made, desk.asked) == (1, 1)


@pytest.mark.parametrize("fault", ["bad_gateway", "stall_early"])
def test_an_order_that_never_arrived_is_sent_again_once(desk: Desk, fault: str) -> None:
    """The look-up says that it is not there."""
    desk.sandbox.fault(fault, match={"method": "POST"}, **({"seconds": 1.0} if fault == "stall_early" else {}))
    assert not desk.taken(spy()).is_adopted
    assert (desk.made, desk.asked) == (1, 1)


def test_a_gateway_that_fails_twice_leaves_it_to_be_looked_up(desk: Desk) -> None:
    """It is not sent a third time; nothing was taken, and `find` says so."""
    desk.sandbox.fault("bad_gateway", count=2, match={"method": "POST"})
    with pytest.raises(ConnectionLost, match="look it up again"):
        desk.submit(spy())
    assert (desk.made, desk.found("run-1-1")) == (0, None)


def test_a_rate_limit_is_told_with_its_wait(desk: Desk) -> None:
    """The venue's own headers say when to come back."""
    desk.sandbox.fault("rate_limited", match={"method": "POST"})
    with pytest.raises(RateLimited) as caught:
        desk.submit(spy())
    assert 0 < caught.value.retry_after <= 60
    assert desk.made == 0


def test_an_order_sent_again_after_a_crash_is_the_first_one(desk: Desk) -> None:
    """The same id: Alpaca says that it must be unique, and the one that is there is adopted."""
    first = desk.taken(spy())
    again = desk.taken(spy())
    assert (again.is_adopted, again.order["id"], desk.made) == (True, first.order["id"], 1)


def test_a_cancelled_orders_id_is_used_up(desk: Desk) -> None:
    """Unique for ever, cancelled orders included; another order under it is refused."""
    first = desk.taken(spy(limit_price=9.0))
    assert desk.send(cancel(desk.endpoint, first.order["id"])) == Cancelled()
    answer = desk.submit(spy(quantity=20))
    assert isinstance(answer, Refused)
    assert answer.ground is Ground.DUPLICATE


STORM = ("gateway_timeout", "cut_answer", "bad_gateway", "rate_limited", "event_first")


@pytest.mark.parametrize("seed", range(8))
def test_no_storm_makes_an_order_twice(desk: Desk, seed: int) -> None:
    """Four requests of ten go wrong: what the venue has taken is what was sent, each once; the rest is absent."""
    desk.sandbox.random_faults(seed, 0.4, *STORM)
    names = [f"run-1-{each}" for each in range(1, 13)]
    known = {}
    for name in names:
        with contextlib.suppress(ConnectionLost, RateLimited):
            known[name] = desk.submit(spy(name, limit_price=9.0)).order["client_order_id"]
    desk.sandbox.random_faults(seed, 0.0, *STORM)
    there = [each["client_order_id"] for each in desk.rest.get("/v2/orders", status="all", limit=500)]
    assert len(there) == len(set(there))
    assert set(known) <= set(there) <= set(names)
    assert all((desk.found(each) is not None) == (each in there) for each in names)


def test_a_bracket_is_found_with_its_legs(desk: Desk) -> None:
    """Its answer is lost, and the look-up by our id shows no legs: a second look does."""
    desk.sandbox.fault("cut_answer", match={"method": "POST"})
    answer = desk.taken(*_wide(), kind=GroupKind.BRACKET)
    assert [each["type"] for each in answer.order["legs"]] == ["limit", "stop"]
    assert (desk.made, desk.asked) == (3, 1)


def _wide() -> tuple[Any, ...]:
    first, stop, profit = bracket(symbol="SPY")
    kinds = (
        order("run-1-1", symbol="SPY"),
        order(stop.client_order_id, "sell", symbol="SPY", stop_price=1.5),
        order(profit.client_order_id, "sell", symbol="SPY", limit_price=5000.0),
    )
    assert first.symbol == "SPY"
    return kinds


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"limit_price": 9.0},
        {"stop_price": 4000.0},
        {"stop_price": 4000.0, "limit_price": 4001.0},
        {"order_type": OrderType.TRAILING_STOP, "trail_percent": 0.01},
        {"order_type": OrderType.TRAILING_STOP, "trail_amount": 1.5},
        {"order_type": OrderType.MARKET_ON_CLOSE},
        {"quantity": 2.5, "time_in_force": TimeInForce.DAY},
        {"quantity": None, "notional": 100.0, "time_in_force": TimeInForce.DAY},
        {"limit_price": 9.0, "extended_hours": True, "time_in_force": TimeInForce.DAY},
        {"limit_price": 9.0, "time_in_force": TimeInForce.IOC},
    ],
)
def test_every_kind_of_order_is_taken(desk: Desk, more: dict[str, Any]) -> None:
    """As it was sent, and with the size and the prices that were asked for."""
    shown = desk.taken(spy(**more)).order
    sent = desk.post(spy("x", **more)).body
    assert {key: shown[key] for key in sent if key != "client_order_id"} == {
        key: value for key, value in sent.items() if key != "client_order_id"
    }


def test_groups_are_taken(desk: Desk) -> None:
    """An OTO, and an OCO that closes what it bought."""
    entry, stop, _ = _wide()
    assert desk.taken(entry, stop, kind=GroupKind.OTO).order["order_class"] == "oto"
    desk.sandbox.step()
    desk.send(cancel_all(desk.endpoint))
    exits = [order(f"run-2-{at}", "sell", symbol="SPY", **price) for at, price in enumerate(PRICES, 1)]
    assert desk.send_group(*exits).order["order_class"] == "oco"


PRICES = ({"limit_price": 5000.0}, {"stop_price": 1.5})


def test_refusals_are_values_by_their_ground(desk: Desk) -> None:
    """One code for three reasons, told apart; the venue's own words are kept."""
    margin = desk.submit(spy(quantity=1e6))
    assert (margin.ground, "buying_power" in margin.reason) == (Ground.MARGIN, True)
    desk.taken(spy("run-1-2", limit_price=9.0))
    assert desk.submit(spy("run-1-3", "sell")).ground is Ground.WASH_TRADE
    desk.send(cancel_all(desk.endpoint))
    desk.taken(spy("run-1-4"))
    desk.sandbox.step()
    assert desk.submit(spy("run-1-5", "sell", 11)).ground is Ground.QUANTITY
    assert desk.submit(spy("run-1-6", limit_price=9.001)).ground is Ground.INVALID


def test_wrong_keys_stop_the_session(desk: Desk) -> None:
    """Those of another environment: 403 without a code."""
    stranger = Endpoint(desk.sandbox.url, Credentials("PK", "no"))
    with pytest.raises(AuthenticationError, match="paper account has its own keys"):
        desk.send(find(stranger, "run-1-1"))


@pytest.mark.parametrize("fault", [None, "gateway_timeout", "cut_answer", "bad_gateway"])
def test_a_cancel_goes_through_whatever_becomes_of_its_answer(desk: Desk, fault: str | None) -> None:
    """Taken up, or seen to be done; the order is cancelled once."""
    name = desk.taken(spy(limit_price=9.0)).order["id"]
    if fault:
        desk.sandbox.fault(fault, match={"method": "DELETE"})
    answer = desk.send(cancel(desk.endpoint, name))
    assert answer == Cancelled() or (isinstance(answer, Taken) and answer.order["status"] == "canceled")
    assert desk.found("run-1-1")["status"] == "canceled"


def test_a_cancel_that_comes_too_late_shows_the_fill(desk: Desk) -> None:
    """422: the answer is the order as it is."""
    name = desk.taken(spy()).order["id"]
    desk.sandbox.step()
    answer = desk.send(cancel(desk.endpoint, name))
    assert isinstance(answer, Taken)
    assert (answer.order["status"], answer.order["filled_qty"]) == ("filled", "10")


@pytest.mark.parametrize("fault", [None, "gateway_timeout", "cut_answer", "bad_gateway"])
def test_a_replacement_is_made_once(desk: Desk, fault: str | None) -> None:
    """One new order, under the id that we gave it, whatever becomes of the answer."""
    name = desk.taken(spy(limit_price=9.0)).order["id"]
    if fault:
        desk.sandbox.fault(fault, match={"method": "PATCH"})
    wanted = changes(spy("run-1-1.1", quantity=5, limit_price=9.5))
    answer = desk.send(replace(desk.endpoint, name, wanted))
    assert isinstance(answer, Taken)
    assert (answer.order["replaces"], answer.order["qty"], answer.order["limit_price"]) == (name, "5", "9.5")
    assert desk.made == 2


@pytest.mark.parametrize("old", [True, False])
def test_the_account_is_read_whole(old: bool) -> None:
    """Cash, positions and open orders, in both shapes of the account."""
    with Sandbox(settings=Settings(old_account=old)) as sandbox, Desk(sandbox) as desk:
        desk.taken(*_wide(), kind=GroupKind.BRACKET)
        sandbox.step()
        found = desk.send(account(desk.endpoint, desk.now))
        assert [(each.symbol, each.quantity) for each in found.snapshot.positions] == [("SPY", 10)]
        assert found.snapshot.cash < found.snapshot.equity <= 100_100
        assert (found.bar, found.can_short, found.multiplier) == ("", True, 2)
        assert [each.status.value for each in found.snapshot.open_orders] == ["new"]


def test_what_happened_while_we_were_away_is_listed(desk: Desk) -> None:
    """Orders by when they were sent, fills by when they were done."""
    before = desk.sandbox.market.tape.starts_at
    desk.taken(spy("run-1-1"))
    desk.sandbox.step()
    desk.taken(spy("run-1-2"))
    desk.sandbox.step()
    orders = desk.send(orders_after(desk.endpoint, before))
    assert [each["client_order_id"] for each in orders][-1] == "run-1-2"
    assert [each["qty"] for each in desk.send(fills_after(desk.endpoint, before))] == ["10", "10"]


def test_the_venue_tells_its_assets_and_hours() -> None:
    """A share, a pair with its slash, a name that is none; the clock, and a week with a holiday."""
    with Sandbox(sample(["SPY", "BTC/USD"], "2026-10-05")) as sandbox, Desk(sandbox) as desk:
        share, coin = (desk.send(asset(desk.endpoint, each)) for each in ("SPY", "BTC/USD"))
        assert share is not None
        assert coin is not None
        assert (share.is_shortable, share.step, coin.is_crypto, coin.step) == (True, None, True, 1e-9)
        assert desk.send(asset(desk.endpoint, "NONE")) is None
        assert set(desk.send(assets(desk.endpoint))) == {"SPY", "BTC/USD"}
        hours = desk.send(clock(desk.endpoint))
        assert hours.closes_at == sandbox.market.tape.session(desk.now)[1]
        days = desk.send(calendar(desk.endpoint, hours.at.date(), hours.at.date()))
        assert [each.closes_at for each in days] == [hours.closes_at]


def test_a_position_in_crypto_has_its_orders_symbol() -> None:
    """The venue says BTCUSD; bars and orders say BTC/USD."""
    with Sandbox(sample(["SPY", "BTC/USD"], "2026-10-05")) as sandbox, Desk(sandbox) as desk:
        desk.taken(order(symbol="BTC/USD", quantity=0.5))
        sandbox.step()
        (held,) = desk.send(account(desk.endpoint, desk.now)).snapshot.positions
        assert held == Position("BTC/USD", 0.5, held.average_price)
