"""What is asked of Alpaca's trading side before a start, of the sandbox and of values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests
from sandbox_client import opened

from brokers import AlpacaVenue
from brokers.alpaca.checkup import AccountCheckup, Reading, account_told, assets_told, calendar_told, clock_told
from brokers.alpaca.lookups import Account, Asset
from brokers.alpaca.settings import Settings
from feeds import SampleBars
from framework.app.sandbox import Sandbox
from framework.live.checkup import Answer, Finding, Verdict, examined
from framework.model import Snapshot
from framework.retries import Patience

AT = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
ONCE = Patience(attempts=1, connect=1.0, read=0.2, whole=0.2)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as served:
        yield served


def checkup(url: str, key: str, secret: str, symbols: tuple[str, ...] = ("SPY",), **more: Any) -> AccountCheckup:
    venue = AlpacaVenue(key=key, secret=secret, base_url=url)
    return AccountCheckup(venue, symbols, lambda: AT, patience=ONCE, **more)


def found(sandbox: Sandbox, secret: str = "", **more: Any) -> dict[str, Finding]:
    asked = checkup(sandbox.url, sandbox.key, secret or sandbox.secret, **{"is_own_time": True, **more})
    return {each.name: each for each in examined((*asked.checks(), asked.stream(2.0)))}


def test_all_is_well_with_a_sandbox(sandbox: Sandbox) -> None:
    """Where the keys are from, what the account has and may do, the hours, the symbols, the stream."""
    told = found(sandbox, symbols=("SPY", "IBM"))
    assert {each.verdict for each in told.values()} == {Verdict.YES}
    assert told["keys"].text == "found in the call"
    assert told["account"].text == (
        "the sandbox account that ends in 0000: cash 100,000.00 USD, buying power 200,000.00; "
        "0 positions, 0 open orders; may sell short, crypto active"
    )
    assert told["clock"].text == "the sandbox keeps its own time, 2026-10-05 09:30 in New York"
    assert told["calendar"].text.startswith("this session 2026-10-05 09:30 to 16:00 New York; 11 sessions")
    assert told["symbols"].text == "2 symbols active and tradable"


def test_the_order_stream_is_free_again_afterwards(sandbox: Sandbox) -> None:
    """The next client is let in at once."""
    assert found(sandbox)["order stream"].verdict is Verdict.YES
    with opened(sandbox):
        sandbox.attend("trade_updates", 1)


def test_a_wrong_secret_is_a_no_and_the_rest_is_not_checked(sandbox: Sandbox) -> None:
    """It is in no line."""
    told = found(sandbox, "not-the-secret")
    assert told["account"].text == 'Alpaca: HTTP 403 "forbidden."'
    assert "a paper account has its own keys" in told["account"].remedy
    assert {told[name].text for name in ("clock", "calendar", "symbols", "order stream")} == {
        "not checked: needs account"
    }
    assert not any("not-the-secret" in each.line for each in told.values())


def test_an_order_stream_that_is_taken_says_by_what(sandbox: Sandbox) -> None:
    """406: another client has the one connection."""
    with opened(sandbox):
        finding = found(sandbox)["order stream"]
    assert finding.text == "Alpaca: the account's one connection for order updates is in use (406)"
    assert "wait for 90 s" in finding.remedy


def test_a_connection_that_broke_keeps_its_place_for_a_while(sandbox: Sandbox) -> None:
    """The slot of a client that has gone is told as one that is taken."""
    sandbox.fault("zombie", stream="trade_updates")
    assert found(sandbox)["order stream"].verdict is Verdict.YES
    assert "(406)" in found(sandbox)["order stream"].text


def test_an_account_that_its_owner_has_suspended_is_a_no(sandbox: Sandbox) -> None:
    """In Alpaca's own words."""
    keys = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}
    url = f"{sandbox.url}/v2/account/configurations"
    requests.patch(url, json={"suspend_trade": True}, headers=keys, timeout=10)
    assert found(sandbox)["account"].text.endswith("cannot trade: trade suspended by user")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("bad_gateway", "HTTP 502, a gateway's answer"),
        ("rate_limited", 'HTTP 429 "rate limit exceeded"'),
        ("stall", "GET /v2/account: no whole answer from 127.0.0.1"),
        ("cut_answer", "GET /v2/account: no whole answer from 127.0.0.1"),
    ],
)
def test_a_venue_that_fails_is_one_line(sandbox: Sandbox, fault: str, told: str) -> None:
    """A gateway, a rate limit, a server that says nothing, one that hangs up."""
    sandbox.fault(fault, stream="trading", seconds=0.5)
    finding = found(sandbox)["account"]
    assert finding.verdict is Verdict.NO
    assert told in finding.text
    assert finding.remedy


