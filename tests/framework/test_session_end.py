"""How a session ends, and what goes before its strategy's will: stop, the day's close, the kill switch."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest

from brokers import AlpacaVenue
from feeds import AlpacaBars, SampleBars
from framework import Live, run
from framework.app.sandbox import Sandbox
from framework.errors import AuthenticationError, ConfigError
from framework.live.killswitch import Pulled, lift, pull

DAY = "2026-10-05"
OPEN = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
DEADLINE = 30


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Journals of their own."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    return tmp_path


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Half an hour of SPY."""
    with Sandbox(SampleBars(["SPY"], DAY, OPEN + timedelta(minutes=30))) as served:
        yield served


class Scripted(bt.Strategy):
    """Does what `script` says at each `next`, by its number, and notes what it hears."""

    params = (("script", None),)

    def __init__(self) -> None:
        self.heard: list[tuple[int, str]] = []
        self.reasons: list[str] = []
        self.said: list[str] = []
        self.count = 0

    def next(self) -> None:
        self.count += 1
        if step := (self.p.script or {}).get(self.count):
            step(self)

    def notify_order(self, order: bt.Order) -> None:
        self.heard.append((order.ref, order.getstatusname()))
        self.reasons.append(order.info.get("reason", ""))

    def notify_store(self, message: str, *_: Any) -> None:
        self.said.append(message)


def live(sandbox: Sandbox, script: dict[int, Any], how: Live | bool = True, **options: Any) -> Any:
    """Run a script on a sandbox."""
    source = AlpacaBars(["SPY"], **sandbox.access)
    return run(
        Scripted, source=source, venue=AlpacaVenue(**sandbox.access), live=how, script=script,
        **{"warmup": 0} | options,
    )  # fmt: skip


def buy(strategy: Scripted) -> None:
    strategy.buy(size=10)


def far_entry(strategy: Scripted) -> None:
    strategy.buy(size=1, exectype=bt.Order.Limit, price=strategy.data.close[0] * 0.5)


def take_profit(strategy: Scripted) -> None:
    strategy.sell(size=10, exectype=bt.Order.Limit, price=strategy.data.close[0] * 1.5)


def interrupt(strategy: Scripted) -> None:
    import signal

    signal.raise_signal(signal.SIGINT)


def test_interrupt_cancels_entries_and_leaves_what_protects(sandbox: Sandbox) -> None:
    """The strategy hears of the cancelled entry, and the exit is listed as open at the venue."""
    result = live(sandbox, {1: buy, 3: far_entry, 4: take_profit, 6: interrupt})
    assert [status for _, status in result.strategy.heard if status == "Canceled"] == ["Canceled"]
    assert next(note for note in result.notes if "still open" in note).endswith("Limit sell 10 SPY")
    assert "interrupted" in result.notes
    (order,) = result.strategy.broker.get_orders_open()
    assert order.issell()


def test_order_asked_for_while_a_session_ends_is_refused(sandbox: Sandbox) -> None:
    """In the same breath as the interrupt: nothing new is opened."""

    def both(strategy: Scripted) -> None:
        interrupt(strategy)
        strategy.buy(size=1)

    result = live(sandbox, {3: both, 4: buy})
    assert result.strategy.position.size == 0


def test_session_until_the_close_ends_with_the_day() -> None:
    """Of two days on the tape it plays one, and leaves nothing that would open a position."""
    with Sandbox(SampleBars(["SPY"], "2026-11-27", "2026-11-30")) as sandbox:
        result = live(sandbox, {2: far_entry}, Live(until="close"))
    assert str(result.bars["SPY"].end[-1]) == "2026-11-27T18:00:00.000000"
    assert "the day's close" in result.notes
    assert result.strategy.broker.get_orders_open() == []


@pytest.mark.parametrize("until", ["noon", "Close"])
def test_end_that_is_not_known_is_refused(sandbox: Sandbox, until: Any) -> None:
    """One line says what there is."""
    with pytest.raises(ConfigError, match='it is "close", or None'):
        live(sandbox, {}, Live(until=until))


def test_halted_session_opens_nothing_and_closes_all_the_same(sandbox: Sandbox, sessions: Path) -> None:
    """Its open entry is cancelled, a new one is Rejected with the reason, an exit goes through."""

    def halt(strategy: Scripted) -> None:
        pull(sessions, Pulled(OPEN, reason="the news"))

    result = live(sandbox, {1: buy, 2: far_entry, 3: halt, 4: buy, 5: lambda s: s.close()})
    statuses = [status for _, status in result.strategy.heard]
    assert statuses.count("Canceled") == 1
    assert statuses.count("Rejected") == 1
    assert any("(the news): no order is sent; switchback resume lifts it" in each for each in result.strategy.reasons)
    assert result.strategy.position.size == 0
    assert any("exits and cancels still pass" in each for each in result.strategy.said)


