"""The kill switch's file: written whole, seen at once, and when in doubt pulled."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.live.killswitch import KillSwitch, Pulled, all_pulled, lift, pull

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)


def test_switch_that_nobody_pulled_is_not_there(tmp_path: Path) -> None:
    """No file, no halt."""
    assert KillSwitch(tmp_path, "mine").pulled() is None
    assert all_pulled(tmp_path) == []


def test_one_session_is_halted_and_no_other(tmp_path: Path) -> None:
    """A halt by name reaches that session at once; lifting it tells how it was pulled."""
    mine, yours = KillSwitch(tmp_path, "mine"), KillSwitch(tmp_path, "yours")
    assert mine.pulled() is None
    pulled = Pulled(AT, reason="the news", session="mine")
    pull(tmp_path, pulled)
    assert mine.pulled() == pulled
    assert yours.pulled() is None
    assert lift(tmp_path, "mine") == pulled
    assert mine.pulled() is None


def test_halt_of_all_reaches_each(tmp_path: Path) -> None:
    """Also one with a halt of its own; the one that closes positions counts."""
    pull(tmp_path, Pulled(AT, session="mine"))
    pull(tmp_path, Pulled(AT, flatten=True))
    assert KillSwitch(tmp_path, "mine").pulled() == Pulled(AT, flatten=True)
    assert KillSwitch(tmp_path, "yours").pulled() == Pulled(AT, flatten=True)
    assert [each.session for each in all_pulled(tmp_path)] == ["", "mine"]


def test_switch_pulled_again_is_read_again(tmp_path: Path) -> None:
    """First a halt, then with flatten."""
    switch = KillSwitch(tmp_path, "mine")
    pull(tmp_path, Pulled(AT))
    assert not switch.pulled().flatten
    pull(tmp_path, Pulled(AT, flatten=True))
    assert switch.pulled().flatten


@pytest.mark.parametrize("text", ["", "{", "[]", '{"at": "noon"}'])
def test_file_that_cannot_be_read_counts_as_pulled(tmp_path: Path, text: str) -> None:
    """When in doubt the session stops, and says which file it is."""
    (tmp_path / "mine.halt.json").write_text(text)
    pulled = KillSwitch(tmp_path, "mine").pulled()
    assert "mine.halt.json cannot be read" in str(pulled)


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Nobody is to believe in a halt that is none."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="NOT halted"):
        pull(tmp_path / "file", Pulled(AT))
