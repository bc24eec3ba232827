"""The 21 defects of alpaca-backtrader-api 0.15.0, each with what ours does.

The numbers are those of the issues that its users wrote: github.com/alpacahq/alpaca-backtrader-api/issues.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from asked import CLOSE, NOW, bracket, event, filled, fills, followed, order, planned, posted, shown, statuses
from desk import Desk, spy
from drills.drill_checks import bars as bars_check
from drills.drill_stage import Scene, impatient, in_memory, quick, quick_http, served, walk
from tape import OPEN, Tape

from brokers.alpaca.answers import Refused
from brokers.alpaca.exchanges import Taken, replace
from brokers.alpaca.following import Reports
from brokers.alpaca.groups import Hold
from brokers.alpaca.orders import changes
from feeds import AlpacaBars, SampleBars
from framework.app.sandbox import Sandbox
from framework.engine.live import Loop
from framework.errors import SwitchbackError
from framework.ground import Rig
from framework.live.records import LINK
from framework.model import GroupKind, OrderStatus, OrderType, OrderUpdate, Timeframe, TimeInForce
from framework.sandbox.market import Market
from framework.trade import trade

S = OrderStatus


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Sandbox() as sandbox, Desk(sandbox) as desk:
        yield desk


def test_defect_02_a_partial_fill_does_not_forget_the_order() -> None:
    """10 shares filled 5 and 5 are Partial, then Completed, each fill with its own 5 (issue 57)."""
    told = followed(filled(5, 100.0, 5, 100.0), filled(5, 102.0, 10, 101.0))
    assert statuses(told) == [S.PARTIALLY_FILLED, S.FILLED]
    assert fills(told) == [(5, 100.0), (5, 102.0)]


def test_defect_03_sizes_keep_their_fraction(desk: Desk) -> None:
    """2.5 shares are sent, taken and filled as 2.5."""
    desk.taken(spy(quantity=2.5, time_in_force=TimeInForce.DAY))
    desk.sandbox.step()
    shown = desk.found("run-1-1")
    assert (shown["qty"], shown["filled_qty"], shown["status"]) == ("2.5", "2.5", "filled")


def test_defect_04_a_stop_limit_keeps_its_trigger_and_its_limit_apart() -> None:
    """Trigger 105 and limit 106 are sent as such, not the other way round (issues 185, 50)."""
    body = posted(order(stop_price=105.0, limit_price=106.0)).body
    assert (body["type"], body["stop_price"], body["limit_price"]) == ("stop_limit", "105", "106")


def test_defect_05_a_cancelled_order_is_cancelled_and_nothing_more() -> None:
    """One Canceled, no Rejected after it; done_for_day, replaced and pending_* are no rejections (issue 127)."""
    told = followed(
        event("new", shown("new")),
        event("pending_cancel", shown("pending_cancel", seconds=1)),
        event("canceled", shown("canceled", seconds=2)),
        event("canceled", shown("canceled", seconds=2)),
    )
    assert statuses(told) == [S.NEW, S.PENDING_CANCEL, S.CANCELED]
    for said in ("done_for_day", "replaced", "pending_replace", "suspended", "calculated"):
        assert S.REJECTED not in statuses(followed(event(said, shown(said))))


@pytest.mark.parametrize("order_of_arrival", [(0, 1, 2, 3), (1, 0, 3, 2), (3, 2, 1, 0), (0, 0, 1, 1, 0)])
def test_defect_11_statuses_go_forward_and_come_once(order_of_arrival: tuple[int, ...]) -> None:
    """Submitted, Accepted, and never back to Submitted, whatever arrives when (issue 57)."""
    messages = [
        event("pending_new", shown("pending_new")),
        event("new", shown("new")),
        filled(4, 100.0, 4, 100.0),
        filled(6, 100.0, 10, 100.0),
    ]
    found = statuses(followed(*(messages[each] for each in order_of_arrival)))
    known = [S.PENDING_NEW, S.NEW, S.PARTIALLY_FILLED, S.FILLED]
    assert [known.index(each) for each in found] == sorted({known.index(each) for each in found})


def test_defect_14_legs_have_names_and_keep_them() -> None:
    """No arithmetic on refs: a leg stays the order that it was asked as, under another id too (issues 69, 80)."""
    reports = Reports()
    reports.expect(posted(*bracket(), kind=GroupKind.BRACKET), NOW)
    legs = [leg("P", "limit"), leg("S", "stop")]
    reports.see(shown("new", legs=legs), NOW)
    assert (reports.owner("P"), reports.owner("S")) == ("run-1-3", "run-1-2")
    moved = {**leg("S2", "stop"), "replaces": "S"}
    told = reports.hear(filled_leg(moved), NOW)
    assert (fills(told), statuses(told, "run-1-2")) == ([(10, 95.0)], [S.FILLED])


def leg(id: str, kind: str) -> Any:
    return shown("held", id=id, name=f"venue {id}", side="sell", type=kind)


def filled_leg(body: Any) -> Any:
    done = {**body, "status": "filled", "filled_qty": "10", "filled_avg_price": "95"}
    return event("fill", done, qty="10", price="95", execution_id="E")


def test_defect_14_a_single_leg_is_no_bracket(desk: Desk) -> None:
    """An entry with a stop alone is an OTO, which Alpaca takes (issue 77)."""
    stop = spy("run-1-2", "sell", stop_price=1.5)
    assert desk.taken(spy(), stop, kind=GroupKind.BRACKET).order["order_class"] == "oto"


def test_defect_15_valid_and_oco_are_not_ignored() -> None:
    """An order for the day is one; a date within it too, and we end it; two exits are an OCO."""
    assert posted(order(time_in_force=TimeInForce.DAY)).body["time_in_force"] == "day"
    dated = planned(order(time_in_force=TimeInForce.GTD, expires_at=CLOSE - timedelta(hours=1)))
    assert (dated.posts[0].body["time_in_force"], len(dated.duties)) == ("day", 1)
    assert posted(*bracket()[1:], kind=GroupKind.OCO, position=10).body["order_class"] == "oco"


@pytest.mark.parametrize("kind", list(OrderType))
def test_defect_15_every_type_goes_somewhere(kind: OrderType) -> None:
    """Each is sent, or is ours and says so; none is a KeyError."""
    found = planned(order(order_type=kind, stop_price=99.0, limit_price=98.0, trail_amount=1.0))
    assert len(found.posts) == (kind is not OrderType.TRAILING_STOP_LIMIT)
    assert bool(found.posts) or (isinstance(found.duties[0], Hold) and found.remarks)


def test_defect_15_an_order_can_be_replaced(desk: Desk) -> None:
    """One PATCH; the new order carries on from the old one."""
    name = desk.taken(spy(limit_price=9.0)).order["id"]
    answer = desk.send(replace(desk.endpoint, name, changes(spy("run-1-1.1", limit_price=9.5))))
    assert isinstance(answer, Taken)
    assert (answer.order["replaces"], answer.order["limit_price"]) == (name, "9.5")


def test_defect_16_a_refusal_reaches_the_order_with_its_reason(desk: Desk) -> None:
    """In the news of the order itself, Margin told from Rejected, and so does a later rejection (issue 127)."""
    answer = desk.submit(spy(quantity=1e6))
    assert isinstance(answer, Refused)
    update = answer.update("run-1-1", NOW)
    assert (update.status, update.is_margin) == (S.REJECTED, True)
    assert "insufficient buying power" in update.reason
    (late,) = followed({**event("rejected", shown("rejected")), "reason": "halted"})
    assert isinstance(late, OrderUpdate)
    assert (late.status, late.reason) == (S.REJECTED, "halted")


def test_defect_16_a_gateways_error_is_not_swallowed(desk: Desk) -> None:
    """It is an exception of ours, in one line, not a dict that nobody looks at."""
    desk.sandbox.fault("bad_gateway", count=0)
    with pytest.raises(SwitchbackError, match="look it up again"):
        desk.submit(spy())


def test_defect_18_a_fill_has_its_own_price_not_the_average() -> None:
    """5 at 100, then 5 at 102, of which the venue says 10 at 101: the trade's profit is right (issues 29, 72)."""
    told = followed(filled(5, 100.0, 5, 100.0), filled(5, 102.0, 10, 101.0))
    assert sum(size * price for size, price in fills(told)) == 10 * 101.0