def test_nothing_at_the_address_is_one_line() -> None:
    """Connection refused."""
    (_, finding, *_) = examined(checkup("http://127.0.0.1:9", "PK", "SECRET").checks())
    assert finding.text.startswith("Alpaca: GET /v2/account: no whole answer from 127.0.0.1:9")
    assert finding.remedy == "check the network, then try again"


def test_the_venues_clock_is_compared_with_this_machines(sandbox: Sandbox) -> None:
    """Where time is the world's, a tape's is far away from it."""
    finding = found(sandbox, is_own_time=False)["clock"]
    assert finding.verdict is Verdict.NO
    assert "Alpaca's clock" in finding.text


@pytest.mark.parametrize(
    ("ahead", "verdict", "told"),
    [
        (0.0, Verdict.YES, "within 0.05 s"),
        (-0.9, Verdict.YES, "within 0.90 s"),
        (1.5, Verdict.WARNING, "1.5 s ahead of"),
        (-5.0, Verdict.WARNING, "5.0 s behind"),
        (5.1, Verdict.NO, "5.1 s ahead of"),
    ],
)
def test_a_clock_may_be_off_by_a_second(ahead: float, verdict: Verdict, told: str) -> None:
    """To five seconds is a warning; no clock is told nearer than half of its answer's way."""
    answer = clock_told(Reading(AT, AT + timedelta(seconds=ahead), took=0.1))
    assert (answer.verdict, told in answer.text) == (verdict, True)


def hours(day: int, closes: int = 21) -> dict[date, tuple[datetime, datetime]]:
    at = datetime(2026, 11, day, tzinfo=UTC)
    return {at.date(): (at.replace(hour=14, minute=30), at.replace(hour=closes))}


def test_an_early_close_is_told() -> None:
    """The day after Thanksgiving, 13:00 in New York."""
    both = hours(25) | hours(27, closes=18)
    answer = calendar_told(both, both, datetime(2026, 11, 26, tzinfo=UTC))
    assert answer.text == (
        "next session 2026-11-27 09:30 to 13:00 New York; 2 sessions until 2026-11-27 agree; 2026-11-27 closes at 13:00"
    )


def test_calendars_that_differ_are_a_no() -> None:
    """Day by day: another close, and a day that only one of them has."""
    answer = calendar_told(hours(25) | hours(27), hours(25) | hours(27, closes=18) | hours(30), AT)
    assert answer.verdict is Verdict.NO
    assert answer.text == (
        "2026-11-27: Alpaca 09:30 to 13:00, ours 09:30 to 16:00, 2026-11-30: Alpaca 09:30 to 16:00, ours closed"
    )


@pytest.mark.parametrize(
    ("symbols", "told"),
    [
        ((), "not checked: give --symbols AAPL,TSLA"),
        (("FAKEPACA",), "not checked: FAKEPACA is traded nowhere"),
        (("SPY", "SPYX", "IBMX"), "Alpaca does not know the symbol SPYX, does not know the symbol IBMX"),
    ],
)
def test_symbols_that_are_not_traded_are_told_at_once(sandbox: Sandbox, symbols: tuple[str, ...], told: str) -> None:
    """All of them, not the first only."""
    assert found(sandbox, symbols=symbols)["symbols"].text == told


def test_pairs_trade_at_all_hours() -> None:
    """There is no calendar to compare."""
    with Sandbox(SampleBars("BTC/USD", "2026-10-05", "2026-10-05", calendar="24/7")) as sandbox:
        told = found(sandbox, symbols=("BTC/USD",))
    assert (told["calendar"].text, told["symbols"].text) == ("open at all hours", "1 symbol active and tradable")


def test_how_a_symbol_may_be_traded_is_information() -> None:
    """Whole shares only, and what cannot be borrowed."""
    with Sandbox(settings=Settings(hard_to_borrow=frozenset({"IBM"}), whole_only=frozenset({"SPY"}))) as sandbox:
        told = found(sandbox, symbols=("SPY", "IBM"))["symbols"]
    assert told.text == "2 symbols active and tradable; whole shares only: SPY; not to be sold short: IBM"
    pair = Asset("BTC/USD", True, True, True, False, None, None, None)
    assert "short" not in assets_told([pair]).text


ACCOUNT = Account(Snapshot(AT, "PA0000001234", "USD", 500.0, 500.0, 0.0, (), ()), "", 1.0, False, ())


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (ACCOUNT, Answer(Verdict.WARNING, "paper account that ends in 1234 has nothing to buy with", "put money in")),
        (replace(ACCOUNT, bar="its status is ONBOARDING"), Answer(Verdict.NO, "its status is ONBOARDING", "log in")),
    ],
)
def test_an_account_that_cannot_buy_is_told(account: Account, expected: Answer) -> None:
    """One without money is a warning: it may still sell."""
    answer = account_told(account, "paper")
    assert answer.verdict is expected.verdict
    assert expected.text in answer.text
    assert answer.remedy.startswith(expected.remedy)
