"""A live session against the sandbox in lock-step: how it begins, goes on after a stop, and ends."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
import requests

from brokers import AlpacaVenue
from feeds import AlpacaBars, SampleBars
from framework import Live, run
from framework.app.sandbox import Sandbox
from framework.errors import AuthenticationError, ConfigError
from framework.live.journal import JournalReader
from framework.live.keeper import watch_account

DAY = "2026-10-05"
OPEN = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Journals of their own."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    return tmp_path


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Half an hour of SPY and IBM."""
    with Sandbox(SampleBars(["SPY", "IBM"], DAY, OPEN + timedelta(minutes=30))) as served:
        yield served


def live(strategy: type[bt.Strategy], sandbox: Sandbox, how: Live | bool = True, **options: Any) -> Any:
    """Run a strategy live on the sandbox's two symbols."""
    there = {"base_url": sandbox.url, "key": sandbox.key, "secret": sandbox.secret}
    symbols = options.pop("symbols", ["SPY", "IBM"])
    return run(strategy, source=AlpacaBars(symbols, **there), venue=AlpacaVenue(**there), live=how, **options)


def asked(sandbox: Sandbox, method: str, path: str, **body: Any) -> Any:
    """Ask the sandbox for something, as somebody else with the same account."""
    keys = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}
    answer = requests.request(method, f"{sandbox.url}/v2{path}", json=body or None, headers=keys, timeout=10)
    answer.raise_for_status()
    return answer.json() if answer.content else None


class Scripted(bt.Strategy):
    """Does what `script` says at each `next`, by its number, and notes what it hears."""

    params = (("script", None),)

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.said: list[str] = []
        self.count = 0

    def next(self) -> None:
        self.count += 1
        if step := (self.p.script or {}).get(self.count):
            step(self)

    def notify_order(self, order: bt.Order) -> None:
        self.heard.append((order.getstatusname(), len(self)))

    def notify_store(self, message: str, *_: Any) -> None:
        self.said.append(message)


def stop(strategy: Scripted) -> None:
    strategy.env.runstop()


def test_session_goes_on_with_its_position_cash_and_open_order(sandbox: Sandbox) -> None:
    """After a stop the strategy has what it had, hears of its open order, and can cancel it."""

    def hold(strategy: Scripted) -> None:
        strategy.sell(size=10, exectype=bt.Order.Limit, price=strategy.data.close[0] * 1.5)

    first = live(
        Scripted, sandbox, Live(session="on"), cash=50_000,
        script={1: lambda s: s.buy(size=10), 3: hold, 5: stop},
    )  # fmt: skip
    before = first.strategy.broker.getcash(), first.strategy.position.size
    assert any("still open" in note for note in first.notes)

    seen: dict[str, Any] = {}

    def look(strategy: Scripted) -> None:
        seen["cash"], seen["size"] = strategy.broker.getcash(), strategy.position.size
        (order,) = strategy.broker.get_orders_open()
        strategy.cancel(order)
        seen["order"] = order.getordername(), order.size

    def leave(strategy: Scripted) -> None:
        strategy.close()

    second = live(Scripted, sandbox, Live(session="on"), cash=1, script={1: look, 3: leave})
    assert (seen["cash"], seen["size"]) == before
    assert seen["order"] == ("Limit", -10)
    assert [status for status, _ in second.strategy.heard] == [
        "Accepted", "Canceled", "Submitted", "Accepted", "Completed",
    ]  # fmt: skip
    assert second.strategy.position.size == 0
    assert list(second.trades["size"]) == [10]


def test_an_order_that_filled_while_nobody_ran_is_told_before_the_first_next(sandbox: Sandbox) -> None:
    """The venue went on; the next run hears of the fill first."""

    def enter(strategy: Scripted) -> None:
        strategy.buy(size=7, exectype=bt.Order.Limit, price=strategy.data.close[0] * 1.2)
        strategy.env.runstop()

    live(Scripted, sandbox, Live(session="away"), script={2: enter})
    sandbox.step(3)
    second = live(Scripted, sandbox, Live(session="away"))
    assert second.strategy.heard[-1][0] == "Completed"
    assert second.strategy.position.size == 7
    assert asked(sandbox, "GET", "/positions/SPY")["qty"] == "7"


def test_position_in_the_account_is_taken_only_when_adopted(sandbox: Sandbox) -> None:
    """What was there before belongs to nobody here until it is asked for by name."""
    asked(sandbox, "POST", "/orders", symbol="IBM", qty="5", side="buy", type="market", time_in_force="day")
    sandbox.step(2)
    held: list[float] = []

    def look(strategy: Scripted) -> None:
        held.append(strategy.getposition(strategy.datas[1]).size)
        strategy.env.runstop()

    live(Scripted, sandbox, script={1: look})
    live(Scripted, sandbox, Live(adopt=("IBM",)), script={1: look})
    assert held == [0, 5]
    with pytest.raises(ConfigError, match="adopt names SPY, but the account holds none; it holds IBM 5"):
        live(Scripted, sandbox, Live(adopt=("SPY",)))


