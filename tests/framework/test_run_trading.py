"""`run_trading`: a trading function live on the sandbox and as a backtest, alike, through each end of a session."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from brokers import AlpacaVenue
from brokers.alpaca.settings import Settings
from feeds import AlpacaQuotes, SampleBars
from framework import Limits, run_trading
from framework.app.sandbox import Sandbox
from framework.errors import ConfigError
from framework.live.journal import JournalReader
from framework.model import Quote
from framework.sandbox.tape import made_quote

OPEN = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
BARS = SampleBars(["SPY", "IBM"], "2026-10-05", OPEN + timedelta(minutes=30))

# alpaca-py's stream is imported with its client, and is older than our websockets.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

BUY = {"ticker": "SPY", "quantity": 10, "side": "buy", "order_type": "market"}
SHORT = {"ticker": "IBM", "quantity": 5, "side": "sell", "order_type": "market", "action": "short_sell"}

Function = Callable[[Any], Any]


def quotes_without_spread() -> list[Any]:
    """Return the quotes of the sandbox's tape, with nothing between the sides: its fills have no spread either."""
    bars = BARS.history().items()
    ends = [(symbol, *each) for symbol, of in bars for each in zip(of.end.tolist(), of.close.tolist(), strict=True)]
    return [made_quote(symbol, end.replace(tzinfo=UTC), close) for symbol, end, close in ends]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Half an hour of SPY and IBM, in lock-step."""
    with Sandbox(BARS, quotes=quotes_without_spread()) as served:
        yield served


@pytest.fixture
def traded(sandbox: Sandbox, tmp_path: Path) -> Callable[..., Any]:
    """Return what trades a function on the sandbox."""
    return lambda function, **how: run_trading(function, **{**common(tmp_path), **on(sandbox), **how})


def common(folder: Path) -> dict[str, Any]:
    return {
        "trade_log_name": "log", "trade_log_path": folder, "tickers": ["SPY", "IBM"],
        "frequency": 60, "run_seconds": 600, "warm_up_period": 0,
    }  # fmt: skip


def on(sandbox: Sandbox) -> dict[str, Any]:
    return {"venue": sandbox.url, "api_key": sandbox.key, "secret_key": sandbox.secret}


def at_calls(plan: dict[int, Any], seen: list[Any] | None = None) -> Function:
    """Return a function that gives orders at its calls by number, and notes what it saw."""
    count = iter(range(1, 10_000))

    def function(context: Any) -> Any:
        if seen is not None:
            seen.append((*context["get_current_data"](), context["rejections"], context["get_open_orders"]()))
        return plan.get(next(count))

    return function


def held(sandbox: Sandbox) -> dict[str, float]:
    """Return what the sandbox's account holds."""
    from alpaca.trading.client import TradingClient

    client = TradingClient(sandbox.key, sandbox.secret, url_override=sandbox.url)
    return {each.symbol: float(each.qty) for each in client.get_all_positions()}  # type: ignore[union-attr]


def texts(session: str, kind: str) -> list[str]:
    """Return what the journal of a session says in records of a kind."""
    with JournalReader(Path(os.environ["SWITCHBACK_SESSIONS"]) / f"{session}.sqlite") as journal:
        return [each.body["text"] for each in journal.entries(kind)]


def fills(result: Any) -> list[tuple[Any, ...]]:
    return list(result.fills[["symbol", "time", "side", "size", "price"]].itertuples(index=False, name=None))


PLAN = {
    2: [SHORT, BUY],
    4: {**BUY, "side": "sell", "quantity": 4},
    5: [{**BUY, "order_type": "limit", "limit_price": 90.45}, {**BUY, "quantity": 10_000_000}],
    7: {**SHORT, "side": "buy", "action": "buy_to_cover", "quantity": 2},
}


def test_a_session_and_its_backtest_are_alike(traded: Any, tmp_path: Path) -> None:
    """The same calls, quotes, positions, rejections, fills and value, through the real dialect and through none."""
    live_seen: list[Any] = []
    past_seen: list[Any] = []
    live = traded(at_calls(PLAN, live_seen))
    how = {"venue": "backtest", "source": BARS, "spread": 0.0}
    past = run_trading(at_calls(PLAN, past_seen), **{**common(tmp_path), **how})
    assert len(live_seen) == 10
    assert [each[:2] for each in live_seen] == [each[:2] for each in past_seen]
    assert fills(live) == fills(past)
    assert len(fills(live)) > 5
    assert live.equity.iloc[-1] == pytest.approx(past.equity.iloc[-1])


