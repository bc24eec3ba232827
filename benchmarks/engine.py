"""How fast the engine is: ratios of CPU time against stock Backtrader, taken in turn in one run.

    python benchmarks/engine.py [--rounds 3] [--bars 98280] [--profile]

Absolute times drift with the machine's other load; ratios within a run hardly do. Peers run where they
are installed (`pip install switchback[bench]`). `--profile` prints where our own time goes.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np

from framework.columns import Columns
from framework.engine import Cerebro
from framework.engine.data import BarData

DAY, DAYS = 390, 252
Timed = Callable[[], Any]


def bars(count: int = DAY * DAYS, seed: int = 11) -> Columns:
    """Return minute bars of a geometric random walk, 390 a day, prices rounded to 5 decimals."""
    random = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.0005, count))), 5)
    opened = np.concatenate(([100.0], close[:-1]))
    high = np.round(np.maximum(opened, close) * (1 + np.abs(random.normal(0, 0.0002, count))), 5)
    low = np.round(np.minimum(opened, close) * (1 - np.abs(random.normal(0, 0.0002, count))), 5)
    minutes = np.arange(count) % DAY + np.arange(count) // DAY * 24 * 60
    end = np.datetime64("2023-01-03T14:31", "us") + minutes * np.timedelta64(1, "m")
    return Columns.of(end, opened, high, low, close, random.integers(100, 9_000, count).astype(float))


class Cross(bt.Strategy):
    """Long 100 above the average, flat below it."""

    params = (("period", 20), ("trades", True))

    def __init__(self) -> None:
        self.sma = bt.ind.SMA(self.data.close, period=self.p.period)

    def next(self) -> None:
        if not self.position:
            if self.data.close[0] > self.sma[0] and self.p.trades:
                self.buy(size=100)
        elif self.data.close[0] < self.sma[0]:
            self.close()


class CrossEach(bt.Strategy):
    """The same on every symbol."""

    def __init__(self) -> None:
        self.averages = [bt.ind.SMA(data.close, period=20) for data in self.datas]

    def next(self) -> None:
        for data, average in zip(self.datas, self.averages, strict=True):
            if not self.getposition(data).size:
                if data.close[0] > average[0]:
                    self.buy(data=data, size=100)
            elif data.close[0] < average[0]:
                self.close(data=data)


def frame(columns: Columns) -> Any:
    import pandas as pd

    names = ("open", "high", "low", "close", "volume")
    return pd.DataFrame({name: getattr(columns, name) for name in names}, index=pd.DatetimeIndex(columns.end))


def run(
    engine: type[Any], frames: list[Any], strategy: type[Any], *, six: bool = False, five: bool = False, **params: Any
) -> Any:
    """Load and run; stock and ours get the same `PandasData`."""
    cerebro = engine()
    cerebro.broker.setcash(1_000_000.0 * len(frames))
    for number, each in enumerate(frames):
        data = bt.feeds.PandasData(dataname=each, timeframe=bt.TimeFrame.Minutes)
        if five:
            cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=5, name=f"five{number}")
        else:
            cerebro.adddata(data, name=f"data{number}")
    cerebro.addstrategy(strategy, **params)
    if six:
        a = bt.analyzers
        for each in (a.TradeAnalyzer, a.DrawDown, a.TimeReturn, a.Returns, a.SQN):
            cerebro.addanalyzer(each)
        cerebro.addanalyzer(a.SharpeRatio, timeframe=bt.TimeFrame.Days)
    cerebro.run()
    return cerebro


def preload(columnar: bool, columns: Columns, each: Any) -> Any:
    """Preload a feed only."""
    data = BarData(dataname=columns) if columnar else bt.feeds.PandasData(dataname=each)
    data.setenvironment(bt.Cerebro())
    data._start()
    data.preload()
    return data


def backtesting(frames: list[Any]) -> Timed | None:
    """Return W1 on each symbol in backtesting.py, where it is installed."""
    if importlib.util.find_spec("backtesting") is None:
        return None
    os.environ["TQDM_DISABLE"] = "1"  # its bar for every run would be counted, and shown
    from backtesting import Backtest, Strategy

    warnings.filterwarnings("ignore", "Some trades remain open")

    class Peer(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.sma = self.I(lambda close: np.convolve(close, np.ones(20) / 20, "full")[: len(close)], self.data.Close)

        def next(self) -> None:
            if not self.position:
                if self.data.Close[-1] > self.sma[-1] and len(self.data) > 20:
                    self.buy(size=100)
            elif self.data.Close[-1] < self.sma[-1]:
                self.position.close()

    ready = [each.rename(columns=str.capitalize) for each in frames]
    return lambda: [Backtest(each, Peer, cash=1_000_000, finalize_trades=False).run() for each in ready]


def vnpy(columns: Columns) -> Timed | None:
    """Return W1 in vnpy_ctastrategy, where it is installed."""
    if importlib.util.find_spec("vnpy_ctastrategy") is None:
        return None
    from vnpy_peer import job  # beside this file: vnpy's imports are heavy

    timed: Timed = job(columns)
    return timed


def bare(columns: Columns) -> float:
    """The floor: a loop over floats and a function called with them."""
    held = 0.0

    def heard(close: float, average: float) -> None:
        nonlocal held
        held = close if close > average else average

    for close, average in zip(columns.close.tolist(), columns.open.tolist(), strict=True):
        heard(close, average)
    return held


class _Line(list):  # type: ignore[type-arg]
    """A plain line: the value `ago` bars from now."""

    at = 0

    def __getitem__(self, ago: Any) -> Any:
        return list.__getitem__(self, self.at + ago)


def shaped(columns: Columns) -> int:
    """The floor of a Backtrader-shaped `next` over plain lines, without orders."""
    close, average = _Line(columns.close.tolist()), _Line(columns.open.tolist())

    class Plain:
        def __init__(self) -> None:
            self.data, self.sma, self.position, self.count = type("Data", (), {"close": close}), average, 0, 0

        def next(self) -> None:
            if not self.position:
                if self.data.close[0] > self.sma[0]:
                    self.count += 1
            elif self.data.close[0] < self.sma[0]:
                self.position = 0

    plain = Plain()
    for at in range(len(columns)):
        close.at = average.at = at
        plain.next()
    return plain.count


def cpu(job: Timed) -> float:
    """Return the CPU seconds a job takes."""
    gc.collect()
    before = time.process_time()
    job()
    return time.process_time() - before


def ratios(stock: Timed, others: dict[str, Timed], rounds: int) -> tuple[float, dict[str, float], dict[str, float]]:
    """Return stock's median seconds, and each other's median seconds and median ratio, taken in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in others}
    stocks = []
    for _ in range(rounds):
        stocks.append(cpu(stock))
        for name, job in others.items():
            seconds[name].append(min(cpu(job) for _ in range(2)))
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    times = {
        name: statistics.median(s / o for s, o in zip(stocks, each, strict=True)) for name, each in seconds.items()
    }
    return statistics.median(stocks), medians, times


