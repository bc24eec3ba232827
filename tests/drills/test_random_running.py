"""Random sessions in memory on a clock that runs: half a minute of venue time passes in a second of the line's."""

from __future__ import annotations

from pathlib import Path

import pytest
from drills.drill_checks import broken
from drills.drill_stage import impatient, in_memory, random_scene, seeds


@pytest.mark.parametrize("seed", seeds(10, "DRILL_RUNNING"))
def test_random_session_on_a_running_clock(folder: Path, seed: int) -> None:
    """Whatever goes wrong, in the end the venue, the session and the strategy agree."""
    with impatient(2.0, slot=10.0):
        played = in_memory(random_scene(seed, minutes=40, rate=0.02, speed=30.0), folder)
    assert broken(played) == []
