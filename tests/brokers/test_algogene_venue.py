"""ALGOGENE as a venue: its rules without a network, real money, and what has to be named."""

from __future__ import annotations

import pytest
from tape import OPEN

from brokers import AlgogeneVenue
from framework.errors import ConfigError
from framework.live.admission import check_account
from framework.live.clock import VirtualClock
from framework.live.past import Past
from framework.model import OrderRequest, OrderType, Side, Snapshot, TimeInForce


def order(**changes: object) -> OrderRequest:
    usual = {"quantity": 1.0, "time_in_force": TimeInForce.GTC}
    return OrderRequest("s-1-1", "EURUSD", Side.BUY, **{"order_type": OrderType.MARKET, **usual, **changes})  # type: ignore[arg-type]


def refusal(venue: AlgogeneVenue, request: OrderRequest) -> str:
    return venue.rules.refusal(request, position=0.0, price=1.0, grouped=False)


def test_a_backtest_needs_its_rules_only() -> None:
    """Without keys and without a network: the smallest size is a hundredth of a lot."""
    venue = AlgogeneVenue(contracts={"EURUSD": 100_000})
    assert (venue.rules.lot("EURUSD"), venue.rules.lot("BTCUSD")) == (1000, 0.01)
    assert refusal(venue, order(quantity=1000.0)) == ""
    assert "below the smallest, 1000" in refusal(venue, order(quantity=999.0))


def test_an_order_that_lasts_for_one_attempt_is_refused() -> None:
    """It has no such words; the sentence says what it has."""
    assert "valid=" in refusal(AlgogeneVenue(), order(time_in_force=TimeInForce.IOC))


def test_only_livetrade_is_real_money_and_not_on_this_machine() -> None:
    """A sandbox takes either word."""
    assert AlgogeneVenue("A1", "livetrade").is_real
    assert not AlgogeneVenue("A1").is_real
    assert not AlgogeneVenue("A1", "livetrade", base_url="http://127.0.0.1:1").is_real


def test_real_money_wants_its_account_typed() -> None:
    """As at any venue."""
    at = OPEN
    account = Snapshot(at, "ACCOUNT77", "USD", 1.0, 1.0, 1.0, (), ())
    venue = AlgogeneVenue("ACCOUNT77", "livetrade")
    with pytest.raises(ConfigError, match="real money"):
        check_account(venue, account, None, Past())
    check_account(venue, account, "ACCOUNT77", Past())


def test_a_mode_that_there_is_not_is_told() -> None:
    """With what was probably meant."""
    with pytest.raises(ConfigError, match="livetrade"):
        AlgogeneVenue("A1", "livetrad")


def test_an_account_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the call or in the environment."""
    monkeypatch.delenv("ALGOGENE_ACCOUNTID", raising=False)
    venue = AlgogeneVenue(user="u" * 9, api_key="k" * 9)
    with pytest.raises(ConfigError, match="ALGOGENE_ACCOUNTID"):
        venue.endpoint(VirtualClock())


def test_nothing_that_shows_it_shows_its_keys() -> None:
    """Nor the account's number."""
    assert repr(AlgogeneVenue("A1", user="somebody", api_key="secret")) == "AlgogeneVenue(runmode='livetest')"
