"""The end of the trading day: the same in a backtest and live, on the exchange's real close, and truly flat."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pytest

from brokers import AlpacaVenue
from feeds import AlpacaBars, SampleBars
from framework import Live, run
from framework.app.sandbox import Sandbox
from framework.errors import ConfigError
from framework.live.journal import JournalReader

FULL, EARLY = "2026-11-25", "2026-11-27"


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Journals of their own."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    return tmp_path


class Busy(bt.Strategy):
    """Always holds something, and limit orders are open far away."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def next(self) -> None:
        for data in self.datas:
            if not self.getposition(data).size:
                self.buy(data, size=10)
            if len(data) % 30 == 0:
                self.buy(data, size=1, exectype=bt.Order.Limit, price=data.close[0] * 0.5)

    def notify_order(self, order: bt.Order) -> None:
        if order.status == order.Rejected:
            self.reasons.append(order.info.reason)


def ends(result: Any) -> Any:
    """Return each day's last fill of each symbol: its time in New York, and the position after it."""
    fills = result.fills.assign(day=result.fills.time.dt.tz_convert("America/New_York"))
    last = fills.groupby([fills.day.dt.date, "symbol"]).last()
    return list(zip(last.day.dt.strftime("%H:%M"), last.position, strict=True))


@pytest.mark.parametrize("venue", [None, AlpacaVenue()])
def test_backtest_is_flat_before_a_normal_and_an_early_close(venue: AlpacaVenue | None) -> None:
    """Five minutes before 16:00, and before 13:00 on the day after Thanksgiving; the fill is on the next bar."""
    source = SampleBars(["SPY", "IBM"], FULL, EARLY)
    result = run(Busy, source=source, venue=venue, at_close="liquidate")
    assert ends(result) == [("15:56", 0)] * 2 + [("12:56", 0)] * 2
    assert result.engine == "lean"
    assert any("the day is over" in each for each in result.strategy.reasons)


def test_orders_after_the_close_are_taken_again() -> None:
    """The next day begins as any other."""
    result = run(Busy, source=SampleBars(["SPY"], FULL, EARLY), at_close="liquidate")
    second = result.fills[result.fills.time >= "2026-11-27"]
    assert second.time.dt.tz_convert("America/New_York").dt.strftime("%H:%M").iloc[0] == "09:32"


def test_live_day_ends_as_the_backtest_does() -> None:
    """The same fills, to the last digit, over a normal day and an early close."""
    source = SampleBars(["SPY", "IBM"], FULL, EARLY)
    tested = run(Busy, source=source, venue=AlpacaVenue(), warmup=0, at_close="liquidate", before_close=10)
    with Sandbox(source) as sandbox:
        lived = run(
            Busy, source=AlpacaBars(["SPY", "IBM"], **sandbox.access), venue=AlpacaVenue(**sandbox.access),
            live=True, warmup=0, at_close="liquidate", before_close=10,
        )  # fmt: skip
    columns = ["symbol", "time", "size", "price", "position"]
    assert lived.fills[columns].equals(tested.fills[columns])
    assert lived.not_flat == ()
    assert ends(lived)[-1] == ("12:51", 0)


def test_live_session_is_flat_because_the_account_says_so(sessions: Path) -> None:
    """The journal says that the account was looked at, each day."""
    with Sandbox(SampleBars(["SPY"], FULL, EARLY)) as sandbox:
        run(
            Busy, source=AlpacaBars(["SPY"], **sandbox.access), venue=AlpacaVenue(**sandbox.access),
            live=Live(session="flat"), warmup=0, at_close="liquidate",
        )  # fmt: skip
    with JournalReader(sessions / "flat.sqlite") as journal:
        told = [entry.body for entry in journal.entries() if entry.kind == "flat"]
    assert [each["is_sure"] for each in told] == [True, True]


def test_function_is_called_once_a_day_before_the_close() -> None:
    """With the strategy, ten minutes before, on a normal day and on an early close."""
    called: list[str] = []

    def note(strategy: bt.Strategy) -> None:
        called.append(strategy.data.datetime.datetime(0).strftime("%d %H:%M"))

    run(bt.Strategy, source=SampleBars(["SPY"], FULL, EARLY), at_close=note, before_close=timedelta(minutes=10))
    assert called == ["25 15:50", "27 12:50"]


class Quiet(SampleBars):
    """Has no bar in the last four minutes of the first day."""

    def history(self, warmup: Any = 0) -> Any:
        bars = super().history(warmup)["SPY"]
        last, first = np.datetime64("2026-11-25T20:55:30"), np.datetime64("2026-11-26")
        return {"SPY": bars[(bars.end < last) | (bars.end > first)]}


def test_position_that_cannot_be_closed_in_time_is_told() -> None:
    """A symbol without a bar after the last try is held over night, and the result says so."""
    result = run(Busy, source=Quiet(["SPY"], FULL, EARLY), at_close="liquidate")
    assert result.notes == ("NOT flat at the close of 2026-11-25: SPY 10 could not be closed in time",)


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ({"at_close": "liquidat"}, "did you mean liquidate"),
        ({"at_close": 5}, "cannot be called"),
        ({"at_close": "liquidate", "before_close": 0.5}, "give 1 to 179 minutes"),
        ({"at_close": "liquidate", "source": SampleBars(["SPY"], FULL, EARLY, timeframe="1Day")}, "shorter than a day"),
    ],
)
def test_end_of_day_that_cannot_be_is_refused(how: dict[str, Any], problem: str) -> None:
    """One line says what to give."""
    with pytest.raises(ConfigError, match=problem):
        run(bt.Strategy, **({"source": SampleBars(["SPY"], FULL, EARLY)} | how))
