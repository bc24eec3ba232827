"""The recording's file: it comes back as it was written, wherever it was cut off, and is added to after that."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.alpaca.proxy.recording import (
    MAGIC,
    Answered,
    Asked,
    Framed,
    Lost,
    Made,
    NoRecording,
    Paged,
    Reader,
    Record,
    Skipped,
    Started,
    encoded,
    is_begun,
)
from feeds.alpaca.proxy.recording_file import RecordingFile, looked_through
from framework.errors import ConfigError

T0 = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)

INSTANTS = st.timedeltas(timedelta(days=-20_000), timedelta(days=60_000)).map(T0.__add__)
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines may be busy

STREAMS = st.sampled_from(["/v2/iex", "/v1beta3/crypto/us"])
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(Started, INSTANTS),
    st.builds(Framed, INSTANTS, STREAMS, st.text() | st.binary()),
    st.builds(Lost, INSTANTS, STREAMS, st.text()),
    st.builds(Made, INSTANTS, STREAMS),
    st.builds(Asked, INSTANTS, STREAMS, st.integers(0, 99)),
    st.builds(Paged, INSTANTS, STREAMS, st.integers(0, 99), st.text(), st.binary()),
    st.builds(Answered, INSTANTS, STREAMS, st.integers(0, 99)),
    st.builds(Skipped, INSTANTS, st.integers(0, 1 << 40)),
)


def written(records: Sequence[Record]) -> bytes:
    return MAGIC + b"".join(map(encoded, records))


def kept(path: Path) -> list[Record]:
    return list(looked_through(path).records())


def read(content: bytes, size: int = 1 << 20) -> tuple[list[Record], int]:
    """Read what follows the beginning, in pieces; return the records, and where the last whole one ends."""
    reader, file = Reader(), io.BytesIO(content[len(MAGIC) :])
    return [each for piece in iter(lambda: file.read(size), b"") for each in reader.feed(piece)], reader.end


@UNHURRIED
@given(st.lists(RECORDS, max_size=8), st.integers(1, 50))
def test_what_is_written_comes_back_in_pieces_of_any_size(records: list[Record], size: int) -> None:
    """Every kind, byte for byte and to the microsecond."""
    content = written(records)
    assert read(content, size) == (records, len(content))


@UNHURRIED
@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_what_is_cut_at_any_byte_is_whole_up_to_the_record_before(records: list[Record]) -> None:
    """No record is lost that was whole, and none is made up."""
    content = written(records)
    ends = [len(written(records[:count])) for count in range(len(records) + 1)]
    for cut in range(len(MAGIC), len(content) + 1):
        whole = sum(end <= cut for end in ends) - 1
        assert read(content[:cut]) == (records[:whole], ends[whole])


def test_reason_that_is_no_text_does_not_stop_the_recorder() -> None:
    """The other side may say anything, half characters too."""
    assert read(written([Lost(T0, "/v2/iex", "half \ud800")]))[0] == [Lost(T0, "/v2/iex", "half ?")]


def test_file_that_was_cut_anywhere_is_added_to(tmp_path: Path) -> None:
    """What is cut off at its end gives way; what is whole before it stays, and what comes later is whole too."""
    long = Framed(T0, "/v2/iex", b"longer than what follows it, by some bytes")
    before: list[Record] = [Started(T0), Made(T0, "/v2/iex"), long]
    later = Lost(T0 + timedelta(seconds=1), "/v2/iex", "gone")
    content, path = written(before), tmp_path / "a.recording"
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        whole = read(content[:cut])[0] if cut >= len(MAGIC) else []
        file = RecordingFile(path)
        file.write(encoded(later))
        assert kept(path) == [*whole, later]
        file.close()
        assert kept(path) == [*whole, later]


def test_zeros_at_the_end_are_what_a_power_cut_leaves(tmp_path: Path) -> None:
    """Some systems keep a file's length and not its last bytes."""
    path = tmp_path / "a.recording"
    path.write_bytes(written([Started(T0)]) + bytes(5_000))
    assert kept(path) == [Started(T0)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a,b,c\n1,2,3\n", "is no recording of switchback proxy's; name another file"),
        (MAGIC[:-1] + b"\x02", "is a recording of version 2, and this program reads version 1"),
        (written([Started(T0)]) + b"\x00 and more", "is damaged at byte 39"),
        (written([]) + msgpack.packb(["dance", 0]), "is damaged at byte 23"),
        (written([]) + msgpack.packb(["made", 0, 1]), "is damaged at byte 23"),
        (written([]) + msgpack.packb(["start", 1 << 62]), "is damaged at byte 23"),
    ],
)
def test_file_of_another_kind_is_said_in_one_line(tmp_path: Path, content: bytes, told: str) -> None:
    """To who plays it and to who would add to it, and it stays as it is."""
    path = tmp_path / "a.recording"
    path.write_bytes(content)
    for use in (looked_through, RecordingFile):
        with pytest.raises(ConfigError) as raised:
            use(path)
        assert told in str(raised.value)
        assert "\n" not in str(raised.value)
    assert path.read_bytes() == content


@UNHURRIED
@given(st.binary(max_size=len(MAGIC)))
def test_beginning_of_another_file_is_not_taken_for_one_that_was_cut_off(head: bytes) -> None:
    """Only what is a part of our own beginning is."""
    if MAGIC.startswith(head):
        assert is_begun(head) is (head == MAGIC)
    else:
        with pytest.raises(NoRecording):
            is_begun(head)


def test_file_is_looked_through_before_it_is_played(tmp_path: Path) -> None:
    """Which streams have anything, and from when to when."""
    path, later = tmp_path / "a.recording", T0 + timedelta(hours=1)
    path.write_bytes(written([Started(T0), Made(T0, "/v2/iex"), Framed(T0, "/v2/sip", "[]"), Started(later)]))
    contents = looked_through(path)
    assert (contents.streams, contents.first, contents.last) == ({"/v2/sip"}, T0, later)
    assert contents.size == path.stat().st_size


def test_two_do_not_write_into_one_file(tmp_path: Path) -> None:
    """The second is told, and the first goes on."""
    file = RecordingFile(tmp_path / "a.recording")
    with pytest.raises(ConfigError, match="is being written by another proxy"):
        RecordingFile(tmp_path / "a.recording")
    file.write(encoded(Started(T0)))
    file.close()
    assert kept(tmp_path / "a.recording") == [Started(T0)]


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    """To be read, and to be written."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        looked_through(tmp_path / "none")
    with pytest.raises(ConfigError, match="cannot be written: Is a directory"):
        RecordingFile(tmp_path)