def test_session_whose_shares_were_sold_elsewhere_does_not_go_on(sandbox: Sandbox) -> None:
    """A difference that nothing explains stops the start, with what the two sides hold."""
    live(Scripted, sandbox, Live(session="gone"), script={1: lambda s: s.buy(size=4), 4: stop})
    asked(sandbox, "DELETE", "/positions/SPY")
    sandbox.step(2)
    with pytest.raises(ConfigError, match="SPY: journal 4, account 0"):
        live(Scripted, sandbox, Live(session="gone"))


def test_strangers_orders_change_nothing(sandbox: Sandbox) -> None:
    """Another program on the same account trades the same symbol: the session's ledger is its own."""
    order = {"symbol": "SPY", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"}
    result = live(
        Scripted, sandbox,
        script={1: lambda s: s.buy(size=10), 2: lambda _: asked(sandbox, "POST", "/orders", **order)},
    )  # fmt: skip
    assert result.strategy.position.size == 10
    assert len(result.fills) == 1
    assert asked(sandbox, "GET", "/positions/SPY")["qty"] == "13"


def test_order_cancelled_by_hand_reaches_the_strategy(sandbox: Sandbox) -> None:
    """Somebody presses cancel at the broker: the strategy hears Canceled."""

    def rest(strategy: Scripted) -> None:
        strategy.buy(size=1, exectype=bt.Order.Limit, price=strategy.data.close[0] * 0.5)

    result = live(Scripted, sandbox, script={1: rest, 4: lambda _: asked(sandbox, "DELETE", "/orders")})
    assert [status for status, _ in result.strategy.heard] == ["Submitted", "Accepted", "Canceled"]


def test_order_changed_by_hand_reaches_the_strategy(sandbox: Sandbox) -> None:
    """Somebody makes a bid larger and dearer at the broker: the strategy is told, and books what was filled."""

    def bid(strategy: Scripted) -> None:
        strategy.buy(size=3, exectype=bt.Order.Limit, price=strategy.data.close[0] * 0.5)

    def change(_: Scripted) -> None:
        (order,) = asked(sandbox, "GET", "/orders")
        asked(sandbox, "PATCH", f"/orders/{order['id']}", qty="5", limit_price="500")

    result = live(Scripted, sandbox, script={1: bid, 3: change})
    assert [each for each in result.strategy.said if "was changed at the venue" in each]
    assert [status for status, _ in result.strategy.heard] == ["Submitted", "Accepted", "Completed"]
    assert result.strategy.position.size == 5


def test_intent_is_in_the_journal_before_the_order_is_at_the_venue(sandbox: Sandbox, sessions: Path) -> None:
    """Every order of the venue's has an intent under its id."""
    live(Scripted, sandbox, Live(session="book"), script={1: lambda s: s.buy(size=1), 3: lambda s: s.sell(size=1)})
    with JournalReader(sessions / "book.sqlite") as journal:
        kinds = [each.kind for each in journal.entries()]
        intents = [each.key for each in journal.entries("intent")]
    at_venue = [each["client_order_id"] for each in asked(sandbox, "GET", "/orders?status=all&direction=asc")]
    assert intents == at_venue
    assert (kinds[0], kinds[-1]) == ("start", "stop")


def test_an_amount_of_money_buys_as_much_live_as_in_a_backtest(sandbox: Sandbox) -> None:
    """`buy(notional=1000)` is sent as an amount; what it bought is the position, and the order is Completed."""
    spend = {1: lambda s: s.buy(notional=1_000)}
    result = live(Scripted, sandbox, script=spend)
    (order,) = asked(sandbox, "GET", "/orders?status=all")
    assert (order["notional"], order["qty"]) == ("1000", None)
    assert result.fills["value"].sum() == pytest.approx(1_000, abs=0.01)
    assert result.strategy.heard[-1][0] == "Completed"
    source = SampleBars(["SPY", "IBM"], DAY, OPEN + timedelta(minutes=30))
    tested = run(Scripted, source=source, venue=AlpacaVenue(), script=spend)
    assert tested.fills["value"].sum() == pytest.approx(1_000, rel=0.01)


def test_extended_hours_are_asked_for_at_the_venue(sandbox: Sandbox) -> None:
    """`extended_hours=True` on a limit order goes as it is, for the day."""

    def ask(strategy: Scripted) -> None:
        price = strategy.data.close[0] * 0.5
        strategy.buy(size=1, exectype=bt.Order.Limit, price=price, valid=0, extended_hours=True)

    live(Scripted, sandbox, script={1: ask, 3: stop})
    (order,) = asked(sandbox, "GET", "/orders?status=all")
    assert (order["extended_hours"], order["time_in_force"]) == (True, "day")


def test_an_order_is_replaced_and_stays_the_same_order(sandbox: Sandbox) -> None:
    """A bid far away is moved to where it fills, live as in a backtest; the strategy hears Completed of its order."""
    bids: list[bt.Order] = []

    def bid(strategy: Scripted) -> None:
        bids.append(strategy.buy(size=3, exectype=bt.Order.Limit, price=strategy.data.close[0] * 0.5))

    def move(strategy: Scripted) -> None:
        strategy.broker.replace(bids[0], size=2, price=strategy.data.close[0] * 1.1)

    result = live(Scripted, sandbox, script={1: bid, 3: move})
    assert not [each for each in result.strategy.said if "changed" in each]
    assert [status for status, _ in result.strategy.heard] == ["Submitted", "Accepted", "Completed"]
    assert (result.strategy.position.size, list(result.orders["filled"])) == (2, [2])
    source = SampleBars(["SPY", "IBM"], DAY, OPEN + timedelta(minutes=30))
    bids.clear()
    tested = run(Scripted, source=source, venue=AlpacaVenue(), script={1: bid, 3: move})
    assert list(tested.fills["price"]) == list(result.fills["price"])
    assert list(tested.fills["size"]) == [2]
    replaced, filled = sorted(asked(sandbox, "GET", "/orders?status=all"), key=lambda each: each["created_at"])
    assert (replaced["status"], filled["status"], filled["replaces"]) == ("replaced", "filled", replaced["id"])


def test_what_was_decided_against_is_in_the_journal(sandbox: Sandbox, sessions: Path) -> None:
    """An order that the rules or the session's cash refuse never leaves, and the journal says why."""

    def ask(strategy: Scripted) -> None:
        strategy.buy(size=1e-6)
        strategy.buy(size=1_000_000)

    live(Scripted, sandbox, Live(session="no"), script={1: ask, 3: stop})
    with JournalReader(sessions / "no.sqlite") as journal:
        refused = [(each.key, each.body["order"], each.body["reason"]) for each in journal.entries("refused")]
    assert refused == [
        ("SPY", "buy 1e-06 Market", "cost basis must be >= minimal amount of order 1"),
        ("SPY", "buy 1e+06 Market", "Margin"),
    ]
    assert asked(sandbox, "GET", "/orders?status=all") == []


def test_cash_is_never_more_than_the_account_has(sandbox: Sandbox) -> None:
    """A session is given what it asks for, or what there is, and says so."""
    result = live(Scripted, sandbox, cash=1_000_000, script={1: stop})
    assert result.cash == 100_000
    assert "cash=1e+06 is more than the account has; the session has 100000" in result.notes


def test_error_of_the_strategys_own_ends_the_session_and_is_in_the_journal(sandbox: Sandbox, sessions: Path) -> None:
    """The user's exception comes through as it is; nothing that was asked for in that callback is sent."""

    def fail(strategy: Scripted) -> None:
        strategy.buy(size=1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        live(Scripted, sandbox, Live(session="broken"), script={2: fail})
    with JournalReader(sessions / "broken.sqlite") as journal:
        assert journal.last("stop").body == {"why": "ZeroDivisionError"}
    assert asked(sandbox, "GET", "/orders?status=all") == []


def test_interrupt_ends_the_session_cleanly(sandbox: Sandbox) -> None:
    """Ctrl-C gives the result so far."""

    def interrupt(_: Scripted) -> None:
        raise KeyboardInterrupt

    result = live(Scripted, sandbox, script={3: interrupt})
    assert len(result.strategy) == 3
    assert any(note.startswith("interrupted") for note in result.notes)


def test_wrong_key_is_one_line(sandbox: Sandbox) -> None:
    """Nothing starts, and the secret is not in the message."""
    there = {"base_url": sandbox.url, "key": sandbox.key, "secret": "not-the-secret"}
    with pytest.raises(AuthenticationError) as caught:
        run(Scripted, source=AlpacaBars(["SPY"], **there), venue=AlpacaVenue(**there), live=True)
    assert "\n" not in str(caught.value)
    assert "not-the-secret" not in str(caught.value)


def test_prices_and_orders_of_different_worlds_are_refused(sandbox: Sandbox) -> None:
    """Bars of a sandbox must not drive orders on an account, nor the other way."""
    there = {"base_url": sandbox.url, "key": sandbox.key, "secret": sandbox.secret}
    with pytest.raises(ConfigError, match="of different worlds"):
        run(Scripted, source=AlpacaBars(["SPY"], **there), venue=AlpacaVenue(key="k", secret="s"), live=True)


def test_shares_sold_elsewhere_are_taken_off_the_ledger_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sells at the broker what the session holds: two looks at the account later the session knows."""
    monkeypatch.setattr("framework.trade.watch_account", partial(watch_account, every=0.1))
    with Sandbox(SampleBars(["SPY", "IBM"], DAY, OPEN + timedelta(minutes=30)), speed=600.0) as sandbox:

        class Holder(Scripted):
            def notify_order(self, order: bt.Order) -> None:
                super().notify_order(order)
                if order.status == order.Completed:
                    asked(sandbox, "DELETE", "/positions/SPY")

            def notify_store(self, message: str, *rest: Any) -> None:
                super().notify_store(message)
                if "somebody else traded it" in message:
                    self.env.runstop()

        result = live(Holder, sandbox, script={1: lambda s: s.buy(size=10)}, warmup=0)
    assert result.strategy.said[-1].startswith("SPY: the account holds 0 and this session's ledger 10")
    assert result.strategy.position.size == 0
