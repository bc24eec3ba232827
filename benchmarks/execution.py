"""How fast a list of orders leaves, and what it costs: ours beside blockpaca 0.1.2 and a bare aiohttp script.

    python benchmarks/execution.py [--quick] [--rounds 3]

190 orders are asked for at once, a dozen times a round. The venue (`live_venue.py`, a process of its own) answers each
after 20 ms. The clients (`execution_clients.py`) take turns: a script that only posts, over one session; blockpaca's
own worker, as many as it would start here; and a live session of ours, whose strategy asks for them in one `next`,
with everything in between: limits, the journal on the disk before the first leaves, the broker, the stream of order
updates. Over a pool of 100 connections two times 20 ms is the venue's part. Times drift with the machine's other load,
ratios of one run less. CPU is that of all of a client's processes until the fills come, or as long after the last
acknowledgement: 0.3 s and more.

blockpaca's worker alone keeps no journal and hears no updates; "whole" has its listener and its owner run too, which
do. Then: of 200 fills at 200 quotes a second, how many the strategy knows. A run takes four minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from dataclasses import asdict
from typing import Any

import numpy as np
from execution_clients import QUOTES, Job, command  # beside this file
from live import asked, venue
from live_venue import Tape

ORDERS, ANSWERS = 190, 0.02
MANY, PLAN = 190, 30
"""Symbols: one for each order, and as many as a free plan has."""

CASES = (
    ("a bare aiohttp script", "bare", MANY),
    ("blockpaca, its worker alone", "blockpaca", MANY),
    ("blockpaca, whole", "whole", MANY),
    ("ours, 190 symbols", "ours", MANY),
    ("ours, 30 symbols", "ours", PLAN),
)
LATE, PER_CPU = 1.3, 3.0
"""What is to be reached: times the bare script's milliseconds, times blockpaca's orders per CPU second."""

Bursts = list[tuple[float, float]]


def told(which: str, tape: Tape, orders: int, bursts: int, url: str) -> Any:
    """Let a client trade a tape; return what it tells."""
    with tempfile.TemporaryDirectory() as folder:
        asked(f"{url}/bench/begin", asdict(tape))
        done = subprocess.run(
            command(which, Job(url, folder, tape.symbols, orders, bursts)), capture_output=True, text=True, timeout=120,
            check=False, env=os.environ | {"SWITCHBACK_SESSIONS": folder},
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{which}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def symbols(count: int) -> list[str]:
    return [f"S{number:03}" for number in range(count)]


def burst(which: str, count: int, bursts: int, url: str) -> Bursts:
    tape = Tape(symbols(count), bursts + 2, 1.5, fills=0.6, answers=ANSWERS)
    return [tuple(each) for each in told(which, tape, ORDERS, bursts, url)["bursts"]]  # type: ignore[misc]


def measured(url: str, rounds: int, bursts: int) -> dict[str, tuple[float, float, float]]:
    """Return of each case the milliseconds of a first and of a later burst, and the orders per CPU second."""
    found: dict[str, list[Bursts]] = {name: [] for name, *_ in CASES}
    for _ in range(rounds):
        for name, which, count in CASES:
            found[name].append(burst(which, count, bursts, url))
    return {name: _figures(each) for name, each in found.items()}


def _figures(rounds: list[Bursts]) -> tuple[float, float, float]:
    later = np.array([each for bursts in rounds for each in bursts[1:]])
    first = float(np.median([bursts[0][0] for bursts in rounds]))
    return first, float(np.median(later[:, 0])), ORDERS / float(later[:, 1].mean())


def table(found: dict[str, tuple[float, float, float]]) -> None:
    """Print the table."""
    bare, theirs, whole = (found[name] for name, *_ in CASES[:3])
    head = f"{'190 orders, each answered in 20 ms':34} {'first, ms':>9} {'later, ms':>9} {'x bare':>7} {'orders/s':>9}"
    print(f"{head} {'orders/CPU s':>12} {'x worker':>8} {'x whole':>8}")
    for name, (first, later, rate) in found.items():
        times = f"{first:9.1f} {later:9.1f} {later / bare[1]:7.2f} {1e3 * ORDERS / later:9,.0f}"
        times = f"{'':37}" if np.isnan(later) else times
        print(f"{name:34} {times} {rate:12,.0f} {rate / theirs[2]:8.2f} {rate / whole[2]:8.2f}")
    print(f"reach: {LATE:g} times the bare script's ms, {PER_CPU:g} times blockpaca's orders per CPU second")


def fills(url: str) -> None:
    """Print how many of 200 fills are known, at 200 quotes a second."""
    tape = Tape(symbols(10), 12, 1.0, fills=0.2, answers=ANSWERS, quotes=QUOTES)
    for name, which in (("ours", "our_fills"), ("blockpaca", "their_fills")):
        found = told(which, tape, 20, 10, url)
        quotes = f" ({found['quotes']:,} quotes)" if "quotes" in found else ""
        title = f"fills known at {QUOTES} quotes a second, {name}"
        print(f"{title}: {found['known']:g} of {found['of']:g}{quotes}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each client")
    parser.add_argument("--quick", action="store_true", help="one round")
    chosen = parser.parse_args()
    with venue() as url:
        table(measured(url, 1 if chosen.quick else chosen.rounds, 12))
        fills(url)


if __name__ == "__main__":
    main()