def test_liquidating_ends_flat_with_what_was_held_before_and_the_account_says_so(traded: Any, sandbox: Any) -> None:
    """Positions that were there are included, open orders are cancelled first, and the journal keeps the answer."""
    before = traded(at_calls({2: [BUY, SHORT]}), eos_behavior="hold")
    assert held(sandbox) == {"SPY": 10, "IBM": -5}
    assert before.positions["size"].tolist() == [10, -5]
    resting = {**BUY, "order_type": "limit", "limit_price": 50.0}
    seen: list[Any] = []
    result = traded(at_calls({2: resting}, seen), eos_behavior="liquidate")
    assert seen[0][1][0]["quantity"] == 10
    assert held(sandbox) == {}
    assert result.not_flat == ()
    assert [each["limit_price"] for each in seen[-1][3]] == [50.0]
    assert texts(result.session, "flat") == ["flat, and the account says so too"]


def test_a_session_ends_with_a_function_of_its_own(traded: Any, sandbox: Any) -> None:
    """Its orders are sent and waited for; what it leaves alone stays."""

    def cover(context: Any) -> Any:
        _, positions = context["get_current_data"]()
        short = next(each for each in positions if each["quantity"] < 0)
        return {**SHORT, "side": "buy", "action": "cover_short", "quantity": -short["quantity"]}

    traded(at_calls({2: [BUY, SHORT]}), eos_behavior="custom", custom_shutdown_action=cover)
    assert held(sandbox) == {"SPY": 10}


def test_an_interrupt_ends_the_session_as_its_end_does(traded: Any, sandbox: Any) -> None:
    """The original's Ctrl-C killed its workers before they had sent what closes the positions."""

    def function(context: Any) -> Any:
        _, positions = context["get_current_data"]()
        if positions:
            signal.raise_signal(signal.SIGINT)
        return None if positions else BUY

    result = traded(function)
    assert held(sandbox) == {}
    assert "interrupted" in result.notes
    assert len(fills(result)) == 2


def test_an_exception_stops_the_session_where_that_is_asked_for(traded: Any, sandbox: Any) -> None:
    """It ends as it was to end, and then the exception is the caller's."""

    def function(context: Any) -> Any:
        _, positions = context["get_current_data"]()
        return {}["no such key"] if positions else BUY

    with pytest.raises(KeyError, match="no such key"):
        traded(function, on_error="stop")
    assert held(sandbox) == {}


