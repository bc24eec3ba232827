"""Alpaca's bars from the command line, against a loopback server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from alpaca_server import KEY, SECRET, AlpacaServer, Market, minutes, serving

from framework.app.main import main

WEEK = [date(2026, 1, n) for n in range(5, 10)]
RANGE = ["--start", "2026-01-06", "--end", "2026-01-07"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[AlpacaServer]:
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "SWITCHBACK_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SWITCHBACK_CACHE", str(tmp_path / "cache"))
    rows = [row for day in WEEK for row in minutes(day, count=40)]
    with serving(Market({"SPY": rows, "IBM": rows[::2]})) as it:
        yield it


def with_keys(monkeypatch: pytest.MonkeyPatch, secret: str = SECRET) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", secret)


def test_fetch_fills_the_cache_that_a_backtest_plays(
    server: AlpacaServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was fetched, warm-up included, is not asked for again."""
    with_keys(monkeypatch)
    where = ["--symbols", "SPY,IBM", "--base-url", server.url]
    assert main(["fetch", *where, "--start", "2026-01-05", "--end", "2026-01-07"]) == 0
    assert capsys.readouterr().out == "SPY: 120 bars in the cache\nIBM: 60 bars in the cache\n"
    asked = len(server.requests)
    assert main(["backtest", "strategies.sma_cross", "--source", "alpaca", *where, *RANGE, "-p", "slow=12"]) == 0
    assert "SmaCross on SPY, IBM" in capsys.readouterr().out
    assert len(server.requests) == asked


def test_a_wrong_key_is_one_line_without_the_secret(
    server: AlpacaServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alpaca's refusal says which variables to check, and shows neither key nor secret."""
    with_keys(monkeypatch, secret="wr0ng-s3cret")
    assert main(["fetch", "--symbols", "SPY", "--base-url", server.url, *RANGE]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "APCA_API_KEY_ID" in line
    assert "wr0ng-s3cret" not in line
    assert KEY not in line


def test_missing_keys_are_named_before_anything_is_sent(
    server: AlpacaServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without keys, Alpaca's own host is not asked: the two variables are named."""
    assert main(["fetch", "--symbols", "SPY", *RANGE]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "APCA_API_KEY_ID and APCA_API_SECRET_KEY" in line
    assert server.requests == []


def test_a_symbol_without_bars_is_named(
    server: AlpacaServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt symbol is no empty backtest."""
    with_keys(monkeypatch)
    assert main(["fetch", "--symbols", "SPYY", "--base-url", server.url, *RANGE]) == 2
    assert "no bars for SPYY" in capsys.readouterr().err
