"""What is asked of this machine before a start."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.live import machine
from framework.live.checkup import Verdict, examined
from framework.live.machine import GIB, MIB


def test_this_machine_is_fit(tmp_path: Path) -> None:
    """The tests run on it: what is told are its versions."""
    found = {each.name: each for each in examined(machine.checks(tmp_path / "new" / "sessions"))}
    assert list(found) == ["python", "backtrader", "time zones", "disk"]
    assert {each.verdict for each in found.values()} <= {Verdict.YES, Verdict.WARNING}
    assert found["backtrader"].text == "1.9.78.123"


@pytest.mark.parametrize(
    ("installed", "required", "verdict"),
    [
        ("1.9.78.123", "1.9.78.123", Verdict.YES),
        ("1.9.78.123", "", Verdict.YES),
        ("1.9.76.123", "1.9.78.123", Verdict.WARNING),
        ("", "1.9.78.123", Verdict.NO),
    ],
)
def test_another_backtrader_is_told(installed: str, required: str, verdict: Verdict) -> None:
    """It may do; none at all does not."""
    assert machine.backtrader(installed, required).verdict is verdict


@pytest.mark.parametrize(
    ("zone", "verdict"),
    [("Europe/London", Verdict.YES), ("Etc/GMT+5", Verdict.NO), ("Middle/Earth", Verdict.NO)],
)
def test_a_zone_must_be_known_and_keep_its_summer_time(zone: str, verdict: Verdict) -> None:
    """With the wrong rules every session would open at the wrong hour."""
    assert machine.time_zones(zone).verdict is verdict


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    """The file that was written to try it is gone."""
    assert machine.disk(tmp_path).verdict is not Verdict.NO
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_no(tmp_path: Path) -> None:
    """With its path and the reason of the system."""
    (tmp_path / "file").write_text("")
    answer = machine.disk(tmp_path / "file" / "sessions")
    assert answer.verdict is Verdict.NO
    assert f"{tmp_path}/file/sessions cannot be written (Not a directory)" in answer.text


@pytest.mark.parametrize(
    ("free", "verdict", "told"),
    [
        (3 * GIB, Verdict.YES, "3.0 GiB"),
        (GIB, Verdict.YES, "1.0 GiB"),
        (GIB - 1, Verdict.WARNING, "1023 MiB"),
        (100 * MIB, Verdict.WARNING, "100 MiB"),
        (100 * MIB - 1, Verdict.NO, "99 MiB"),
    ],
)
def test_little_room_is_a_warning_and_less_a_no(free: int, verdict: Verdict, told: str) -> None:
    """A session writes before it sends."""
    answer = machine.room(Path("sessions"), free)
    assert (answer.verdict, told in answer.text) == (verdict, True)