def test_halt_that_is_lifted_lets_the_session_go_on(sandbox: Sandbox, sessions: Path) -> None:
    """The strategy hears of both, and buys again."""
    result = live(sandbox, {
        2: lambda s: pull(sessions, Pulled(OPEN)), 4: buy, 6: lambda s: lift(sessions, ""), 8: buy,
    })  # fmt: skip
    assert [status for _, status in result.strategy.heard] == ["Rejected", "Submitted", "Accepted", "Completed"]
    assert any(each.startswith("resumed; it was halted") for each in result.strategy.said)


def test_halt_that_flattens_is_verified_with_the_account(sandbox: Sandbox, sessions: Path) -> None:
    """Cancelled, closed, and the account says so; what the strategy asks for meanwhile is refused, exits too."""
    result = live(sandbox, {
        1: buy, 2: take_profit, 4: lambda s: pull(sessions, Pulled(OPEN, flatten=True)), 5: lambda s: s.close(), 9: buy,
    })  # fmt: skip
    assert result.strategy.position.size == 0
    assert result.not_flat == ()
    assert result.fills["position"].iloc[-1] == 0
    assert len(result.fills) == 2


def test_halted_session_that_starts_stays_halted(sandbox: Sandbox, sessions: Path) -> None:
    """Until it is resumed, whoever starts it."""
    pull(sessions, Pulled(OPEN, session="mine"))
    result = live(sandbox, {1: buy}, Live(session="mine"))
    assert [status for _, status in result.strategy.heard] == ["Rejected"]


def test_account_that_disagrees_is_told(sandbox: Sandbox, sessions: Path) -> None:
    """Somebody else bought meanwhile: flat by the ledger is not flat in the account, and the result says so."""

    def other(strategy: Scripted) -> None:
        import requests

        keys = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}
        order = {"symbol": "SPY", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"}
        requests.post(f"{sandbox.url}/v2/orders", json=order, headers=keys, timeout=10).raise_for_status()

    result = live(sandbox, {1: buy, 2: other, 5: lambda s: pull(sessions, Pulled(OPEN, flatten=True))})
    assert result.not_flat == ("NOT verified flat: the account holds 3 of SPY, where 0 are not this session's",)


# -- in the background


def test_background_session_is_stopped_and_gives_its_result() -> None:
    """`run` returns at once; `stop` ends it as Ctrl-C does."""
    began = threading.Event()
    with Sandbox(SampleBars(["SPY"], DAY, DAY), speed=600) as sandbox:
        running = live(sandbox, {2: lambda s: began.set()}, background=True)
        assert running.is_running
        assert began.wait(DEADLINE)
        running.stop(DEADLINE)
        result = running.result(0)
    assert not running.is_running
    assert "interrupted" in result.notes


def test_background_session_that_ends_by_itself_gives_its_result(sandbox: Sandbox) -> None:
    """At the end of the tape."""
    result = live(sandbox, {1: buy}, background=True).result(DEADLINE)
    assert result.strategy.position.size == 10


def test_background_session_that_cannot_begin_says_why(sandbox: Sandbox) -> None:
    """With a wrong key; what broke it off is raised by `result`."""
    access = sandbox.access | {"secret": "wrong"}
    running = run(
        bt.Strategy, source=AlpacaBars(["SPY"], **access), venue=AlpacaVenue(**access), live=True, background=True
    )
    with pytest.raises(AuthenticationError):
        running.result(DEADLINE)
    assert "broken off" in repr(running)


def test_stop_before_the_first_bar_ends_a_session(sandbox: Sandbox) -> None:
    """Asked for while it begins, it ends as soon as it has begun."""
    running = live(sandbox, {}, background=True)
    running.stop(DEADLINE)
    assert len(running.result().strategy) <= 1


def test_backtest_has_no_background() -> None:
    """It says what background is for."""
    with pytest.raises(ConfigError, match="is for a live session"):
        run(bt.Strategy, source=SampleBars(["SPY"], DAY, DAY), background=True)


# -- start and end


def test_start_begins_the_warm_up_and_end_is_told_to_count_for_nothing() -> None:
    """Ten minutes before the session are its history, in which nothing trades."""
    with Sandbox(SampleBars(["SPY"], DAY, OPEN + timedelta(minutes=30))) as sandbox:
        sandbox.step(12)
        source = AlpacaBars(["SPY"], OPEN + timedelta(minutes=2), "2026-10-30", **sandbox.access)
        result = run(Scripted, source=source, venue=AlpacaVenue(**sandbox.access), live=True)
    assert len(result.strategy.data) == 28
    assert len(result.bars["SPY"]) == 18
    assert any("end=2026-10-3" in note and "goes on until it is stopped" in note for note in result.notes)
