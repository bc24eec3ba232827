"""Splits, from the sandbox's book and its activities to what a session is told."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from desk_session import Trader
from desk_tape import spy
from hypothesis import given
from hypothesis import strategies as st
from sandbox_client import Rest
from tape import OPEN, Tape, bars

from brokers.alpaca.settings import Settings
from brokers.alpaca.splits import midnight, parts, read_splits
from framework.app.sandbox import Sandbox
from framework.columns import joined
from framework.errors import ProtocolError
from framework.model import OrderStatus, OrderType, Remark, Split, TimeInForce
from framework.sandbox.actions import Halted

with warnings.catch_warnings():
    # alpaca-py imports the legacy part of websockets.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.trading.client import TradingClient
    from alpaca.trading.models import NonTradeActivity

DAY = timedelta(days=1)
NIGHT = OPEN + timedelta(hours=17)
TUESDAY = date(2026, 1, 6)


@contextmanager
def night(ratio: float = 2.0, *, before: float = 100.0, state: Any = None, **settings: Any) -> Iterator[Sandbox]:
    """Two days of three minutes of SPY, split in the night between them."""
    days = joined([bars([before] * 3), bars([before / ratio] * 3, OPEN + DAY)])
    splits = [Split("SPY", NIGHT, ratio)]
    with Sandbox(Tape({"SPY": days}), splits=splits, state=state, settings=Settings(**settings)) as sandbox:
        yield sandbox


def until_night(sandbox: Sandbox) -> None:
    while datetime.fromisoformat(sandbox.state()["played_at"]) < NIGHT:
        sandbox.step()


def bought(sandbox: Sandbox, quantity: str = "100") -> Rest:
    """Buy SPY on the first day, and let the night come."""
    rest = Rest(sandbox)
    sandbox.step()
    rest.send(qty=quantity)
    until_night(sandbox)
    return rest


def read(*activities: dict[str, Any], held: float, fills: Any = ()) -> list[float]:
    """Return the ratios of what a handful of activities tell."""
    told = [{"activity_type": "SPLIT", "date": "2026-01-06", "symbol": "SPY", **each} for each in activities]
    return [each.ratio for each in read_splits(parts(told, TUESDAY), {"SPY": held}, fills)]


def test_a_split_changes_the_position_and_not_what_it_is_worth() -> None:
    """Twice as many shares at half the price; the account is worth what it was."""
    with night() as sandbox:
        rest = bought(sandbox)
        (position,) = rest.get("/v2/positions")
        account = rest.get("/v2/account")
    assert [position[each] for each in ("qty", "avg_entry_price", "current_price")] == ["200", "50", "50"]
    assert (account["equity"], account["cash"], account["last_equity"]) == ("100000", "90000", "100000")


def test_open_orders_of_the_symbol_are_canceled() -> None:
    """By the split, with an event; the prices that they name are gone."""
    with night() as sandbox:
        rest = Rest(sandbox)
        sandbox.step()
        order = rest.send(type="limit", limit_price="90", time_in_force="gtc").json()
        until_night(sandbox)
        shown = rest.get(f"/v2/orders/{order['id']}")
    assert (shown["status"], shown["canceled_at"][:10]) == ("canceled", "2026-01-06")


def test_history_is_adjusted_where_it_is_asked_for() -> None:
    """After the split, for the days before it; raw prices are as they were traded."""
    with night() as sandbox:
        rest = Rest(sandbox)
        closes: dict[str, list[Any]] = {"raw": [], "split": [], "all": []}
        for steps in (3, 5):
            sandbox.step(steps)
            for adjustment, found in closes.items():
                query = {"timeframe": "1Min", "start": "2026-01-05", "feed": "iex", "adjustment": adjustment}
                body = rest.get("/v2/stocks/SPY/bars", **query)
                found.append([bar["c"] for bar in body["bars"]])
    assert closes["raw"] == [[100] * 3, [100] * 3 + [50] * 3]
    assert closes["split"] == closes["all"] == [[100] * 3, [50] * 6]


def test_the_account_s_activities_tell_the_split() -> None:
    """By its type, among those that are no trades, and among all."""
    with night() as sandbox:
        rest = bought(sandbox)
        (told,) = rest.get("/v2/account/activities/SPLIT")
        assert told | {"id": ""} == {
            "id": "", "activity_type": "SPLIT", "date": "2026-01-06", "net_amount": "0", "symbol": "SPY", "qty": "100",
            "price": "50", "description": "split of SPY: 100 are 200", "status": "executed",
        }  # fmt: skip
        assert rest.get("/v2/account/activities", category="non_trade_activity") == [told]
        assert [each["activity_type"] for each in rest.get("/v2/account/activities")] == ["SPLIT", "FILL"]
        assert rest.get("/v2/account/activities", date="2026-01-06") == [told]
        assert rest.ask("GET", "/v2/account/activities", params={"category": "x"}).status_code == 422


def test_alpaca_py_reads_the_split() -> None:
    """Its own model of an activity, through its own client; the account's id is not in the trading API's answers."""
    with night() as sandbox:
        bought(sandbox)
        client = TradingClient(sandbox.key, sandbox.secret, url_override=sandbox.url)
        (told,) = client.get("/account/activities/SPLIT")
        read = NonTradeActivity(account_id=uuid.uuid4(), **told)
    assert (read.symbol, read.qty, read.date, read.activity_type.value) == ("SPY", 100.0, TUESDAY, "SPLIT")


def test_a_split_survives_a_restart_of_the_sandbox(tmp_path: Any) -> None:
    """The same position, the same activity to the last id."""
    shown = []
    for _ in range(2):
        with night(state=tmp_path / "book.jsonl") as sandbox:
            rest = Rest(sandbox)
            if not shown:
                bought(sandbox)
            shown.append([rest.get("/v2/positions"), rest.get("/v2/account/activities/SPLIT")])
    assert shown[0] == shown[1]


def test_an_order_for_the_close_of_a_symbol_that_is_halted_expires() -> None:
    """There is no auction to fill it; market orders wait for the next day's session."""
    close = OPEN + timedelta(hours=6, minutes=30)
    whole = Tape({"SPY": [100.0] * 390})
    with Sandbox(whole, halts=[Halted("SPY", close - timedelta(minutes=30), close + DAY)]) as sandbox:
        rest = Rest(sandbox)
        sandbox.step(10)
        order = rest.send(time_in_force="cls").json()
        sandbox.step(500)
        assert rest.get(f"/v2/orders/{order['id']}")["status"] == "expired"
        assert rest.get("/v2/positions") == []


