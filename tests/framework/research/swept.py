"""Strategies that the tests of sweeps run, in this process and in others."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import backtrader as bt
import psutil
import pytest

from feeds import SampleBars

DAY = SampleBars("ACME", "2026-01-07", "2026-01-07")
"""A day of minutes, with what was before it as warm-up."""

in_drills = pytest.mark.skipif("DRILL_SWEEPS" not in os.environ, reason="takes long: `make drill` runs it")
"""Of tests in which processes die one after the other, or many runs are made."""


class Dip(bt.Strategy):
    """Buys below the average, sells above it. Some parameters have mishaps in store."""

    params = (("period", 5), ("lot", 10), ("trades", 0), ("mishap", ""), ("folder", ""))

    def __init__(self) -> None:
        super().__init__()
        self.average = bt.ind.SMA(period=self.p.period)
        if self.p.mishap == "init":
            raise RuntimeError("unlucky\nin more than one line")
        if self.p.mishap == "leave":
            raise SystemExit("at once")

    def start(self) -> None:
        sys.stdout.write("a strategy may print\n")
        match self.p.mishap:
            case "exit":
                raise SystemExit(3)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "die once":
                self.die_once()
            case "count":
                Path(self.p.folder, f"{self.p.period}-{len(os.listdir(self.p.folder))}").touch()
            case "memory":
                used = psutil.Process().memory_info().rss
                with Path(self.p.folder, str(os.getpid())).open("a") as file:
                    file.write(f"{used}\n")

    def die_once(self) -> None:
        died = Path(self.p.folder, f"died-{self.p.period}")
        if not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def next(self) -> None:
        if not self.position and self.data.close[0] < self.average[0]:
            self.buy(size=self.p.lot)
        elif self.position and self.data.close[0] > self.average[0]:
            self.close()


def counted(folder: Path) -> int:
    """Return how many runs were begun with the mishap "count"."""
    return len(list(folder.iterdir()))
