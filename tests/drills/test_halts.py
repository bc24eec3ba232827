"""The kill switch in sessions in which everything goes wrong: nothing new leaves, and what was to be flat is flat."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from drills.drill_checks import broken, chain, groups, orphaned, twice
from drills.drill_stage import (
    Played,
    Scene,
    Survivor,
    at,
    entries,
    impatient,
    in_memory,
    random_scene,
    seeds,
    served,
    walk,
)
from drills.test_crash import Forker, forgotten, forker, ledger, untold  # noqa: F401  (a fixture)

from brokers.alpaca.settings import Settings
from framework.live.killswitch import Pulled, pull
from framework.sandbox.market import Market
from framework.sandbox.tape import Instant

HALT = 16


class Pulling:
    """Pulls the switch at an instant of the tape."""

    name = "pulling"

    def __init__(self, folder: Path, since: datetime, pulled: Pulled) -> None:
        self._folder, self._since, self._pulled = folder, since, pulled
        self.is_done = False

    def play(self, instant: Instant) -> None:
        if instant.at >= self._since and not self.is_done:
            self.is_done = True
            pull(self._folder, self._pulled)

    async def flush(self) -> None: ...

    def restore(self, body: Mapping[str, Any]) -> None: ...

    def forget(self) -> None: ...


def halted(scene: Scene, folder: Path, pulled: Pulled) -> Scene:
    """Return a scene in which the switch is pulled, and the strategy goes on asking all the while."""
    armed = scene.arm

    def arm(market: Market) -> None:
        armed(market)
        market.join(Pulling(folder, at(HALT), pulled))

    return replace(scene, arm=arm, params={**scene.params, "until": None}, calm_at=at(HALT + 6))


def opened(played: Played | Survivor, since: datetime) -> Iterator[str]:
    """Nothing that opens a position is decided or reaches the venue after the switch was pulled."""
    for each in played.journal:
        if each.kind == "intent" and each.at > since and not each.body["group"].is_exit:
            yield f"{each.key} was decided at {each.at}"
    for group in groups(played):
        for entry in chain(played.book, group, group.orders[0].client_order_id):
            if entry.created_at > since and not group.is_exit:
                yield f"{entry.client_order_id} reached the venue at {entry.created_at}"


def held(played: Played | Survivor) -> Iterator[str]:
    """Nothing is held or open, here or at the venue."""
    for symbol in played.scene.tape.symbols:
        if size := played.book.account.holding(symbol).size:
            yield f"the venue holds {size:g} of {symbol}"
    yield from (f"{entry.client_order_id} is open" for entry in played.book.entries.values() if entry.is_live)


@pytest.mark.parametrize("seed", seeds(8, "DRILL_HALTS"))
def test_flat_after_a_halt_in_lock_step(folder: Path, seed: int) -> None:
    """Orders in flight, answers lost, lines down: all is cancelled and closed, and the account says so."""
    pulled = Pulled(at(HALT), flatten=True)
    played = in_memory(halted(random_scene(seed), folder, pulled), folder)
    assert [*broken(played), *opened(played, at(HALT)), *held(played)] == []
    assert played.result.not_flat == ()


@pytest.mark.parametrize("seed", seeds(8, "DRILL_HALTS"))
def test_flat_after_a_halt_on_a_running_clock(folder: Path, seed: int) -> None:
    """Half a minute passes in a second: what was decided within that second may still arrive."""
    with impatient(2.0, slot=10.0):
        scene = random_scene(seed, minutes=45, rate=0.02, speed=30.0)
        played = in_memory(halted(scene, folder, Pulled(at(HALT), flatten=True)), folder)
    assert [*broken(played), *opened(played, at(HALT) + timedelta(seconds=30)), *held(played)] == []
    assert played.result.not_flat == ()


@pytest.mark.parametrize("seed", seeds(4, "DRILL_HALTS"))
def test_halt_without_flattening_leaves_what_protects(folder: Path, seed: int) -> None:
    """Entries end, exits stay and may still be asked for."""
    played = in_memory(halted(random_scene(seed), folder, Pulled(at(HALT))), folder)
    assert [*broken(played), *opened(played, at(HALT))] == []
    for entry in (each for each in played.book.entries.values() if each.is_live):
        size = played.book.account.holding(entry.symbol).size
        assert size * (1 if entry.side == "buy" else -1) < 0, f"{entry.client_order_id} would open a position"


@pytest.mark.parametrize("kill_at", [150, 190, 230, 270])
def test_halt_survives_a_kill(forker: Forker, folder: Path, kill_at: int) -> None:  # noqa: F811
    """Killed before, within and after the flattening, the next run goes on with it."""
    pulled = Pulled(at(HALT), flatten=True)
    scene = halted(Scene(walk(11, 26), object, seed=3, settings=Settings(partial=0.3)), folder, pulled)
    with served(scene) as (sandbox, book, posts), impatient():
        told = {
            "url": sandbox.url, "key": sandbox.key, "secret": sandbox.secret, "folder": str(folder),
            "symbols": scene.tape.symbols, "until": at(26).isoformat(),
        }  # fmt: skip
        first = forker.play(**told, seed=1, kill_at=kill_at)
        assert first in (-9, 0), (folder / "child.log").read_text()
        if first:
            assert forker.play(**told, seed=2, kill_at=0) == 0, (folder / "child.log").read_text()
        end = json.loads((folder / "end.json").read_text())
        survivor = Survivor(scene, book, sandbox.market, posts, entries(folder), end)
    checks = (twice, orphaned, forgotten, untold, ledger, held)
    assert [text for check in checks for text in check(survivor)] == []
    assert list(opened(survivor, at(HALT))) == []