@pytest.mark.parametrize(
    ("activities", "held", "ratio"),
    [
        ([{"qty": "100"}], 200.0, 2.0),
        ([{"qty": "-95"}], 10.0, 10 / 105),
        ([{"qty": "-100"}, {"qty": "200"}], 200.0, 2.0),
        ([{"qty": "200"}, {"qty": "-100"}], 0.0, 2.0),
        ([{"qty": "-100"}], -200.0, 2.0),
        ([{"qty": "100"}, {"qty": "-200"}], -200.0, 2.0),
        ([{"qty": "90"}], -10.0, 0.1),
        ([{"qty": 100, "activity_type": "SSP"}], 200.0, 2.0),
    ],
)
def test_a_ratio_is_worked_out_however_it_is_told(activities: Any, held: float, ratio: float) -> None:
    """One difference, or what goes and what comes; long and short; strings and numbers."""
    assert read(*activities, held=held) == [pytest.approx(ratio)]


@pytest.mark.parametrize(
    "activity",
    [{"qty": "100", "activity_type": "DIV"}, {"qty": "100", "status": "canceled"}, {"qty": "100", "date": "2026-01-05"},
     {"qty": "100", "date": None}, {"qty": None}, {"qty": "0"}],
)  # fmt: skip
def test_what_is_no_split_is_left_out(activity: Any) -> None:
    """Other types, what was taken back, what is of an earlier day, and what tells of no shares."""
    assert read(activity, held=200.0) == []


def test_a_split_of_shares_that_are_all_gone_cannot_be_told() -> None:
    """Nothing was held before, or nothing came of it: there is no ratio in that."""
    assert read({"qty": "100"}, held=100.0) == []
    assert read({"qty": "-100"}, held=0.0) == []