def peak(engine: str, count: int) -> float:
    """Return the peak memory (MiB) of W1 in a process of its own; NaN where the system does not say."""
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; import engine as e; import backtrader as bt;"
        f"e.run({'bt.Cerebro' if engine == 'stock' else 'e.Cerebro'}, [e.frame(e.bars({count}))], e.Cross);"
        "print([line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) / 1024 if done.returncode == 0 else float("nan")


def table(count: int, rounds: int) -> None:
    """Print the table."""
    columns = bars(count)
    one = frame(columns)
    ten = [frame(bars(count // 4, seed)) for seed in range(10)]
    workloads: list[tuple[str, list[Any], dict[str, Any], float]] = [
        ("W1, an order per 8 bars", [one], {"strategy": Cross}, 14),
        ("W1 with six analyzers", [one], {"strategy": Cross, "six": True}, 12),
        ("W1 with few orders (SMA 2000)", [one], {"strategy": Cross, "period": 2_000}, 80),
        ("W1 with no orders", [one], {"strategy": Cross, "trades": False}, 120),
        ("W2, ten symbols (a quarter of the bars each)", ten, {"strategy": CrossEach}, 10),
        ("W1 resampled to 5 minutes in the run", [one], {"strategy": Cross, "five": True}, 8),
    ]
    print(f"{'workload':46} {'stock s':>8} {'ours s':>8} {'ratio':>7} {'reach':>6}  peers")
    for name, frames, options, reach in workloads:
        others: dict[str, Timed] = {"ours": lambda f=frames, o=options: run(Cerebro, f, **o)}
        if name.startswith(("W1, ", "W2")):
            peers = {"backtesting.py": backtesting(frames), "vnpy": vnpy(columns) if len(frames) == 1 else None}
            others |= {peer: job for peer, job in peers.items() if job is not None}
        stock, seconds, times = ratios(lambda f=frames, o=options: run(bt.Cerebro, f, **o), others, rounds)
        said = ", ".join(f"{peer} {times[peer]:.1f}" for peer in times if peer != "ours")
        print(f"{name:46} {stock:8.2f} {seconds['ours']:8.3f} {times['ours']:7.1f} {reach:6.0f}  {said}", flush=True)
    stock, seconds, times = ratios(
        lambda: preload(False, columns, one), {"ours": lambda: preload(True, columns, one)}, rounds
    )
    print(f"{'preload of the bars':46} {stock:8.2f} {seconds['ours']:8.4f} {times['ours']:7.0f} {300:6.0f}")
    print(f"{'peak memory of W1, MiB':46} {peak('stock', count):8.0f} {peak('ours', count):8.0f}")
    for name, job in (("floor: a loop and a callback", bare), ("floor: a Backtrader-shaped next, plain lines", shaped)):
        print(f"{name:46} {'':8} {min(cpu(lambda j=job: j(columns)) for _ in range(3)):8.3f}")


def profile(count: int) -> None:
    """Print where the time of W1 goes."""
    import cProfile
    import pstats

    one = frame(bars(count))
    with cProfile.Profile() as taken:
        run(Cerebro, [one], Cross)
    pstats.Stats(taken).sort_stats("tottime").print_stats(25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bars", type=int, default=DAY * DAYS)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    if chosen.profile:
        profile(chosen.bars)
    else:
        table(chosen.bars, chosen.rounds)


if __name__ == "__main__":
    main()
