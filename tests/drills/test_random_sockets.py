"""Random sessions over real sockets, with all of their threads."""

from __future__ import annotations

from pathlib import Path

import pytest
from drills.drill_checks import broken
from drills.drill_stage import over_sockets, random_scene, seeds


@pytest.mark.parametrize("seed", seeds(5, "DRILL_SOCKETS"))
def test_random_session_over_sockets(folder: Path, seed: int) -> None:
    """Whatever goes wrong, in the end the venue, the session and the strategy agree."""
    assert broken(over_sockets(random_scene(seed, minutes=20, rate=0.02), folder)) == []