def test_a_quantity_that_is_no_number_is_an_error() -> None:
    """Better than to go on with a position that is not so."""
    with pytest.raises(ProtocolError, match="qty is 'many'"):
        read({"qty": "many"}, held=200.0)


@given(
    size=st.integers(1, 1_000),
    ratios=st.lists(st.sampled_from([2.0, 3.0, 0.5, 0.1, 1.5]), min_size=1, max_size=3),
    later=st.lists(st.integers(-50, 50).filter(bool), max_size=4),
    in_two=st.booleans(),
)
def test_ratios_are_found_behind_later_fills_and_splits(
    size: int, ratios: list[float], later: list[int], in_two: bool
) -> None:
    """The positions are those of now: fills and splits that came after one are taken off again."""
    held, told, fills = float(size), list[dict[str, Any]](), list[dict[str, Any]]()
    for day, ratio in enumerate(ratios):
        changes = [-held, held * ratio] if in_two else [held * (ratio - 1)]
        told += [
            {"activity_type": "SPLIT", "date": f"2026-01-{6 + day:02}", "symbol": "SPY", "qty": each}
            for each in changes
        ]
        held *= ratio
        for each in later:
            at = midnight(TUESDAY + day * DAY) + timedelta(hours=10)
            side = "buy" if each > 0 else "sell_short"
            fills.append({"symbol": "SPY", "qty": str(abs(each)), "side": side, "transaction_time": at.isoformat()})
            held += each
        if held <= 0:
            return
    found = read_splits(parts(told, TUESDAY), {"SPY": held}, fills)
    assert [each.ratio for each in found] == pytest.approx(ratios)
    assert [each.name for each in found] == [f"SPY 2026-01-{6 + day:02}" for day in range(len(ratios))]


@pytest.mark.parametrize(("in_two", "whole"), [(False, False), (True, False), (False, True)])
def test_a_desk_tells_the_splits_of_its_account(in_two: bool, whole: bool) -> None:
    """With the ratio of the account's own shares, also when some were traded since, from its day's beginning on."""
    with night(0.1, split_in_two=in_two, whole_splits=whole) as sandbox, Trader(sandbox) as trader:
        rest = bought(sandbox, "105")
        rest.send(qty="3")
        sandbox.step(3)
        found = trader._run(trader.desk.splits(OPEN))
        assert found == trader._run(trader.desk.splits(OPEN + DAY))
        assert trader._run(trader.desk.splits(OPEN + 2 * DAY)) == ()
    at = datetime(2026, 1, 6, 5, tzinfo=UTC)
    assert found == (Split("SPY", at, pytest.approx(10 / 105 if whole else 0.1), "SPY 2026-01-06"),)


def test_what_is_held_here_over_a_split_is_canceled() -> None:
    """A stop of before it would be set off by the first price after it: half of what it was."""
    trail = {"order_type": OrderType.TRAILING_STOP_LIMIT, "trail_amount": 5.0, "stop_price": 95.0, "limit_price": 94.0}
    with night() as sandbox, Trader(sandbox) as trader:
        trader.listen().play()
        trader.submit(spy())
        trader.play()
        trader.submit(spy("run-1-2", "sell", **trail, time_in_force=TimeInForce.GTC), position=10.0)
        while sandbox.market.played_at < NIGHT:
            trader.play()
        assert trader.statuses("run-1-2")[-1] is OrderStatus.HELD
        assert [each.ratio for each in trader._run(trader.desk.splits(OPEN))] == [2.0]
        assert trader.last("run-1-2").status is OrderStatus.CANCELED
        trader.play(3)
        assert trader.rest.get("/v2/positions")[0]["qty"] == "20"
    told = [each.text for each in trader.told if isinstance(each, Remark)]
    assert "order run-1-2 was held over a split of SPY; it is canceled" in told


def test_splits_are_asked_for_again_where_a_gateway_fails() -> None:
    """A few times; then whoever asked is told."""
    with night() as sandbox, Trader(sandbox) as trader:
        bought(sandbox)
        sandbox.fault("bad_gateway", stream="trading", count=3)
        assert [each.ratio for each in trader._run(trader.desk.splits(OPEN))] == [2.0]
