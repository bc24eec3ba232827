"""The journal: what it says is written is there, whatever happens to the process."""

import random
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from framework.errors import ConfigError, SwitchbackError
from framework.live.clock import VirtualClock
from framework.live.journal import JournalReader, SqliteJournal
from framework.model import Fill, OrderStatus, OrderUpdate
from framework.ports import Journal

AT = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
UPDATE = OrderUpdate("a-1", "v-1", OrderStatus.FILLED, AT, Fill("x-1", 2.0, 10.5, AT))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "session.journal"


@pytest.fixture
def journal(path):
    with SqliteJournal(path, VirtualClock(AT)) as it:
        yield it


def test_record_comes_back_as_it_was_written(journal):
    """With its number, the session's time, and the values of the vocabulary in it."""
    port: Journal = journal
    assert port.append("update", "a-1", {"update": UPDATE}) == 1
    entry = journal.last("update", "a-1")
    assert (entry.seq, entry.at, entry.kind, entry.key) == (1, AT, "update", "a-1")
    assert entry.body == {"update": UPDATE}


def test_records_are_found_by_kind_key_and_number(journal):
    """Oldest first; the latest of a key by itself."""
    for number in range(6):
        journal.append(["bar", "fill"][number % 2], ["A", "B"][number // 2 % 2], {"n": number})
    assert [each.body["n"] for each in journal.entries()] == [0, 1, 2, 3, 4, 5]
    assert [each.body["n"] for each in journal.entries("bar")] == [0, 2, 4]
    assert [each.body["n"] for each in journal.entries("bar", "A")] == [0, 4]
    assert [each.body["n"] for each in journal.entries(key="B", start=4)] == [3]
    assert journal.last("bar").body["n"] == 4
    assert journal.last("quote") is None


def test_many_records_are_one_write(journal):
    """All of them or, where one is refused, none."""
    assert journal.append_many(("bar", "A", {"n": n}) for n in range(1200)) == list(range(1, 1201))
    assert [each.seq for each in journal.entries()] == list(range(1, 1201))
    with pytest.raises(ConfigError, match="cannot hold a set"):
        journal.append_many([("bar", "A", {}), ("bar", "A", {"n": {1}})])
    assert journal.append("bar", "A", {}) == 1201
    assert journal.append_many([]) == []


def test_session_goes_on_where_it_ended(path):
    """The next one finds the records, and numbers on."""
    with SqliteJournal(path, VirtualClock(AT)) as first:
        first.append("a", "", {"n": 1})
    with SqliteJournal(path, VirtualClock(AT)) as second:
        assert second.append("a", "", {"n": 2}) == 2
        assert [each.body["n"] for each in second.entries()] == [1, 2]


def test_others_read_while_it_is_written(journal, path):
    """A reader sees each record as soon as it is written, and cannot write."""
    with JournalReader(path) as reader:
        journal.append("a", "", {"n": 1})
        assert reader.last("a").body == {"n": 1}
        assert not hasattr(reader, "append")


def test_two_sessions_do_not_write_one_journal(journal, path):
    """The second is told at once, and the first is not disturbed; then the way is free."""
    with pytest.raises(ConfigError, match="written by another session"):
        SqliteJournal(path, VirtualClock())
    journal.append("a", "", {})
    journal.close()
    SqliteJournal(path, VirtualClock()).close()


def test_nothing_is_changed_or_taken_out(journal, path):
    """Not even by somebody else's hand."""
    journal.append("a", "", {})
    other = sqlite3.connect(path)
    for statement in ("UPDATE journal SET kind = 'b'", "DELETE FROM journal"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            other.execute(statement)
    other.close()


def test_full_synchronous_unless_asked_otherwise(path):
    """A power cut takes nothing; who wants it faster says so."""
    for asked, level in [({}, 2), ({"synchronous": "NORMAL"}, 1), ({"synchronous": "OFF"}, 0)]:
        with SqliteJournal(path, VirtualClock(), **asked) as journal:
            assert journal._ask("PRAGMA synchronous") == [(level,)]
            assert journal._ask("PRAGMA journal_mode") == [("wal",)]


def test_threads_write_in_turn(journal):
    """The engine and the I/O thread: every record once, every number once."""
    seqs = [[], []]

    def write(mine):
        mine.extend(journal.append("a", "", {}) for _ in range(20))

    threads = [threading.Thread(target=write, args=[each]) for each in seqs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seqs[0] + seqs[1]) == list(range(1, 41))


@pytest.mark.parametrize("secret", ["s3cr3t/+=", 'quo"te\\d', "grün"])
@pytest.mark.parametrize("where", ["body", "deep", "body key", "key", "kind"])
def test_secret_is_refused(path, secret, where):
    """Wherever it stands, also as JSON writes it; and the error does not show it."""
    record = {
        "body": ("a", "b", {"x": f"<{secret}>"}),
        "deep": ("a", "b", {"x": [{"y": UPDATE, "z": ({"w": secret},)}]}),
        "body key": ("a", "b", {secret: 1}),
        "key": ("a", secret, {}),
        "kind": (secret, "b", {}),
    }[where]
    with SqliteJournal(path, VirtualClock(), secrets=[secret, ""]) as journal:
        with pytest.raises(ConfigError, match="holds a secret") as raised:
            journal.append(*record)
        assert secret not in str(raised.value)
        assert journal.append("a", "b", {"x": "no secret"}) == 1


def test_foreign_file_is_left_alone(path):
    """A text, another's database: one line, and not a byte changed."""
    path.write_text("key = value\n" * 50)
    with pytest.raises(ConfigError, match="cannot be read as a journal"):
        SqliteJournal(path, VirtualClock())
    assert path.read_text() == "key = value\n" * 50


def test_foreign_database_is_left_alone(path):
    """It keeps its tables and its mode."""
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (a)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="no journal of ours"):
        SqliteJournal(path, VirtualClock())
    assert path.read_bytes() == before


def test_journal_of_a_later_version_is_refused(journal, path):
    """It is not written into by who does not know it."""
    journal._ask("PRAGMA user_version = 2")
    journal.close()
    with pytest.raises(ConfigError, match="version 2, this is 1; update"):
        SqliteJournal(path, VirtualClock())


def test_damaged_journal_is_found_out_at_the_start(journal, path):
    """Before anything is traded on it."""
    journal.append_many(("bar", "A", {"n": n, "text": "x" * 100}) for n in range(500))
    journal.close()
    content = bytearray(path.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    path.write_bytes(bytes(content))
    with pytest.raises(ConfigError, match="cannot be read as a journal"):
        SqliteJournal(path, VirtualClock())


def test_missing_journal_is_told(path):
    """Who only reads makes none."""
    with pytest.raises(ConfigError, match="there is no journal"):
        JournalReader(path)
    assert not path.exists()


def test_folder_that_cannot_be_is_told(tmp_path):
    """In one line, with its path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written .*check the folder"):
        SqliteJournal(tmp_path / "file" / "journal", VirtualClock())


def test_start_that_was_cut_off_is_started_again(path):
    """What a crash left of the making of a journal is no journal and no hindrance."""
    path.with_name(path.name + ".new").write_bytes(b"half")
    path.write_bytes(b"")
    with SqliteJournal(path, VirtualClock()) as journal:
        assert journal.append("a", "", {}) == 1


def test_full_disk_is_an_error_of_that_write(journal):
    """Nothing of it stays, and the journal goes on when there is room again."""
    journal._ask("PRAGMA max_page_count = 8")
    with pytest.raises(SwitchbackError, match="could not be written"):
        journal.append("a", "", {"x": "x" * 100_000})
    journal._ask("PRAGMA max_page_count = 1000000")
    assert journal.append("a", "", {}) == 1


WRITER = """
import sys
from framework.live.clock import WallClock
from framework.live.journal import SqliteJournal
with SqliteJournal(sys.argv[1], WallClock()) as journal:
    while True:
        print(journal.append("intent", "k", {"text": "x" * 100}), flush=True)
"""


def test_kill_takes_nothing_that_was_said_to_be_written(path):
    """Killed at random points, five times over: each number that it told is there, and the next one goes on."""
    chance, told = random.Random(7), 0
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        lines = [child.stdout.readline() for _ in range(chance.randint(1, 30))]
        child.send_signal(signal.SIGKILL)
        rest, _ = child.communicate()
        told = int([*lines, *rest.splitlines()][-1])
        with JournalReader(path) as reader:  # with nobody there to put its files in order
            seqs = [each.seq for each in reader.entries("intent")]
        assert seqs == list(range(1, len(seqs) + 1))
        assert told <= len(seqs) <= told + 1
