"""Random sessions on ALGOGENE with random faults and kills, in memory: one integer replays one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from drills.algogene_stage import FAULTS, broken, in_memory, over_sockets, scene
from drills.drill_stage import seeds


@pytest.mark.parametrize("seed", seeds(25, "DRILL_ALGOGENE"))
def test_random_session_in_lock_step(folder: Path, seed: int) -> None:
    """Whatever goes wrong, in the end the venue and the session agree: no order twice, none lost, one position."""
    assert broken(in_memory(scene(seed), folder)) == []


@pytest.mark.parametrize("seed", seeds(1, "DRILL_ALGOGENE"))
def test_random_session_on_a_running_clock(folder: Path, seed: int) -> None:
    """Polls and fills are not in step with each other there."""
    assert broken(in_memory(scene(seed, minutes=40, rate=0.02, speed=30.0), folder)) == []


@pytest.mark.parametrize("seed", seeds(10, "DRILL_ALGOGENE"))
def test_a_session_that_is_killed_goes_on(folder: Path, seed: int) -> None:
    """Three times, at any of its requests, before it left or after its answer; what was written is all there is."""
    assert broken(in_memory(scene(seed, deaths=3, rate=0.01), folder)) == []


@pytest.mark.parametrize("seed", seeds(1, "DRILL_ALGOGENE"))
def test_random_session_over_real_sockets(folder: Path, seed: int) -> None:
    """With all threads; but for what makes it wait for a minute of the world's."""
    names = tuple(each for each in FAULTS if each != "rate_limited")
    assert broken(over_sockets(replace(scene(seed), names=names), folder)) == []