def test_an_exception_is_reported_and_the_session_goes_on(traded: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """To whoever looks, in the journal and in the result's notes, with the line where it was raised."""
    result = traded(lambda context: 1 / 0)
    assert "the trading function failed at 10 of 10 calls" in result.notes[-1]
    assert "ZeroDivisionError: division by zero" in capfd.readouterr().out
    assert any("the trading function: ZeroDivisionError" in each for each in texts(result.session, "remark"))


def test_no_position_is_opened_on_a_quote_that_is_too_old(traded: Any, tmp_path: Path) -> None:
    """Live and in the backtest the same; what closes a position passes."""
    slow = {"frequency": 30, "limits": Limits(stale=20)}
    seen: list[Any] = []
    plan = {3: BUY, 4: BUY, 7: {**BUY, "side": "sell"}}
    result = traded(at_calls(plan, seen), **slow)
    reasons = [each["reason"] for _, _, rejected, _ in seen for each in rejected]
    assert reasons == ["limit stale: the prices are 30 s old, no position is opened on stale data"]
    assert [each[2:4] for each in fills(result)][:2] == [("buy", 10), ("sell", 10)]


def test_the_trade_log_has_a_row_for_each_update_in_the_formats_of_the_original(traded: Any, tmp_path: Path) -> None:
    """Cumulative price and quantity, the action in the order's name, Alpaca's words, and carriage returns."""
    traded(at_calls({2: BUY}), eos_behavior="hold")
    text = (tmp_path / "log.csv").read_bytes().decode()
    head, *lines = text.split("\r\n")[:-1]
    assert head == "type,client_order_id,ticker,executed_price,executed_qty,status,side,action,timestamp,raw_status"
    rows = list(csv.DictReader([head, *lines]))
    assert [each["status"] for each in rows] == ["pending_new", "new", "filled"]
    assert {each["action"] for each in rows} == {"buy_long"}
    worker, number = rows[0]["client_order_id"].removeprefix("buy_long-").split("-")
    assert (worker, len(number), int(number, 16) > 0) == ("1", 8, True)
    assert (rows[0]["executed_price"], rows[0]["executed_qty"], rows[2]["executed_qty"]) == ("0.0", "0.0", "10.0")
    assert rows[2]["raw_status"] == "OrderStatus.FILLED"
    assert float(rows[2]["timestamp"]) == (OPEN + timedelta(minutes=3)).timestamp()


def test_a_backtest_has_a_trade_log_of_its_own(traded: Any, tmp_path: Path) -> None:
    """Made anew each time: what was played over the past is never among what was traded."""
    traded(at_calls({2: BUY}), eos_behavior="hold")
    before = (tmp_path / "log.csv").read_bytes()
    for _ in range(2):
        run_trading(
            at_calls({2: BUY}), **{**common(tmp_path), "venue": "backtest", "source": BARS, "eos_behavior": "hold"}
        )
    assert (tmp_path / "log.csv").read_bytes() == before
    assert (tmp_path / "log-backtest.csv").read_bytes().count(b"filled") == 1


def test_partial_fills_are_booked_each_at_its_own_price(tmp_path: Path) -> None:
    """The original took the average so far for the price of the last part: 5 at 10, then 5 at 12, made 10.5."""
    with Sandbox(BARS, quotes=quotes_without_spread(), settings=Settings(partial=0.9)) as sandbox:
        how = {**common(tmp_path), **on(sandbox), "run_seconds": 900, "eos_behavior": "hold"}
        result = run_trading(at_calls({2: {**BUY, "quantity": 64}}), **how)
        account = held(sandbox)
    (position,) = result.positions.to_dict("records")
    parts = result.fills
    assert len(parts) > 1
    assert position["size"] == account["SPY"] == parts["size"].sum()
    assert position["price"] == pytest.approx((parts["size"] * parts["price"]).sum() / parts["size"].sum())


def test_no_fill_is_lost_among_two_hundred_quotes_a_second(tmp_path: Path) -> None:
    """The original's function and its books read one queue: fills were lost, and positions were None."""
    ticks = [OPEN + timedelta(seconds=0.3 * each) for each in range(1, 500)]
    quotes = [Quote(symbol, at, 90.0, 100, 90.1, 100) for at in ticks for symbol in ("SPY", "IBM")]
    seen: list[Any] = []

    def function(context: Any) -> Any:
        seen.append(context["get_current_data"]())
        return [{**BUY, "quantity": 1, "ticker": symbol} for symbol in ("SPY", "IBM") * 5]

    with Sandbox(BARS, quotes=quotes, speed=100) as sandbox:
        how = {"frequency": 10, "run_seconds": 110, "total_allowed_per_min": 10_000}
        result = run_trading(function, **{**common(tmp_path), **on(sandbox), **how})
        assert held(sandbox) == {}
        login = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}
        told = requests.get(f"{sandbox.url}/v2/orders?status=all&limit=500", headers=login, timeout=5).json()
    assert all(quotes and positions is not None for quotes, positions in seen)
    assert result.fills["size"].sum() == sum(float(each["filled_qty"]) for each in told) > 50


def test_a_session_that_was_left_goes_on_under_its_name(traded: Any, sandbox: Any) -> None:
    """With its own position, which is not taken over a second time."""
    traded(at_calls({2: BUY}), eos_behavior="hold", session="mine")
    seen: list[Any] = []
    result = traded(at_calls({}, seen), session="mine")
    assert [each["quantity"] for each in seen[0][1]] == [10]
    assert held(sandbox) == {}
    assert result.session == "mine"


def test_what_a_killed_session_left_open_is_not_passed_over(traded: Any, sandbox: Any) -> None:
    """A new session that takes over what is held would not know of an order that may still fill."""
    left = "log-20261005-093000-abc123-1-7"
    resting = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "limit_price": "50", "time_in_force": "day"}
    login = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}
    requests.post(f"{sandbox.url}/v2/orders", json={**resting, "client_order_id": left}, headers=login, timeout=5)
    with pytest.raises(ConfigError, match=f"{left}.*session=.log-20261005-093000-abc123. goes on with it"):
        traded(lambda context: None)
    assert traded(lambda context: None, trade_log_name="another").not_flat == ()


