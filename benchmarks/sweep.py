"""What a sweep costs: CPU seconds per parameter and wall time, beside stock's `optstrategy`, a peer and a floor.

    python benchmarks/sweep.py [--quick] [--bars 98280] [--workers 2]

SMA periods of the cross of `engine.py`, over a year of minutes. First the same few periods in each tool, in turn,
for the ratios; then all 100 periods in ours, in one process and in several. `--quick` takes 20 periods and
a smaller sample. CPU is that of all processes, start-up, loading and figures included. Wall times mean something
only where so many cores are free: the load of the machine is printed beside them.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import os
import resource
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import backtrader as bt
import numpy as np
import psutil
from engine import DAY, DAYS, Cross, bars, frame

from feeds import FileBars
from framework.columns import Columns
from framework.research import Sweep, sweep

CASH = 1_000_000
Swept = Callable[[Sequence[int]], Any]


def cpu() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def timed(job: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return the CPU and the wall seconds that a job takes, and what it returns."""
    gc.collect()
    before, began = cpu(), time.perf_counter()
    found = job()
    return cpu() - before, time.perf_counter() - began, found


def ours(source: FileBars, workers: int) -> Callable[[Sequence[int]], Sweep]:
    return lambda periods: sweep(Cross, source=source, grid={"period": periods}, workers=workers, cash=CASH)


def stock(each: Any) -> Swept:
    def swept(periods: Sequence[int]) -> Any:
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.broker.setcash(CASH)
        cerebro.adddata(bt.feeds.PandasData(dataname=each, timeframe=bt.TimeFrame.Minutes))
        cerebro.optstrategy(Cross, period=list(periods))
        return cerebro.run(maxcpus=1)

    return swept


def backtesting(each: Any) -> Swept | None:
    """Return backtesting.py's `optimize`, where it is installed."""
    if importlib.util.find_spec("backtesting") is None:
        return None
    os.environ["TQDM_DISABLE"] = "1"
    from backtesting import Backtest
    from sweep_peer import Peer  # a module of its own, so that its processes can import it

    warnings.filterwarnings("ignore", module="backtesting")
    ready = Backtest(each.rename(columns=str.capitalize), Peer, cash=CASH, finalize_trades=False)
    return lambda periods: ready.optimize(period=list(periods), maximize="Equity Final [$]")


def bare(columns: Columns) -> Swept:
    """The floor: a loop over floats that buys and sells, an average by NumPy, no orders and no figures."""
    closes, opens = columns.close.tolist(), columns.open.tolist()

    def one(period: int) -> float:
        sums = np.cumsum(np.concatenate(([0.0], columns.close)))
        averages = ((sums[period:] - sums[:-period]) / period).tolist()
        cash, held = float(CASH), 0
        bars_of = zip(closes[period - 1 : -1], averages, opens[period:], strict=False)
        for close, average, after in bars_of:
            if not held and close > average:
                cash, held = cash - 100 * after, 100
            elif held and close < average:
                cash, held = cash + 100 * after, 0
        return cash + held * closes[-1]

    return lambda periods: [one(each) for each in periods]


@contextlib.contextmanager
def watched() -> Iterator[dict[int, list[int]]]:
    """Take down what memory (bytes) each child has, ten times a second."""
    seen: dict[int, list[int]] = {}
    before = {each.pid for each in psutil.Process().children()}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            for each in psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    if each.pid not in before:
                        seen.setdefault(each.pid, []).append(each.memory_info().rss)

    onlooker = threading.Thread(target=watch, daemon=True)
    onlooker.start()
    try:
        yield seen
    finally:
        over.set()
        onlooker.join()


def sample(source: FileBars, columns: Columns, each: Any, periods: Sequence[int]) -> None:
    """Print the CPU seconds per parameter of each tool over the same periods, and how many times ours that is."""
    jobs: dict[str, Swept | None] = {
        "ours": ours(source, 1),
        "backtrader optstrategy": stock(each),
        "backtesting.py optimize": backtesting(each),
        "floor: a bare loop": bare(columns),
    }
    own = 0.0
    print(f"periods {', '.join(map(str, periods))}, one process each (backtesting.py: its own pool)")
    for name, job in jobs.items():
        if job is None:
            print(f"  {name:28} not installed")
            continue
        used, wall, _ = timed(lambda job=job: job(periods))
        own = own or used
        print(
            f"  {name:28} {used / len(periods):7.3f} CPU s a parameter, {wall:6.2f} s in all, {used / own:6.2f} x ours"
        )


def whole(source: FileBars, periods: Sequence[int], workers: int) -> None:
    """Print what all periods take in one process and in several, and the workers' memory."""
    used, wall, one = timed(lambda: ours(source, 1)(periods))
    print(f"\n{len(periods)} periods from {periods[0]} to {periods[-1]}; load of the machine {os.getloadavg()[0]:.1f}")
    print(f"  1 process    {used / len(periods):6.3f} CPU s a parameter, {wall:6.1f} s in all")
    with watched() as seen:
        many, quick, two = timed(lambda: ours(source, workers)(periods))
    each = many / len(periods)
    print(f"  {workers} processes  {each:6.3f} CPU s a parameter, {quick:6.1f} s in all, {wall / quick:.2f} x")
    print(f"  the same table: {one.digest == two.digest}")
    for pid, used_by in seen.items():
        early, late = (max(part) / 2**20 for part in np.array_split(used_by, 4)[1::2])
        print(f"  worker {pid}: {early:.0f} MiB at most in the second quarter of its time, {late:.0f} in the last")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--bars", type=int, default=DAY * DAYS)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    columns = bars(chosen.bars)
    each = frame(columns)
    source = FileBars({"XYZ": each}, tz="UTC", stamp="end", hours="all")
    sample(source, columns, each, (20, 60) if chosen.quick else (5, 20, 50, 100))
    whole(source, range(5, 105, 5 if chosen.quick else 1), chosen.workers)


if __name__ == "__main__":
    main()
