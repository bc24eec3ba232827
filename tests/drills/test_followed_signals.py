"""Sessions that follow signals while lines drop and the process is killed: each signal is traded once."""

from __future__ import annotations

from pathlib import Path

import pytest
from drills.drill_stage import seeds
from drills.follow_stage import follow


@pytest.mark.parametrize("seed", seeds(6, "DRILL_FOLLOWED"))
def test_each_signal_is_traded_once(seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed three times, with everything that was not written lost; what is held at the end is what was to be."""
    followed = follow(seed, folder, monkeypatch)
    assert followed.broken() == []
    assert followed.kills == 3
