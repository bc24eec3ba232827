"""Sessions on ALGOGENE in which something goes wrong: no order twice, none lost, the net the venue's."""

from __future__ import annotations

from typing import Any

import pytest
from algogene_desk import PRICES, Scripted, backtested, book, lived, net, rows, served, stop
from backtrader import Order

from brokers.algogene import holdings
from brokers.algogene.protocol import Endpoint
from brokers.algogene.sending import Sending
from brokers.algogene.telling import Telling
from brokers.algogene.trading import TRIES
from brokers.algogene.wishes import Wishes
from framework import Live
from framework.app.sandbox import Sandbox
from framework.engine.live_broker import LiveBroker
from framework.errors import ConnectionLost
from framework.model import OrderStatus, OrderUpdate

SCRIPT: dict[int, Any] = {1: lambda s: s.buy(size=2), 4: lambda s: s.close()}


class Killed(BaseException):
    """The process is gone."""


def killed(*_: Any, **__: Any) -> Any:
    raise Killed


LOST_ANSWERS = [
    (fault, path)
    for fault in ("gateway_timeout", "html_answer", "odd_answer", "cut_answer", "expired_token")
    for path in ("/open_order", "/close_orders")
]


@pytest.mark.parametrize(("fault", "path"), LOST_ANSWERS)
def test_an_answer_that_is_lost_costs_nothing(fault: str, path: str) -> None:
    """What was carried out is found by its reference, what was not is asked for again: the fills are the backtest's."""
    with served() as sandbox:
        sandbox.fault(fault, match={"path": path})
        live = lived(sandbox, SCRIPT)
        assert rows(live) == rows(backtested(SCRIPT))
        assert len(book(sandbox).entries) == 1
        assert net(sandbox) == live.strategy.position.size == 0


@pytest.mark.parametrize("path", ["/opened_trades", "/pending_trades", "/strategy_trade", "/query_order", "/session"])
@pytest.mark.parametrize("fault", ["html_answer", "odd_answer"])
def test_polls_that_fail_are_made_again(fault: str, path: str) -> None:
    """Nothing is concluded from them."""
    with served() as sandbox:
        sandbox.fault(fault, match={"path": path}, after=1 if path != "/session" else 0)
        assert rows(lived(sandbox, SCRIPT)) == rows(backtested(SCRIPT))


def test_two_tokens_in_a_row_that_are_refused_do_not_end_a_session() -> None:
    """It waits, and goes on with a third."""
    with served() as sandbox:
        sandbox.fault("expired_token", count=3, after=4)
        assert rows(lived(sandbox, SCRIPT)) == rows(backtested(SCRIPT))


def test_an_order_that_never_arrived_is_rejected_and_not_sent_again() -> None:
    """It was looked up, and was not there."""
    with served() as sandbox:
        sandbox.fault("bad_gateway", match={"path": "/open_order"})
        live = lived(sandbox, {1: lambda s: s.buy(size=2)})
        assert live.strategy.story("a") == ["Submitted", "Rejected"]
        assert "never reached" in live.strategy.reasons[0]
        assert book(sandbox).entries == {}


def test_an_order_that_the_venue_rejects_later_is_told_so() -> None:
    """It was taken, and then it was not: in the venue's own words."""
    with served() as sandbox:
        sandbox.fault("rejected")
        live = lived(sandbox, {1: lambda s: s.buy(size=2)})
        assert live.strategy.story("a")[-1] == "Rejected"
        assert live.strategy.reasons[-1] == "rejected by broker"


def test_a_close_is_over_when_its_trade_is_gone() -> None:
    """ "Submitted" is not done: the position is held until it is."""
    with served() as sandbox:
        sandbox.fault("slow_close", seconds=120)
        live = lived(sandbox, SCRIPT)
        assert live.strategy.held == [0, 2, 2, 2, 2, 2, 0, 0, 0, 0]
        assert [each[3] for each in rows(live)] == [101.0, 106.0]


def test_a_close_that_is_lost_is_asked_for_again() -> None:
    """It was "submitted", and never carried out: after a minute it is asked for once more."""
    with served() as sandbox:
        sandbox.fault("lost_close")
        live = lived(sandbox, SCRIPT)
        assert live.strategy.story("b") == ["Submitted", "Accepted", "Completed"]
        assert net(sandbox) == live.strategy.position.size == 0


def test_no_position_is_opened_while_quotes_stand_still() -> None:
    """It would be filled at a price that is none; what is held can be closed."""
    script = {2: lambda s: s.buy(size=1), 5: lambda s: [s.close(), s.buy(size=3)], 9: lambda s: s.buy(size=1)}
    with served() as sandbox:
        sandbox.fault("frozen_quotes", stream="algogene", after=3, count=3)
        live = lived(sandbox, script)
        assert [status for name, status in live.strategy.heard if name == "c"] == ["Rejected"]
        assert "stands still" in live.strategy.reasons[0]
        assert live.strategy.story("b")[-1] == live.strategy.story("d")[-1] == "Completed"


def test_another_brokers_quotes_do_not_get_into_the_bars() -> None:
    """They come in between, at other prices; so do quotes that go back."""
    with served() as sandbox:
        sandbox.fault("interleaved_brokers", count=0)
        sandbox.fault("backward_timestamps", count=0)
        sandbox.fault("no_price", after=2)
        live = lived(sandbox, SCRIPT)
        assert list(live.bars["BTCUSD"].close) == list(PRICES)
        assert rows(live) == rows(backtested(SCRIPT))


