"""How long a live session takes from a bar to its order, and from a fill to the strategy, beside a bare script.

    python benchmarks/live.py [--quick] [--rounds 2] [--only 30]

The venue (`live_venue.py`) is a process of its own, and stamps when it writes a bar or a fill, and when an
order has come in. The clients (`live_clients.py`) run in turn, each in a process of its own: a script of
websockets, aiohttp and SQLite, and a Backtrader strategy in a session of ours. Both have each order on the
disk before it is sent; "not durable" is without that. Times drift with the machine's other load; ratios of
one run hardly do. Medians and 99th percentiles are over all rounds; the first bars of each are left out. It
takes five minutes. The venue's minutes are short (50 to 200 ms), so a session here does far more than in the world.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from live_clients import Job, command  # beside this file
from live_venue import Tape

BEGINNING = 10
"""Bars at the beginning of each round that are not counted: connections are made."""

CLIENTS = ("bare", "ours")


@dataclass(frozen=True)
class Case:
    """What is measured: so many symbols, of which so many are traded; `reach` are the ratios of p50 and p99."""

    name: str
    symbols: int
    traded: int
    bars: int
    every: float
    reach: tuple[float, float] | None = None
    durable: str = "FULL"
    more: dict[str, Any] = field(default_factory=dict)
    rests: bool = False

    def tape(self) -> Tape:
        names = [f"S{number:03}" for number in range(self.symbols)]
        return Tape(names, self.bars + BEGINNING, self.every, **self.more)


ONE, THIRTY = (1.5, 3.0), (2.0, 4.0)
CASES = (
    Case("1 symbol", 1, 1, 150, 0.05, ONE),
    Case("30 symbols, 1 order", 30, 1, 100, 0.08, THIRTY),
    Case("30 symbols, 30 orders", 30, 30, 100, 0.2, THIRTY),
    Case("1 symbol, not durable", 1, 1, 150, 0.05, durable="OFF"),
    Case("30 symbols, 30 orders, not durable", 30, 30, 100, 0.2, durable="OFF"),
)
GRACE = Case("one of 10 symbols has no bar", 10, 1, 12, 0.5, more={"silent": "S009"})
LATE = Case("one of 10 symbols comes 400 ms late", 10, 1, 12, 1.0, more={"late": "S009", "late_by": 0.4})
AT_REST = Case("30 symbols at rest", 30, 1, 3 - BEGINNING, 12.0, more={"first": 2.0}, rests=True)


@dataclass
class Found:
    """What came of a case for one client: milliseconds, `next` a minute, the share of a processor at rest."""

    orders: list[float] = field(default_factory=list)
    fills: list[float] = field(default_factory=list)
    nexts: list[float] = field(default_factory=list)
    cpu: float | None = None


@contextmanager
def venue() -> Iterator[str]:
    """Run the venue; yield its URL."""
    command = [sys.executable, str(Path(__file__).with_name("live_venue.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline().strip()
        finally:
            running.terminate()


def asked(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data)) as answer:
        return json.load(answer)


def turn(which: str, case: Case, url: str, found: Found) -> None:
    """Let a client trade a tape, and add what it took."""
    tape = case.tape()
    with tempfile.TemporaryDirectory() as folder:
        asked(f"{url}/bench/begin", asdict(tape))
        job = Job(url, folder, tape.symbols, case.traded, tape.bars, case.durable, rests=case.rests)
        told = subprocess.run(
            command(which, job), capture_output=True, text=True, timeout=120, check=False,
            env=os.environ | {"SWITCHBACK_SESSIONS": folder},
        )  # fmt: skip
    if told.returncode:
        raise SystemExit(f"{case.name}, {which}:\n{told.stderr}")
    client, stamps = json.loads(told.stdout.splitlines()[-1]), asked(f"{url}/bench/stamps")
    found.orders += _after(stamps["orders"], dict.fromkeys(tape.symbols, stamps["bars"]))
    found.fills += _after(client["heard"], _by_symbol(stamps["fills"]))
    found.nexts.append(client["nexts"] / len(stamps["bars"]))
    found.cpu = client["cpu"]


def _after(then: list[Any], first: dict[str, list[int]]) -> list[float]:
    """Return the milliseconds from each symbol's first stamps to the second, the beginning left out."""
    return [
        (at - was) / 1e6
        for symbol, times in _by_symbol(then).items()
        for was, at in list(zip(first[symbol], times, strict=False))[BEGINNING:]
    ]


def _by_symbol(stamps: list[Any]) -> dict[str, list[int]]:
    times: dict[str, list[int]] = {}
    for symbol, at in stamps:
        times.setdefault(symbol, []).append(at)
    return times


def measured(case: Case, url: str, rounds: int) -> dict[str, Found]:
    """Return what both clients took, in turn."""
    found = {which: Found() for which in CLIENTS}
    for _ in range(rounds):
        for which in CLIENTS:
            turn(which, case, url, found[which])
    return found


def quantiles(times: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile; NaN without times."""
    return tuple(np.quantile(times, (0.5, 0.99)).tolist()) if times else (float("nan"),) * 2  # type: ignore[return-value]


def line(name: str, bare: list[float], ours: list[float], reach: tuple[float, float] | None, what: str = "") -> str:
    """Return a row of the table."""
    cells = []
    for at, (first, second) in enumerate(zip(quantiles(bare), quantiles(ours), strict=True)):
        wanted = f"({reach[at]:.1f})" if reach else ""
        cells.append(f"{first:8.2f} {second:8.2f} {second / first:6.2f} {wanted:>5}")
    return f"{name:44} {'   '.join(cells)}  {what}"


def table(url: str, rounds: int, quick: bool, only: str) -> None:
    """Print the table."""
    print(f"{'ms':44} {'p50 bare':>8} {'ours':>8} {'ratio':>6} {'':5}   {'p99 bare':>8} {'ours':>8} {'ratio':>6}")
    for case in CASES:
        if only not in case.name or (quick and "not" in case.name):
            continue
        found = measured(case, url, rounds if case.durable == "FULL" else 1)
        bare, ours = found["bare"], found["ours"]
        print(line(f"bar to order, {case.name}", bare.orders, ours.orders, case.reach), flush=True)
        nexts = f"{np.mean(ours.nexts):.2f} next a minute"
        print(line("  fill to notify_order", bare.fills, ours.fills, None, nexts), flush=True)
    if only in GRACE.name:
        found = measured(GRACE, url, 1)
        nexts = f"{found['ours'].nexts[0]:.2f} next a minute; the grace period is 250 ms"
        print(line(GRACE.name, found["bare"].orders, found["ours"].orders, None, nexts), flush=True)
    if only in LATE.name:
        found = {"ours": Found()}
        turn("ours", LATE, url, found["ours"])
        print(f"{LATE.name}: {found['ours'].nexts[0]:.2f} next a minute", flush=True)
    if only in AT_REST.name:
        found = measured(AT_REST, url, 1)
        shares = ", ".join(f"{which} {found[which].cpu or 0:.2%}" for which in CLIENTS)
        print(f"{AT_REST.name}, share of a processor: {shares} (reach: 2 %)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="turns of each client")
    parser.add_argument("--quick", action="store_true", help="one round, durable only")
    parser.add_argument("--only", default="", help="the cases whose name has this")
    chosen = parser.parse_args()
    with venue() as url:
        table(url, 1 if chosen.quick else chosen.rounds, chosen.quick, chosen.only)


if __name__ == "__main__":
    main()
