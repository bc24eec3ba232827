"""A week of a live session, on a clock that runs fast: what grows, and whether all came out right.

    python benchmarks/soak.py [--quick] [--only "early close"] [--keep FOLDER]

The sandbox (`soak_tape.py`) and the session (`soak_session.py`) are processes of their own, over sockets on
loopback; the figures are the session's. The venue's clock never jumps: nights and weekends are lived through. No
week has both a change of the clocks and an early close, so the whole is two stretches of a week each, two
sessions one after the other, at 1800 seconds a second (eleven minutes). `--quick` is one, at 3600 (two minutes).

Each has 30 symbols, three broken lines a day, a symbol halted, and a split over night of shares that
another program holds beside the session's. In the night after each day the session's process is looked at, and its
book compared with the venue's. Growth a day is a line of least squares through these nights, the first left out.
The exit code is 1 where something did not come out right.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from soak_session import Job, read  # beside this file
from soak_tape import BEFORE, FOREIGN, LOOK, QUICK, WHOLE, Stretch

from framework.columns import instant

MB = 1 << 20

FIGURES = (
    ("memory (RSS), MB", "rss", 1 / MB),
    ("objects", "objects", 1),
    ("of it what a result is made of", "needed", 1 / MB),
    ("threads", "threads", 1),
    ("sockets", "sockets", 1),
    ("file descriptors", "files", 1),
    ("journal, MB", "journal", 1 / MB),
    ("records in the journal", "records", 1),
    ("orders sent", "orders", 1),
    ("backfilled bars", "backfilled", 1),
    ("processor, s", "cpu", 1),
)
"""What is shown of each night: its name, its key, its scale."""

CONNECTIONS = 60
"""What the transport may have open at most: fifty to the venue, two streams, and what is being closed."""

SOME_A_DAY = 20
"""What grows by fewer items a day is not named."""


@dataclass
class Sandbox:
    """A sandbox that runs; all of it is asked over HTTP."""

    url: str
    key: str
    secret: str

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        headers = {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": self.secret}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers, method=method)) as answer:
            return json.load(answer)

    def now(self) -> datetime:
        return datetime.fromisoformat(self.ask("/_sandbox/clock")["now"])


@dataclass
class Night:
    """What the session's process was in one night."""

    day: datetime
    figures: dict[str, float]
    kept: Counter[str]
    types: Counter[str]
    wrong: list[str] = field(default_factory=list)


