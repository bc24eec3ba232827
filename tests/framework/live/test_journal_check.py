"""Whether a session can begin, or go on, under its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.live.checkup import Verdict
from framework.live.clock import VirtualClock
from framework.live.journal import SqliteJournal
from framework.live.journal_check import journal
from framework.live.records import START

BEGUN = {"run": 3, "account": "PA0000001234", "cash": 1_000.0}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A journal of three runs."""
    path = tmp_path / "mine.sqlite"
    with SqliteJournal(path, VirtualClock()) as written:
        written.append(START, "mine", BEGUN)
    return path


@pytest.mark.parametrize(("name", "told"), [(None, "a new one; with --session NAME"), ("other", "other is new")])
def test_a_name_that_no_session_had_is_free(name: str | None, told: str, tmp_path: Path) -> None:
    """And nothing is made of it."""
    answer = journal(tmp_path, name, "PA1")
    assert (answer.verdict, told in answer.text) == (Verdict.YES, True)
    assert list(tmp_path.iterdir()) == []


def test_a_session_goes_on_with_its_next_run(mine: Path) -> None:
    """Where the account is the one that it had."""
    assert journal(mine.parent, "mine", "PA0000001234").text == "mine goes on with run 4, 0 orders open"


def test_whose_it_was_is_not_known_without_an_account(mine: Path) -> None:
    """The file is looked at all the same."""
    assert "is not known" in journal(mine.parent, "mine", "").text


def test_another_accounts_session_is_a_no(mine: Path) -> None:
    """Both are told by their last digits."""
    answer = journal(mine.parent, "mine", "PA0000009999")
    assert answer.verdict is Verdict.NO
    assert "ends in 1234, this one in 9999" in answer.text
    assert "PA0000001234" not in answer.text


def test_a_session_that_runs_is_a_no_and_left_alone(mine: Path) -> None:
    """It goes on writing."""
    with SqliteJournal(mine, VirtualClock()) as written:
        assert "is being written by another session" in journal(mine.parent, "mine", "").text
        assert written.append("note", "x", {}) == 2


def test_a_damaged_journal_is_told(mine: Path) -> None:
    """What SQLite finds by itself when it looks."""
    with SqliteJournal(mine, VirtualClock()) as written:
        written.append_many(("bar", "A", {"n": n, "text": "x" * 100}) for n in range(500))
    content = bytearray(mine.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    mine.write_bytes(bytes(content))
    with pytest.raises(ConfigError, match="cannot be read as a journal"):
        journal(mine.parent, "mine", "")


def test_a_name_that_is_none_is_told(tmp_path: Path) -> None:
    """Order ids are made of it."""
    with pytest.raises(ConfigError, match="cannot be part of an order's id"):
        journal(tmp_path, "a/b", "")


def test_an_empty_journal_is_a_new_one(tmp_path: Path) -> None:
    """A start that ended before its first record."""
    SqliteJournal(tmp_path / "mine.sqlite", VirtualClock()).close()
    assert journal(tmp_path, "mine", "PA1").text == "mine is new"
