"""Random strategies on a random tape with random faults, in memory, in lock-step: one integer replays one."""

from __future__ import annotations

from pathlib import Path

import pytest
from drills.drill_checks import broken
from drills.drill_stage import in_memory, random_scene, seeds


@pytest.mark.parametrize("seed", seeds(100, "DRILL_SEEDS"))
def test_random_session_in_lock_step(folder: Path, seed: int) -> None:
    """Whatever goes wrong, in the end the venue, the session and the strategy agree."""
    assert broken(in_memory(random_scene(seed), folder)) == []


def test_a_seed_plays_alike_each_time(folder: Path) -> None:
    """The same orders, fills and statuses, to the last bit of the journal but its times."""
    scene = random_scene(7, rate=0.05)
    told = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SWITCHBACK_SESSIONS", str(folder / name))
            told.append(in_memory(scene, folder / name))
    one, two = ([(each.kind, each.key, each.body) for each in played.journal] for played in told)
    assert one == two