def test_what_the_account_holds_is_left_alone_where_it_is_not_adopted(traded: Any, sandbox: Any) -> None:
    """Somebody else's position in a ticker is neither shown nor closed."""
    traded(at_calls({2: BUY}), eos_behavior="hold")
    seen: list[Any] = []
    traded(at_calls({}, seen), adopt=False)
    assert seen[-1][1] == []
    assert held(sandbox) == {"SPY": 10}


def test_durations_are_words_too(traded: Any, tmp_path: Path) -> None:
    """run_seconds="1m" and frequency="1m" raised a TypeError in the original, and liquidated."""
    seen: list[Any] = []
    traded(at_calls({}, seen), frequency="1m", run_seconds="5m")
    assert len(seen) == 5
    whole: list[Any] = []
    day = SampleBars(["SPY", "IBM"], "2026-10-05", "2026-10-05")
    how = {"venue": "backtest", "source": day, "run_seconds": "EOD", "frequency": "30m"}
    result = run_trading(at_calls({11: BUY}, whole), **{**common(tmp_path), **how})
    assert len(whole) == 11  # 10:00 to 15:00; at 15:30 all is closed, and meets what comes by 16:00
    assert [each[2] for each in fills(result)] == ["buy", "sell"]


def test_a_backtest_plays_all_of_its_source_where_no_length_is_given(tmp_path: Path) -> None:
    """Over days, as one session, with time left to end it."""
    days = SampleBars(["SPY", "IBM"], "2026-10-05", "2026-10-06")
    how = {"venue": "backtest", "source": days, "run_seconds": None, "frequency": "1h"}
    seen: list[Any] = []
    result = run_trading(at_calls({1: BUY}, seen), **{**common(tmp_path), **how})
    assert len(seen) == 11  # 7 and 4: the last of them leaves two for the orders of the end
    assert result.positions.empty
    assert result.notes == ()


@pytest.mark.parametrize(
    ("how", "line"),
    [
        (
            {"run_seconds": "9h"},
            "ends at 18:31:00 (America/New_York), and a session ends at 15:59:00 at the latest, 60 s before",
        ),
        ({"run_seconds": None}, "run_seconds=None is for a backtest"),
        ({"run_seconds": "soon"}, "run_seconds"),
        ({"frequency": 0}, "frequency"),
        ({"venue": "papr"}, "venue='papr' is not known (did you mean paper?)"),
        ({"venue": "http://example.com"}, "http://example.com is no sandbox"),
        ({"venue": "sandbox"}, "SWITCHBACK_SANDBOX=URL"),
        ({"venue": "backtest"}, 'venue="backtest" needs quotes, or bars to make them of'),
        ({"eos_behavior": "sell"}, "eos_behavior='sell' is not known"),
        ({"eos_behavior": "custom"}, 'eos_behavior="custom" needs custom_shutdown_action'),
        ({"tickers": []}, "tickers names none"),
        ({"trade_log_name": "", "venue": "backtest", "source": BARS}, "trade_log_name is ''"),
        ({"use_alpaca": False}, "use_alpaca=False"),
        ({"source": BARS}, "brings no quotes"),
        ({"source": AlpacaQuotes(["SPY", "IBM"], every=1)}, "source looks at its quotes every 1 s"),
        ({"source": AlpacaQuotes(["SPY"], every=60)}, "source has no quotes of IBM; it has SPY"),
        ({"venue": object()}, "cannot be traded on"),
    ],
)
def test_what_cannot_be_is_one_clear_line_before_anything_runs(traded: Any, how: dict[str, Any], line: str) -> None:
    """What was asked, what was found, what to try."""
    with pytest.raises(ConfigError) as raised:
        traded(lambda context: None, **how)
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_paper_is_the_default_and_a_sandbox_that_is_named_comes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real money is asked for by its name alone."""
    from framework.app.functions.places import place

    def money(venue: Any) -> str:
        return place(["SPY"], 1.0, venue, None, ("key", "secret"), "iex", 0.0).money

    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.setenv(name, "AKEY")
    venues = (None, "paper", "live", AlpacaVenue())
    assert [money(each) for each in venues] == ["paper", "paper", "real-money", "paper"]
    monkeypatch.setenv("SWITCHBACK_SANDBOX", "http://127.0.0.1:8000")
    assert [money(None), money("sandbox"), money("paper")] == ["sandbox", "sandbox", "paper"]
