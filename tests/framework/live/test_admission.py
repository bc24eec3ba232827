"""Whether a session may begin."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from brokers import AlpacaVenue
from feeds import AlpacaBars, SampleBars
from framework.errors import ConfigError
from framework.live.admission import allotment, check_account, check_together, live_source, live_venue
from framework.live.past import Past
from framework.model import Snapshot

NUMBER = "PA1234567890"
HERE = {"base_url": "http://127.0.0.1:8000", "key": "k", "secret": "s"}
ELSEWHERE = {"base_url": "http://127.0.0.1:9000", "key": "k", "secret": "s"}


def account(cash: float = 1_000.0) -> Snapshot:
    return Snapshot(datetime(2026, 10, 5, tzinfo=UTC), NUMBER, "USD", cash, cash, cash, (), ())


def venue(*, is_real: bool) -> Any:
    return SimpleNamespace(is_real=is_real)


def test_history_is_refused_and_told_where_it_can_be_played() -> None:
    """A source that does not go on is named, with the sandbox as the way."""
    with pytest.raises(ConfigError, match=r"SampleBars is history and does not go on live; .*--sandbox"):
        live_source(SampleBars(["ACME"], "2026-10-05", "2026-10-05"))
    bars = AlpacaBars(["AAPL"], **HERE)  # type: ignore[arg-type]
    assert live_source(bars) is bars


@pytest.mark.parametrize(("given", "message"), [(None, "no venue was given"), (object(), "object cannot be traded on")])
def test_a_venue_is_needed(given: Any, message: str) -> None:
    """Without one nothing could be sent."""
    with pytest.raises(ConfigError, match=message):
        live_venue(given)


@pytest.mark.parametrize(("source", "venue"), [(HERE, {}), ({}, HERE), (HERE, ELSEWHERE)])
def test_prices_of_one_world_and_orders_of_another_are_refused(source: Any, venue: Any) -> None:
    """A sandbox's bars must not move real orders, nor the other way round, nor those of another sandbox."""
    with pytest.raises(ConfigError, match="of different worlds"):
        check_together([AlpacaBars(["AAPL"], **source)], AlpacaVenue(**venue))


def test_one_world_is_accepted_and_a_sandbox_named() -> None:
    """Alpaca's two hosts are one world without a sandbox's time."""
    assert check_together([AlpacaBars(["AAPL"])], AlpacaVenue()) == ""
    there = check_together([AlpacaBars(["AAPL"], **HERE)], AlpacaVenue(**HERE))  # type: ignore[arg-type]
    assert there == HERE["base_url"]


@pytest.mark.parametrize("number", [None, "", "PA123456789", "7890", NUMBER.lower()])
def test_real_money_needs_the_whole_number(number: str | None) -> None:
    """None, a part of it and a wrong one are refused; the error tells the last digits only."""
    with pytest.raises(ConfigError, match="this is real money, in the account that ends in 7890") as caught:
        check_account(venue(is_real=True), account(), number, Past())
    assert NUMBER not in str(caught.value)


def test_real_money_with_its_number_and_paper_without_are_accepted() -> None:
    """What was asked for twice is done; paper asks for nothing."""
    check_account(venue(is_real=True), account(), NUMBER, Past())
    check_account(venue(is_real=False), account(), None, Past())


def test_another_accounts_session_is_refused() -> None:
    """Its orders and positions are not there."""
    past = Past(run=1, start={"account": "PA0000000001"})
    with pytest.raises(ConfigError, match=r"another account's \(it ends in 0001, this one in 7890\)"):
        check_account(venue(is_real=False), account(), None, past)


def test_the_default_is_paper_and_the_live_host_is_real_money() -> None:
    """`paper=` cannot make the live host harmless, and a sandbox is never real."""
    assert not AlpacaVenue().is_real
    assert AlpacaVenue(paper=False).is_real
    assert AlpacaVenue(paper=True, base_url="https://api.alpaca.markets/").is_real
    assert not AlpacaVenue(paper=False, base_url="http://127.0.0.1:8000").is_real


def test_a_session_spends_no_more_than_there_is() -> None:
    """Less than the account has is an allotment; more is cut, and said; a session that goes on keeps its own."""
    assert allotment(500.0, account(), Past()) == (500.0, "")
    cash, word = allotment(5_000.0, account(), Past())
    assert cash == 1_000.0
    assert "cash=5000 is more than the account has" in word
    assert allotment(5_000.0, account(), Past(run=1, start={"cash": 700.0})) == (700.0, "")
