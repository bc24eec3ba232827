"""The examples of docs/examples that are written over a store: each runs live on a sandbox, and in a backtest."""

from __future__ import annotations

import math
import runpy
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest

from feeds import SampleBars
from framework.app.sandbox import Sandbox

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"
MINUTES = ("store_sma_cross", "store_several_datas", "store_several_indicators", "store_resampling")

WARM = bt.date2num(datetime(2026, 10, 5, 15, 0))  # noqa: DTZ001  (Backtrader's times are UTC, and naive)


NOON = datetime(2026, 10, 5, 16, 30, tzinfo=UTC)


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """A day whose prices the examples are pointed at, or what a test wants of it."""
    end = getattr(request, "param", "2026-10-05")
    with Sandbox(SampleBars(["SPY", "IBM"], "2026-10-05", end)) as served:
        for name, value in {
            "SWITCHBACK_SANDBOX": served.url, "APCA_API_KEY_ID": served.key, "APCA_API_SECRET_KEY": served.secret,
            "SYMBOL": "SPY", "SYMBOLS": "SPY,IBM",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield served


def ran(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    """Run an example as a user does, and return its strategy."""
    monkeypatch.setattr("sys.argv", [name, *arguments])
    return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")["strategy"]


def marks(strategy: Any) -> list[tuple[float, ...]]:
    """Return when each symbol was bought and sold, and at what price, once an hour and a half of the day is over."""
    found: list[tuple[float, ...]] = []
    for each in strategy.getobservers():
        if isinstance(each, bt.observers.BuySell):
            size, lines = min(len(each), len(strategy)), (strategy.datetime, each.lines.buy, each.lines.sell)
            rows = zip(*(line.get(size=size) for line in lines), strict=True)
            found += [row for row in rows if row[0] > WARM and not all(math.isnan(price) for price in row[1:])]
    return found


@pytest.mark.parametrize("sandbox", [NOON], indirect=True, ids=["until noon"])
@pytest.mark.parametrize("name", MINUTES)
def test_an_example_runs_live_and_in_a_backtest(
    name: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It trades in both, and alike once both have seen enough bars: live is warmed up, the backtest begins cold."""
    lived = ran(name, monkeypatch, "--live")
    past = ran(name, monkeypatch)
    assert bt.num2date(lived.data.datetime[0]) == bt.num2date(past.data.datetime[0])
    assert lived.data.close[0] == past.data.close[0]
    assert len(marks(lived)) > 3
    assert repr(marks(lived)) == repr(marks(past))
    assert capsys.readouterr().out


def test_the_readmes_example_draws_what_it_did(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A live session's chart, at the end, where there is no display."""
    for arguments in (("--live",), ()):
        monkeypatch.setenv("CHART", str(tmp_path / f"chart{len(arguments)}.png"))
        strategy = ran("store_readme", monkeypatch, *arguments)
        assert bt.num2date(strategy.data.datetime[0]).strftime("%Y-%m-%d %H:%M") == "2026-10-05 20:00"
    assert all((tmp_path / f"chart{each}.png").stat().st_size > 10_000 for each in (0, 1))