def test_a_socket_that_drops_costs_no_bar() -> None:
    """What it left out is asked of history, in its place."""
    with served() as sandbox:
        sandbox.fault("drop", stream="algogene", after=10)
        assert list(lived(sandbox, SCRIPT).bars["BTCUSD"].close) == list(PRICES)


# Restarts


def test_a_session_goes_on_with_its_position_and_its_open_order() -> None:
    """The position is closed by the trade that the first run opened, and its order fills in the second."""

    def begun(strategy: Scripted) -> list[Any]:
        return [strategy.buy(size=2), strategy.sell(size=1, exectype=Order.Limit, price=105.5)]

    with served() as sandbox:
        first = lived(sandbox, {1: begun, 3: stop})
        assert first.strategy.held == [0, 2, 2]
        second = lived(sandbox, {})
        assert second.strategy.held[0] == 2
        assert second.strategy.held[-1] == net(sandbox) == 1
        assert [each.order_ref for each in book(sandbox).entries.values()] != []


def test_a_bracket_goes_on_over_a_restart() -> None:
    """Its levels are at the venue; who they belong to is in the journal."""
    with served() as sandbox:
        entry = {1: lambda s: s.buy_bracket(size=1, exectype=Order.Market, limitprice=105.5, stopprice=90), 3: stop}
        lived(sandbox, entry)
        second = lived(sandbox, {})
        assert second.strategy.held[0] == 1
        assert second.strategy.held[-1] == net(sandbox) == 0
        assert [status for _, status in second.strategy.heard][-2:] == ["Completed", "Canceled"]


@pytest.mark.parametrize("where", [(Sending, "open"), (Telling, "seen"), (Wishes, "close")])
def test_a_kill_around_the_sending_doubles_nothing(where: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the order left, after it was taken, before a close: the next run finds out which."""
    with served() as sandbox:
        with monkeypatch.context() as patched:
            patched.setattr(*where, killed)
            with pytest.raises(Killed):
                lived(sandbox, {1: lambda s: s.buy(size=2), 3: lambda s: s.close()})
        second = lived(sandbox, {})
        assert len(book(sandbox).entries) == (0 if where[1] == "open" else 1)
        assert second.strategy.held[-1] == net(sandbox) == (2 if where[1] == "seen" else 0)


def test_a_close_is_not_taken_for_a_level_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The close was told and the end of the levels was not, when the process died: the next run tells that alone."""
    usual = LiveBroker.take

    def forgetful(self: LiveBroker, update: OrderUpdate) -> None:
        if update.status is not OrderStatus.CANCELED:
            usual(self, update)

    bracket = {1: lambda s: s.buy_bracket(size=1, exectype=Order.Market, limitprice=150, stopprice=90)}
    with served() as sandbox:
        with monkeypatch.context() as patched:
            patched.setattr(LiveBroker, "take", forgetful)
            lived(sandbox, {**bracket, 3: lambda s: s.close(), 6: stop})
        second = lived(sandbox, {})
        assert [status for _, status in second.strategy.heard][-2:] == ["Canceled", "Canceled"]
        assert second.strategy.held[-1] == net(sandbox) == 0


def test_a_position_of_the_account_is_taken_over(served_position: Sandbox) -> None:
    """Adopted, it is the session's: its trade, which another opened, is what a close closes."""
    live = Live(session="other", adopt=("BTCUSD",), durable="OFF")
    adopted = lived(served_position, {2: lambda s: s.close()}, live=live)
    assert adopted.strategy.held[0] == 2
    assert net(served_position) == 0


def test_what_others_hold_is_left_alone(served_position: Sandbox) -> None:
    """A sale opens a trade of its own, though another's stands against it."""
    live = lived(served_position, {2: lambda s: s.sell(size=1)}, live=Live(session="other", durable="OFF"))
    assert live.strategy.position.size == -1
    assert sorted(each.held * each.side.sign for each in book(served_position).opened) == [-1, 2]


@pytest.fixture
def served_position() -> Any:
    """An account that holds what another session bought."""
    with served() as sandbox:
        lived(sandbox, {1: lambda s: s.buy(size=2), 3: stop})
        yield sandbox


def test_an_entry_that_cannot_be_planned_now_is_not_sent_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held cannot be found out: an entry is rejected, and an exit waits until it can."""
    usual = holdings.opened_trades
    left = iter(range(2 * TRIES - 1))

    def failing(endpoint: Endpoint) -> Any:
        if next(left, None) is not None:
            raise ConnectionLost("ALGOGENE", "the line is down")
        return (yield from usual(endpoint))

    def broken(strategy: Scripted) -> list[Any]:
        monkeypatch.setattr(holdings, "opened_trades", failing)
        return [strategy.buy(size=1), strategy.close()]

    with served() as sandbox:
        live = lived(sandbox, {1: lambda s: s.buy(size=2), 3: broken})
        assert live.strategy.story("b") == ["Submitted", "Rejected"]
        assert "the order was not sent" in live.strategy.reasons[0]
        assert live.strategy.story("c")[-1] == "Completed"
        assert net(sandbox) == 0
