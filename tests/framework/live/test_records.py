"""Records: what is written soon, what at once, when it is dated, and when it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from framework.live.clock import VirtualClock
from framework.live.journal import SqliteJournal, is_written
from framework.live.records import BARS, INTENT, UPDATE, Records

AT = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(AT)


@pytest.fixture
def journal(tmp_path: Path, clock: VirtualClock) -> Iterator[SqliteJournal]:
    with SqliteJournal(tmp_path / "s.sqlite", clock) as made:
        yield made


def kinds(journal: SqliteJournal) -> list[str]:
    return [entry.kind for entry in journal.entries()]


def test_what_is_appended_waits_and_goes_with_the_next_commit_before_it(journal: SqliteJournal) -> None:
    """Nobody waits for the disk but an intent; the order of records is the order in which they were made."""
    records = Records(journal)
    records.append(BARS, "x", {})
    assert (kinds(journal), records.is_waiting) == ([], True)
    records.commit([(INTENT, "a-1-1", {})])
    assert (kinds(journal), records.is_waiting) == ([BARS, INTENT], False)


def test_a_record_is_dated_when_it_is_made(journal: SqliteJournal, clock: VirtualClock) -> None:
    """However much later it is written."""
    records = Records(journal)
    records.append(UPDATE, "a-1-1", {})
    asyncio.run(clock.advance(60))
    records.commit([(BARS, "x", {})])
    assert [entry.at - AT for entry in journal.entries()] == [timedelta(0), timedelta(seconds=60)]


def test_an_intent_is_told_after_it_left(journal: SqliteJournal) -> None:
    """A commit tells nothing, so that no reader of the log delays an order; the next word tells it, in order."""
    told: list[str] = []

    def tell(at: datetime, record: tuple[str, str, Any]) -> None:
        told.append(record[0])

    records = Records(journal, tell)
    records.commit([(INTENT, "a-1-1", {})])
    assert told == []
    records.append(UPDATE, "a-1-1", {})
    assert told == [INTENT, UPDATE]


def test_a_journal_that_is_written_is_seen_from_outside(tmp_path: Path, clock: VirtualClock) -> None:
    """As long as its session runs; looking does not take its lock away."""
    path = tmp_path / "t.sqlite"
    assert not is_written(path)
    with SqliteJournal(path, clock):
        assert is_written(path)
    assert not is_written(path)
