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


def test_checks_of_a_drill_see_an_order_too_many_and_one_too_few(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is checked above can fail."""
    followed = follow(1, folder, monkeypatch)
    entries = followed.played.book.entries
    name, entry = entries.popitem()
    assert [each for each in followed.broken() if "was not traded" in each]
    entries.update({name: entry, "again": entry})
    assert [each for each in followed.broken() if "was sent 2 times" in each]
