"""What it costs to decide whether an order may leave: microseconds, in a session of thirty symbols.

    python benchmarks/limits.py [--decisions 20000]

The real broker with real feeds, no venue: `LiveBroker` judges one order again and again, without limits and with
all of them, beside no open orders and beside ninety (three of each symbol).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import backtrader as bt

from brokers.alpaca.protocol import AlpacaRules
from framework.calendar import Calendar
from framework.columns import Columns, instant
from framework.engine.live import Line, LiveCerebro
from framework.engine.live_broker import LiveBroker
from framework.engine.live_data import LiveData
from framework.feeding import Feed
from framework.live.bridge import Bridge
from framework.live.clock import WallClock
from framework.live.commands import End
from framework.live.journal import SqliteJournal
from framework.live.limits import Limits
from framework.live.records import Records
from framework.model import MINUTE
from framework.stage import data_options

SYMBOLS = [f"S{number:02}" for number in range(30)]
ALWAYS = Calendar("24/7")
EVERY = Limits(
    order_value=1e6, position_value=1e6, open_orders=1_000, orders_per_minute=10_000, daily_loss=1e6, collar=0.5,
    symbols=tuple(SYMBOLS),
)  # fmt: skip


class Silent(Bridge):
    """Brings nothing, and sends nothing."""

    def wait(self, seconds: float | None = None) -> Any:
        return None if seconds == 0.0 else End()

    def send(self, *commands: Any) -> None:
        pass


class Measures(bt.Strategy):
    """Has one order judged, and notes how long it took."""

    params = (("decisions", 0), ("open", 0))

    def stop(self) -> None:
        for data in self.datas[:: 1 if self.p.open else 100]:
            for _ in range(self.p.open):
                self.buy(data=data, size=1, price=90.0, exectype=bt.Order.Limit)
        self.broker.depart()
        order = self.buy(size=1, price=100.0, exectype=bt.Order.Limit, transmit=False)
        self.took = sorted(self._timed(order) for _ in range(self.p.decisions))

    def _timed(self, order: bt.Order) -> float:
        begun = time.perf_counter()
        assert not self.broker.restraint.refusal(order)
        return time.perf_counter() - begun


def played(records: Records, limits: Limits, decisions: int, count: int) -> list[float]:
    """Return how long each decision took, in seconds, the shortest first."""
    cerebro, now = LiveCerebro(stdstats=False), datetime.now(UTC)
    row, price = [instant(now - timedelta(seconds=5))], [100.0]
    for symbol in SYMBOLS:
        bars = Columns.of(row, price, price, price, price, [1.0])
        feed = Feed(symbol, MINUTE, ALWAYS, bars, now - timedelta(days=1))
        cerebro.adddata(LiveData(**data_options(feed, ALWAYS.zone), unit=MINUTE, is_made=False), name=symbol)
    broker, bridge = LiveBroker(rules=AlpacaRules()), Silent()
    broker.setcash(1e6)
    broker.connect("bench", 1, bridge.send, records, limits)
    cerebro.setbroker(broker)
    cerebro.addstrategy(Measures, decisions=decisions, open=count)
    cerebro.line = Line(bridge, WallClock(), records, is_told=False)
    (strategy,) = cerebro.run()
    took: list[float] = strategy.took
    return took


def rows(decisions: int) -> Iterator[str]:
    """Yield a line for each case."""
    with TemporaryDirectory() as folder:
        for name, limits in (("no limits", Limits()), ("every limit", EVERY)):
            for count in (0, 3):
                path = Path(folder) / f"{name}{count}.sqlite"
                with SqliteJournal(path, WallClock(), synchronous="OFF") as journal:
                    took = played(Records(journal), limits, decisions, count)
                half, most = (1e6 * took[int(part * len(took))] for part in (0.5, 0.99))
                yield f"{name:<12} {count * len(SYMBOLS):>3} open orders   {half:6.1f} / {most:6.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=20_000)
    print("microseconds for a decision, p50 / p99")
    for line in rows(parser.parse_args().decisions):
        print(line)


if __name__ == "__main__":
    main()