@contextmanager
def sandbox(stretch: Stretch) -> Iterator[tuple[Sandbox, subprocess.Popen[str]]]:
    """Run a sandbox, in lock-step until it is told to go."""
    beside = [sys.executable, str(Path(__file__).with_name("soak_tape.py")), json.dumps(asdict(stretch))]
    with subprocess.Popen(beside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield Sandbox(**json.loads(running.stdout.readline())), running
        finally:
            running.terminate()


class Session:
    """The session's process, its journal, and what it has been at most."""

    def __init__(self, job: Job, folder: str) -> None:
        self.journal = Path(folder) / f"{job.name}.sqlite"
        self._errors = open(Path(folder) / f"{job.name}.err", "w+")  # noqa: SIM115  (for as long as the process)
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("soak_session.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | {"SWITCHBACK_SESSIONS": folder},
        )
        self._write(json.dumps(asdict(job)))
        self._seen = psutil.Process(self.process.pid)
        self.most: Counter[str] = Counter()

    def outside(self) -> dict[str, float]:
        """Return what the system says of the process."""
        with self._seen.oneshot():
            times = self._seen.cpu_times()
            found = {
                "rss": self._seen.memory_info().rss,
                "threads": self._seen.num_threads(),
                "files": self._seen.num_fds(),
                "sockets": len(self._seen.net_connections()),
                "cpu": times.user + times.system,
            }
        self.most |= Counter({name: round(value) for name, value in found.items()})
        return found

    def look(self) -> dict[str, Any]:
        """Let the process look at itself."""
        self._write("look")
        return self._told()

    def ended(self) -> dict[str, Any]:
        """Return what came of the session."""
        found: dict[str, Any] = self._told()["result"]
        self.process.wait(60)
        return found

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def _told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the session broke off:\n{self.errors()}")
        told: dict[str, Any] = json.loads(line)
        return told

    def errors(self) -> str:
        """Return what it wrote to standard error."""
        self._errors.flush()
        return Path(self._errors.name).read_text()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self._errors.close()


def journal(path: Path) -> dict[str, float]:
    """Return what the journal has grown to."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        size = 1
        for each in ("page_count", "page_size"):  # the files have what is not merged yet, and what is merged still
            size *= database.execute(f"PRAGMA {each}").fetchone()[0]
        count = dict(database.execute("SELECT kind, count(*) FROM journal GROUP BY kind"))
        tickets = "SELECT sum(json_array_length(body, '$.tickets')) FROM journal WHERE kind = 'intent'"
        (orders,) = database.execute(tickets).fetchone()
        rows = database.execute("SELECT key, body FROM journal WHERE kind = 'minutes' ORDER BY seq").fetchall()
    minutes = Counter[str]()
    for body in dict(rows).values():  # the last entry of a day counts
        for run in _runs(json.loads(body)["minutes"]):
            minutes.update(run)
    found = {f"of {kind}": number for kind, number in count.items()}
    found |= {"journal": size, "records": sum(count.values()), "orders": orders or 0, "backfilled": minutes["b"]}
    return found


def _runs(text: str) -> Iterator[dict[str, int]]:
    count = ""
    for letter in text:
        if letter.isdigit():
            count += letter
        else:
            yield {letter: int(count)}
            count = ""


def differences(venue: Sandbox, told: Mapping[str, Any], foreign: Mapping[str, float]) -> list[str]:
    """Return where the venue's book and the session's do not agree, or something is open in the night."""
    found = []
    held = {each["symbol"]: float(each["qty"]) for each in venue.ask("/v2/positions")}
    own = {symbol: held.get(symbol, 0.0) - foreign.get(symbol, 0.0) for symbol in {*held, *foreign}}
    if any(own.values()):
        found.append(f"the account is not flat: {own}")
    if told["positions"]:
        found.append(f"the session is not flat: {told['positions']}")
    if told["open"] or venue.ask("/v2/orders?status=open"):
        found.append("orders are open")
    cash = float(venue.ask("/v2/account")["cash"])
    if abs(cash - told["cash"]) > 0.02:
        found.append(f"cash is {told['cash']:.2f}, at the venue {cash:.2f}")
    return found


def bars_wrong(path: Path, stretch: Stretch) -> list[str]:
    """Return where the bars that the session has are not those of the tape."""
    tape, found = stretch.tape(), []
    until = instant(stretch.ends)
    for symbol, had in read(path, stretch.names).items():
        told = tape.adjusted(symbol, tape.bars[symbol], stretch.ends).between(stretch.days[0][0], None)
        told = told[told.end <= until]
        if not np.array_equal(told.end, had.end):
            missing, extra = np.setdiff1d(told.end, had.end), np.setdiff1d(had.end, told.end)
            found.append(f"{symbol}: {len(missing)} bars are missing, {len(extra)} too many")
        elif not np.allclose(told.close, had.close, atol=1e-3):
            found.append(f"{symbol}: bars have other prices")
    return found


def bought(venue: Sandbox, stretch: Stretch) -> None:
    """Let another program buy shares of the symbol that is to be split, on the eve."""
    order = {"symbol": stretch.names[0], "qty": str(FOREIGN), "side": "buy", "type": "market", "time_in_force": "day"}
    venue.ask("/v2/orders", order)
    venue.ask("/_sandbox/step", {"count": 2})


@dataclass
class Watch:
    """One stretch while it runs."""

    stretch: Stretch
    venue: Sandbox
    session: Session
    nights: list[Night] = field(default_factory=list)

    def live(self) -> None:
        """Break what is to be broken, and look in each night."""
        looks = [(closes + LOOK, opens) for opens, closes in self.stretch.days]
        plan: list[tuple[datetime, Any]] = sorted([*self.stretch.faults(), *looks], key=lambda each: each[0])
        for at, what in plan:
            self._until(at)
            if isinstance(what, datetime):
                self._look(what)
            elif what is None:
                self.venue.ask("/_sandbox/faults", method="DELETE")
            else:
                self.venue.ask("/_sandbox/faults", what)
        threading.Thread(target=self._until, args=(self.stretch.ends + timedelta(days=1),), daemon=True).start()

    def _until(self, at: datetime) -> None:
        """Wait for a venue time; look at the process from outside now and then."""
        while (left := (at - self.venue.now()).total_seconds() / self.stretch.speed) > 0:
            time.sleep(min(left, 0.5))
            try:
                self.session.outside()
            except psutil.Error:
                return  # it has ended

    def _look(self, day: datetime) -> None:
        outside = self.session.outside()  # before it makes lists of all objects
        told = self.session.look()
        written = journal(self.session.journal)
        ratio = self.stretch.shares_split.ratio if self.venue.now() > self.stretch.shares_split.at else 1.0
        wrong = differences(self.venue, told, {self.stretch.names[0]: FOREIGN * ratio})
        figures = {**outside, **written, "objects": told["objects"], "needed": told["needed"]}
        self.nights.append(Night(day, figures, Counter(told["kept"]), Counter(told["types"]), wrong))
        print(f"  {day:%a %d %b}: {outside['rss'] / MB:.1f} MB, {written['orders']} orders so far", flush=True)


@dataclass
class Found:
    """What came of a stretch."""

    stretch: Stretch
    nights: list[Night]
    most: Counter[str]
    result: dict[str, Any]
    faults: dict[str, int]
    wrong: list[str]


def measured(stretch: Stretch, folder: str) -> Found:
    """Live through a stretch."""
    hours = (stretch.ends - stretch.days[0][0] + BEFORE).total_seconds() / 3_600
    took = hours * 3_600 / stretch.speed
    print(f"{stretch.name}: {hours:.0f} hours at {stretch.speed:.0f} seconds a second, {took:.0f} s", flush=True)
    with sandbox(stretch) as (venue, server):
        bought(venue, stretch)
        assert server.stdin is not None
        server.stdin.write("go\n")
        server.stdin.flush()
        bars = Path(folder) / "bars.npz"
        name = f"soak{stretch.seed}-{stretch.eve}"
        session = Session(Job(venue.url, venue.key, venue.secret, stretch.names, name, str(bars)), folder)
        try:
            watch = Watch(stretch, venue, session)
            watch.live()
            result = session.ended()
            faults = venue.ask("/_sandbox/faults")["made"]
            wrong = [f"{each.day:%a %d %b}: {what}" for each in watch.nights for what in each.wrong]
            wrong += bars_wrong(bars, stretch) + [f"not flat: {each}" for each in result["not_flat"]]
            wrong += grown(watch.nights, session.most)
            if session.process.returncode:
                wrong.append(f"exit code {session.process.returncode}")
            if errors := session.errors().strip():
                wrong.append(f"on standard error: {errors[-2000:]}")
            return Found(stretch, watch.nights, session.most, result, faults, wrong)
        finally:
            session.close()


def growth(values: Sequence[float]) -> float:
    """Return the growth a day by least squares, the first left out as warm-up; NaN for fewer than two others."""
    rest = values[1:]
    if len(rest) < 2:
        return float("nan")
    return float(np.polyfit(np.arange(len(rest)), rest, 1)[0])


def grown(nights: Sequence[Night], most: Mapping[str, float]) -> list[str]:
    """Return what has grown that must not: threads, sockets."""
    threads = [each.figures["threads"] for each in nights]
    found = [f"threads: {threads}"] if max(threads) > min(threads) else []
    return found + ([f"{most['sockets']} sockets"] if most["sockets"] > CONNECTIONS else [])


def table(found: Found) -> str:
    """Return what was measured in each night, and how much it grew a day."""
    nights = found.nights
    lines = [f"{'':32} " + " ".join(f"{each.day:%a %d %b}".rjust(11) for each in nights) + "    a day    most"]
    for name, key, scale in FIGURES:
        values = [each.figures[key] * scale for each in nights]
        cells = " ".join(f"{each:11,.1f}" if scale != 1 or key == "cpu" else f"{each:11,.0f}" for each in values)
        most = f"{found.most[key] * scale:8,.0f}" if key in found.most else ""
        lines.append(f"{name:32} {cells} {growth(values):+8,.1f} {most}")
    return "\n".join(lines)


def named(nights: Sequence[Night], which: str) -> list[tuple[str, float, float]]:
    """Return what grows a day, most first: its name, by how many, and how many there were in the last night."""
    counters = [getattr(each, which) for each in nights]
    names = {name for each in counters for name in each}
    grown = [(name, growth([each[name] for each in counters]), counters[-1][name]) for name in names]
    return sorted((each for each in grown if each[1] >= SOME_A_DAY), key=lambda each: -each[1])


def report(found: Found) -> str:
    """Return all that is to be told of a stretch."""
    result, last = found.result, found.nights[-1].figures
    kinds = ", ".join(f"{last[key]:.0f} {key[3:]}" for key in sorted(last) if key.startswith("of "))
    lines = [
        f"\n{found.stretch.name}\n",
        table(found),
        f"\norders: {result['orders']}; {result['fills']} fills, {result['trades']} trades; {result['nexts']} next",
        f"the journal: {kinds}; {last['journal'] / max(last['orders'], 1):,.0f} bytes an order, all of it counted",
        f"faults: {found.faults}; told: {result['told']}",
        *(f"  {each}" for each in result["notes"] if each[0].isdigit()),
        "grows a day, in containers:",
        *(f"  {count:10,.0f}  {name} ({last:,.0f})" for name, count, last in named(found.nights, "kept")[:25]),
        "grows a day, objects:",
        *(f"  {count:10,.0f}  {name} ({last:,.0f})" for name, count, last in named(found.nights, "types")[:25]),
        *(f"WRONG  {each}" for each in found.wrong),
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three days in two minutes")
    parser.add_argument("--only", default="", help="the stretches whose name has this")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the journals and bars here")
    chosen = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for stretch in QUICK if chosen.quick else WHOLE:
            if chosen.only in stretch.name:
                found = measured(stretch, chosen.keep or folder)
                print(report(found), flush=True)
                wrong += len(found.wrong)
    print("all came out right" if not wrong else f"{wrong} things did not come out right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
