"""`kill -9` at every numbered point of a session, a restart, and the same invariants over both runs.

A point is the time before or after: records are committed, the journal is written, a request for an order is sent
and answered, an adapter tells something, news cross to the engine, the broker takes an update. The points are numbered
by their crossings, in the order in which a session makes them. `DRILL_CRASH=all` kills at each of them in turn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drills.drill_checks import NOISE, chain, groups, orphaned, twice
from drills.drill_stage import Scene, Survivor, at, entries, impatient, served, walk

from brokers.alpaca.settings import Settings
from framework.live.past import Past

MINUTES = 16
POINTS = 420
"""About as many crossings has a session; a later one than there are kills nobody, and is checked likewise."""


def sample() -> list[int]:
    """Return the crossings at which to kill: `DRILL_CRASH` is how many of them, or "all", or one as "=17"."""
    told = os.environ.get("DRILL_CRASH", "15")
    if told.startswith("="):
        return [int(told[1:])]
    count = POINTS if told == "all" else int(told)
    return [1 + place * POINTS // count for place in range(count)]


class Forker:
    """The warm parent of all children."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("crash_child.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def play(self, **asked: Any) -> int:
        """Let a child play a session; return its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code: int = json.loads(self._process.stdout.readline())["code"]
        return code

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    forker = Forker()
    yield forker
    forker.close()


@pytest.mark.parametrize("kill_at", sample())
def test_session_goes_on_after_a_kill(forker: Forker, folder: Path, kill_at: int) -> None:
    """Whatever was on its way: nothing is sent twice, lost or forgotten, and the ledger is the venue's."""
    scene = Scene(walk(11, MINUTES), object, seed=3, settings=Settings(partial=0.3))
    with served(scene) as (sandbox, book, posts), impatient():
        told = {
            "url": sandbox.url, "key": sandbox.key, "secret": sandbox.secret, "folder": str(folder),
            "symbols": scene.tape.symbols, "until": at(MINUTES - 4).isoformat(),
        }  # fmt: skip
        first = forker.play(**told, seed=1, kill_at=kill_at)
        assert first in (-9, 0), (folder / "child.log").read_text()
        if first:
            assert forker.play(**told, seed=2, kill_at=0) == 0, (folder / "child.log").read_text()
        end = json.loads((folder / "end.json").read_text())
        survivor = Survivor(scene, book, sandbox.market, posts, entries(folder), end)
    assert list(broken_by_a_crash(survivor)) == []


def broken_by_a_crash(survivor: Survivor) -> Iterator[str]:
    yield from twice(survivor)
    yield from orphaned(survivor)
    yield from forgotten(survivor)
    yield from untold(survivor)
    yield from ledger(survivor)


def forgotten(survivor: Survivor) -> Iterator[str]:
    """Every journalled intent is at the venue, was told as over, or is told as open."""
    ended = Past.of(survivor.journal).ended
    for group in groups(survivor):
        for each in group.orders:
            name = each.client_order_id
            is_known = chain(survivor.book, group, name) or name in ended or name in survivor.broker.open_ids
            if not is_known:
                yield f"order {name} is not at the venue, and nobody was told"


def untold(survivor: Survivor) -> Iterator[str]:
    """The fills in both runs' journal are the venue's, each once, and so are the ends."""
    past = Past.of(survivor.journal)
    booked = past.booked()
    for group in groups(survivor):
        for each in group.orders:
            name = each.client_order_id
            found = chain(survivor.book, group, name)
            size, value = booked.get(name, (0.0, 0.0))
            filled, paid = sum(one.filled_qty for one in found), sum(one.paid for one in found)
            if abs(size - filled) > NOISE or abs(value - paid) > 1e-4:
                yield f"order {name}: journalled {size:g} for {value:.4f}, at the venue {filled:g} for {paid:.4f}"
            if found and found[-1].is_live == (name in past.ended):
                yield f"order {name}: ended is {name in past.ended}, at the venue it is {found[-1].status}"


def ledger(survivor: Survivor) -> Iterator[str]:
    """Positions and cash are the venue's."""
    for symbol, size in survivor.end["positions"].items():
        if abs(size - survivor.book.account.holding(symbol).size) > NOISE:
            yield f"{symbol}: the session holds {size:g}, the venue {survivor.book.account.holding(symbol).size:g}"
    theirs = survivor.end["start"] + survivor.book.account.cash - survivor.scene.settings.cash
    if abs(theirs - survivor.end["cash"]) > 1e-4:
        yield f"the session has {survivor.end['cash']:.4f} in cash, by the venue's {theirs:.4f}"