def test_defect_18_a_snapshot_does_not_count_a_fill_again() -> None:
    """The stream tells it, a look-up and the activities tell it again: it is one."""
    reports = Reports()
    reports.expect(posted(order()), NOW)
    body = shown("filled", seconds=10, filled_qty="10", filled_avg_price="100")
    numbers = {"qty": "10", "price": "100"}
    told = reports.hear(event("fill", body, execution_id="E", **numbers), NOW)
    told += reports.see(body, NOW)
    told += reports.execute({"id": "0::E", "order_id": "A", "cum_qty": "10", **numbers}, NOW)
    assert fills(told) == [(10, 100.0)]


class Calm(bt.Strategy):
    """Looks at the account at each bar, as many strategies do, and writes down what it is told."""

    def __init__(self) -> None:
        self.bars: list[datetime] = []
        self.values: list[float] = []
        self.stories: dict[int, Any] = {}
        self.said: list[str] = []
        self.heard: list[tuple[str, str]] = []

    def notify_store(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.said.append(str(msg))

    def notify_order(self, order: Any) -> None:
        self.heard.append((order.data._name, order.getstatusname()))

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        self.bars.append(max(each.datetime.datetime(0) for each in self.datas if len(each)))
        self.values.append(self.broker.getvalue() + self.getposition(self.data).size)


class Eager(Calm):
    """Buys one of the first symbol at its second bar."""

    def next(self) -> None:
        super().next()
        if len(self.data) == 2:
            self.buy(data=self.data, size=1)


class Leaving(Calm):
    """Bids far below the market once, and ends the session after the fourth bar."""

    def next(self) -> None:
        super().next()
        if len(self.bars) == 2 and not self.broker.get_orders_open():
            self.buy(size=1, exectype=bt.Order.Limit, price=50.0)
        if len(self.bars) == 4:
            self.env.runstop()


@pytest.fixture
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where journals are kept."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    return tmp_path


def calm(minutes: int = 20, strategy: type[bt.Strategy] = Calm, **more: Any) -> Scene:
    return Scene(more.pop("tape", None) or walk(3, minutes), strategy, **more)


def test_defect_01_one_socket_for_all_symbols(sessions: Path) -> None:
    """A socket for each symbol was turned away for ever (issue 319); ours is one, connected once, for four symbols."""
    tape = walk(1, 10, ("SPY", "IBM", "AAPL", "MSFT"))
    played = in_memory(calm(tape=tape), sessions)
    links = [each.body["is_up"] for each in played.journal if each.kind == LINK and each.key == "data"]
    assert links == [True]
    assert list(bars_check(played)) == []


def test_defect_06_history_has_the_whole_session_of_new_york() -> None:
    """Minutes were cut to 09:30 to 16:00 of UTC (issue 320); ours are the session's 390, winter or summer."""
    with Sandbox(SampleBars(["SPY"], "2026-01-05", "2026-01-05")) as sandbox:
        sandbox.step(390)
        keys = {"base_url": sandbox.url, "key": sandbox.key, "secret": sandbox.secret}
        source = AlpacaBars("SPY", "2026-01-05", "2026-01-05", cache=False, now=sandbox.market.now, **keys)
        ends = source.history()["SPY"].end
    assert len(ends) == 390
    assert (str(ends[0])[11:16], str(ends[-1])[11:16]) == ("14:31", "21:00")


def test_defect_07_a_dropped_socket_costs_no_bar(sessions: Path) -> None:
    """Seven bars were lost in silence (issues 54, 146); ours are backfilled in order, and the strategy is told."""
    played = in_memory(calm(arm=lambda market: market.faults.arm("drop", stream="data", after=3)), sessions)
    assert list(bars_check(played)) == []
    states = [each for each in played.strategy.said if each.startswith("data:")]
    assert [each.split()[1].strip("():") for each in states] == ["up", "down", "up"]


def test_defect_08_an_outage_of_the_account_ends_nothing(sessions: Path) -> None:
    """`getvalue` raised AttributeError and ended the run; ours is the session's own ledger, always there."""

    def arm(market: Market) -> None:
        market.faults.arm("bad_gateway", stream="trading", after=6, count=40)

    played = in_memory(calm(12, Eager, speed=10.0, arm=arm), sessions)
    assert played.market.faults.made["bad_gateway"] > 0
    assert len(played.strategy.values) == len(played.result.bars["SPY"])
    assert played.book.account.holding("SPY").size == played.broker.getposition(played.strategy.data).size == 1


def test_defect_09_waiting_is_not_a_busy_loop(sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A core was busy all day (issue 129); ours wakes for news, and once a second for timers."""
    turns = []
    monkeypatch.setattr(Loop, "_turn", lambda loop, turn=Loop._turn: (turns.append(1), turn(loop))[1])
    played = in_memory(calm(4, speed=20.0), sessions)
    seconds = (played.market.now() - played.market.tape.starts_at).total_seconds() / 20
    assert len(turns) < 1.5 * seconds


def test_defect_10_no_request_for_a_bar(sessions: Path) -> None:
    """Account and positions were asked for at each bar (issues 45, 122); ours costs the same for any number of bars."""
    few, many = (_requests(minutes, sessions / str(minutes)) for minutes in (10, 60))
    assert few == many <= 6


def _requests(minutes: int, folder: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWITCHBACK_SESSIONS", str(folder))
        return in_memory(calm(minutes), folder).market.requests["trading"]


def test_defect_12_bars_bear_their_end(sessions: Path) -> None:
    """Bars were stamped with their start (issue 180): a strategy knew a minute before it was over."""
    played = in_memory(calm(5), sessions)
    assert played.strategy.bars[0] == (OPEN + timedelta(minutes=1)).replace(tzinfo=None) - timedelta(hours=5)


def test_defect_13_longer_bars_are_made_live(sessions: Path) -> None:
    """Compression was ignored live (issues 41, 85); ours makes five minutes of five minutes."""
    played = in_memory(calm(20, longer=(Timeframe.parse("5Min"),)), sessions)
    longer = next(data for data in played.strategy.datas if data._name == "SPY 5Min")
    minutes = played.result.bars["SPY"]
    assert len(longer) == 4
    assert (longer.open[0], longer.close[0]) == (minutes.open[15], minutes.close[19])


def test_defect_17_a_failing_history_is_asked_again(sessions: Path) -> None:
    """An error of history meant the end of the session (issues 64, 149); ours asks again, and goes on."""

    def arm(market: Market) -> None:
        market.faults.arm("bad_gateway", stream="market_data", count=3)
        market.faults.arm("missing_bar", count=2, after=4)

    played = in_memory(calm(arm=arm, warmup=3), sessions)
    assert played.market.faults.made["bad_gateway"] == 3
    assert list(bars_check(played)) == []


def test_defect_19_nobody_waits_for_a_symbol_that_does_not_trade(sessions: Path) -> None:
    """A start took a quote of every symbol, so minutes (issues 133, 146); ours trades one while the other is silent."""
    prices = [100.0 + at / 100 for at in range(20)]
    tape = Tape({"SPY": prices, "IBM": [None] * 15 + prices[15:]})
    played = in_memory(calm(strategy=Eager, tape=tape), sessions)
    assert played.result.fills["time"].iloc[0].to_pydatetime() <= OPEN + timedelta(minutes=4)


def test_defect_20_a_session_ends_whole_and_its_orders_are_known_again(sessions: Path) -> None:
    """Threads never ended and open orders were forgotten (issue 113); ours have names, and come back."""
    before = set(threading.enumerate())
    scene = calm(30, Leaving)
    with served(scene) as (sandbox, book, posts), impatient():
        source, venue = quick(sandbox.url, sandbox.key, sandbox.secret, scene.tape.symbols)
        rig = Rig(http=quick_http)
        runs = [
            trade(scene.piece(venue), [source], venue, (), 0, lambda kinds: [1 for _ in kinds], scene.live, rig)
            for _ in range(2)
        ]
    assert set(threading.enumerate()) == before
    (name,) = book.by_client_id
    assert name.startswith("drill-1-")
    assert dict(posts) == {name: 1}
    assert runs[1].strategy.heard == [("SPY", "Accepted")]
    assert [note for note in runs[1].notes if f"{name} is still open" in note]


def test_defect_21_nothing_is_pinned_but_backtrader() -> None:
    """Seven pins, a retired SDK and no Python after 3.8 (issue 671); ours needs no SDK, and has one pin."""
    needed = [each for each in metadata.requires("switchback") or [] if "extra ==" not in each]
    assert [re.split(r"[ =]", each)[0] for each in needed if "==" in each] == ["backtrader"]
    assert not [each for each in needed if "alpaca" in each]
