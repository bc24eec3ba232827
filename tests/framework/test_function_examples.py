"""The examples of trading functions: each runs against a sandbox in a hurry, and as a backtest."""

from __future__ import annotations

import csv
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feeds import SampleBars
from framework.app.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
LOGS = {"function_hold": "custom_strat_name", "function_averages": "averages", "function_shutdown": "shutdown"}
LEFT = {
    "function_hold": {"AAPL": 1, "TSLA": 1, "NVDA": 1},
    "function_averages": {},
    "function_shutdown": {"AAPL": 10},
}
"""What each leaves in the account: all of it, nothing, what its own end leaves."""


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the trade logs."""
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "logs"))
    return tmp_path / "logs"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox that the environment names, four minutes a second."""
    bars = SampleBars(["AAPL", "TSLA", "NVDA"], "2026-10-05", "2026-10-05")
    with Sandbox(bars, speed=240) as served:
        monkeypatch.setenv("SWITCHBACK_SANDBOX", served.url)
        monkeypatch.setenv("APCA_API_KEY_ID", served.key)
        monkeypatch.setenv("APCA_API_SECRET_KEY", served.secret)
        yield served


@pytest.mark.parametrize("name", LOGS)
def test_an_example_trades_on_the_sandbox_and_ends_as_it_says(
    name: str, sandbox: Sandbox, logs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every ten seconds of accelerated time; what is left at the end is what its end leaves."""
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    filled = {each["ticker"] for each in rows(logs, name) if each["status"] == "filled"}
    assert filled >= {"AAPL", "TSLA"}
    held = {each["symbol"]: float(each["qty"]) for each in positions(sandbox)}
    assert held == LEFT[name]
    assert "Complete!" in capfd.readouterr().out


@pytest.mark.parametrize("name", LOGS)
def test_an_example_is_a_backtest_by_a_flag(name: str, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no network; the same trade log."""
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--backtest"])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert {each["status"] for each in rows(logs, name, "-backtest")} >= {"pending_new", "new", "filled"}


def rows(logs: Path, name: str, suffix: str = "") -> list[dict[str, str]]:
    with (logs / f"{LOGS[name]}{suffix}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def positions(sandbox: Sandbox) -> list[dict[str, str]]:
    import requests

    login = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}
    found: list[dict[str, str]] = requests.get(f"{sandbox.url}/v2/positions", headers=login, timeout=5).json()
    return found
