"""A sandbox that goes away under a session on a running clock, and comes back."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest

from brokers import AlpacaVenue
from feeds import AlpacaBars, SampleBars
from framework import Live, run
from framework.app.sandbox import Sandbox

OPEN = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)


class Waiting(bt.Strategy):
    """Says when it has a bar of now, and ends with one that comes after `is_back`."""

    params = (("has_bar", None), ("is_back", None))

    def notify_data(self, data: Any, status: int, *_: Any) -> None:
        if status == data.LIVE:
            self.p.has_bar.set()

    def next(self) -> None:
        if self.p.is_back.is_set():
            self.env.runstop()


def test_session_goes_on_when_its_sandbox_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its state file, at the same address: the session waits for it as for a venue."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    bars, state = SampleBars(["SPY"], "2026-10-05", OPEN + timedelta(minutes=60)), tmp_path / "state.jsonl"
    has_bar, is_back = threading.Event(), threading.Event()
    with Sandbox(bars, speed=60.0, state=state) as first:
        running = run(
            Waiting, source=AlpacaBars(["SPY"], **first.access), venue=AlpacaVenue(**first.access),
            live=Live(session="waits"), background=True, has_bar=has_bar, is_back=is_back,
        )  # fmt: skip
        assert has_bar.wait(30)
        port, keys = int(first.url.rsplit(":", 1)[1]), {"key": first.key, "secret": first.secret}
    with Sandbox(bars, speed=60.0, state=state, port=port, **keys):
        is_back.set()
        result = running.result(60)
    assert len(result.bars["SPY"]) >= 2
