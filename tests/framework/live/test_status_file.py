"""The status file: whole, private, without secrets."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from framework.live.status import Message, Status
from framework.live.status_file import StatusFile

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """The last one; nothing else is left in the folder."""
    file = StatusFile.of(tmp_path, "dip")
    file.write(Status("dip", AT, run=1))
    file.write(Status("dip", AT, run=2))
    assert file.read() == Status("dip", AT, run=2)
    assert [each.name for each in tmp_path.iterdir()] == ["dip.status.json"]


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """Positions and amounts are in it."""
    file = StatusFile.of(tmp_path, "dip")
    file.write(Status("dip", AT))
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_a_secret_that_a_venue_quotes_is_not_written(tmp_path: Path) -> None:
    """Neither as it is nor as JSON writes it; what is left is JSON still."""
    file = StatusFile.of(tmp_path, "dip", ['s3"cret', "k3y", ""])
    file.write(Status("dip", AT, messages=(Message(AT, "x", 'wrong key k3y or s3"cret'),)))
    assert json.loads(file.path.read_text())["messages"][0]["text"] == "wrong key *** or ***"


def test_no_file_and_a_broken_one_are_none(tmp_path: Path) -> None:
    """The journal tells the rest."""
    file = StatusFile.of(tmp_path, "dip")
    assert (file.read(), file.age()) == (None, None)
    file.path.write_text("{")
    assert file.read() is None


def test_its_age_is_the_files(tmp_path: Path) -> None:
    """In the world's time, whatever clock the session goes by."""
    file = StatusFile.of(tmp_path, "dip")
    file.write(Status("dip", AT))
    os.utime(file.path, (0, file.path.stat().st_mtime - 40))
    age = file.age()
    assert age is not None
    assert 40 <= age < 60
