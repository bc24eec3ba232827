"""What the proxy receives is kept, as it came, and nobody waits for it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgpack
import pytest
from data_sandbox import KEY, SECRET, sandbox
from proxy_stage import Front, Remote, fed, proxied, started

from feeds.alpaca.messages import as_msgpack
from feeds.alpaca.proxy.frames import Splitter
from feeds.alpaca.proxy.recorder import Recorder
from feeds.alpaca.proxy.recording import Answered, Asked, Framed, Lost, Made, Paged, Record, Skipped, Started
from feeds.alpaca.proxy.recording_figures import described
from feeds.alpaca.proxy.recording_file import RecordingFile, looked_through
from feeds.alpaca.proxy.relay import Carried
from framework.app.proxy import Proxy
from framework.config import Credentials
from framework.errors import ConfigError
from framework.live.clock import VirtualClock
from framework.live.stream import Link, LinkState

PRICES: dict[str, Any] = {"SPY": [100.0 + at for at in range(12)], "IBM": [50.0 + at for at in range(12)]}


def kept(path: Path) -> list[Record]:
    return list(looked_through(path).records())


def rows(path: Path, stream: str = "/v2/iex") -> list[dict[str, Any]]:
    """Return all messages of a stream."""
    frames = [each.frame for each in kept(path) if isinstance(each, Framed) and each.stream == stream]
    return [message.row() for frame in frames for message in Splitter().split(frame)]


def test_recording_is_what_came_message_for_message(tmp_path: Path) -> None:
    """Of every stream, whoever asked for it; the figures tell how much it is."""
    path = tmp_path / "day.recording"
    with proxied(PRICES, record=path) as front:
        with front.client(packed=True, bars=["*"], quotes=["SPY"]) as client, front.client("/v2/test", bars=["*"]):
            front.venue.step(5)
            told: list[Any] = []
            while len(told) < 15:
                told += client.read()
            front.until(lambda: front.proxy.figures()["/v2/test"]["messages_received_total"] == 5)
        front.until(lambda: front.proxy.recorded()["recorded_messages_total"] == 20)
        figures = front.proxy.recorded()
    found = [row | {"t": row["t"].to_datetime()} for row in rows(path)]
    assert found == told
    assert len(rows(path, "/v2/test")) == 5
    assert 0 < figures["recorded_bytes_total"] <= path.stat().st_size
    assert (figures["recording_failures_total"], figures["unrecorded_messages_total"]) == (0, 0)
    assert "20 messages" in described(figures)


def test_frames_are_kept_byte_for_byte(tmp_path: Path) -> None:
    """Fields that nobody knows, floats of both sizes, nanoseconds."""
    frame: list[Mapping[str, Any]] = [
        {"T": "t", "S": "SPY", "t": msgpack.Timestamp(1_700_000_000, 123_456_789), "p": 0.1, "new": [None, b"x"]},
        {"T": "q", "S": "SPY", "bp": 1 << 60},
    ]
    with fed(record=tmp_path / "a.recording") as (feeder, front), front.client(packed=True, trades=["SPY"]) as client:
        feeder.send(*frame)
        client.read()
    [found] = [each.frame for each in kept(tmp_path / "a.recording") if isinstance(each, Framed)]
    assert found == as_msgpack(frame)


def test_what_is_said_beside_messages_is_not_in_it(tmp_path: Path) -> None:
    """Logins and subscriptions are the proxy's own matter, though they come in one frame with a trade."""
    trade = {"T": "t", "S": "SPY", "i": 1}
    with fed(record=tmp_path / "a.recording") as (feeder, front), front.client(packed=True, trades=["SPY"]) as client:
        feeder.send({"T": "success", "msg": "hello"}, trade)
        assert client.read() == [trade]
    [found] = [each.frame for each in kept(tmp_path / "a.recording") if isinstance(each, Framed)]
    assert found == as_msgpack([trade])


def test_break_of_the_line_is_in_it_with_what_history_made_good(tmp_path: Path) -> None:
    """So that who plays it can tell, and mend it as it was mended."""
    path = tmp_path / "day.recording"
    with proxied(PRICES, record=path) as front, front.client(bars=["SPY"]) as client:
        front.venue.step()
        client.read_until(100.0)
        front.venue.arm("drop", stream="data")
        front.venue.step()
        client.read_until(101.0)
    asked = (Asked, Answered, Asked, Paged, Answered)  # the sandbox's time, and then what was missed
    assert tuple(type(each) for each in kept(path)) == (Started, Made, Framed, Lost, Made, *asked)
    page = kept(path)[-2]
    assert isinstance(page, Paged)
    assert (page.path, json.loads(page.body)["bars"]["SPY"][-1]["c"]) == ("/v2/stocks/bars", 101.0)


def test_recording_goes_on_in_the_same_file(tmp_path: Path) -> None:
    """What was there stays as it was, and a record tells where the second begins."""
    path = tmp_path / "day.recording"
    with sandbox(PRICES) as venue:
        for _ in range(2):
            before = path.read_bytes() if path.exists() else b""
            with Proxy(upstream=venue.url, key=KEY, secret=SECRET, record=path):
                pass
            assert path.read_bytes().startswith(before)
    assert [type(each) for each in kept(path) if not isinstance(each, Made)] == [Started, Started]


def test_no_secret_is_in_it(tmp_path: Path) -> None:
    """Neither the account's nor the local one, though the other side quotes the first."""
    path = tmp_path / "day.recording"
    with proxied(PRICES, record=path) as front, front.client(bars=["SPY"]) as client:
        secrets = (KEY, SECRET, front.proxy.key, front.proxy.secret)
        front.venue.arm("drop", stream="data")
        front.venue.step(2)
        client.read()
    recorder = Recorder(RecordingFile(path), VirtualClock(), print, Credentials(KEY, SECRET).hidden)
    recorder.take("/v2/iex", Link(LinkState.LOST, VirtualClock().now(), f"no such key: {KEY}, {SECRET}"))
    asyncio.run(ended(recorder))
    content = path.read_bytes()
    assert b"no such key: ***, ***" in content
    assert not [each for each in secrets if each.encode() in content]


def test_file_that_cannot_be_used_is_said_before_anything_is_connected(tmp_path: Path) -> None:
    """In one line, and the file stays as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("something else")
    with sandbox(PRICES) as venue, pytest.raises(ConfigError, match="no recording of switchback"):
        Proxy(upstream=venue.url, key=KEY, secret=SECRET, record=path).__enter__()
    assert path.read_text() == "something else"


class FullDisk:
    """A file for which there is no room at first: it takes a part of what it is given, and fails."""

    def __init__(self, file: RecordingFile, failures: int) -> None:
        self._file, self._failures = file, failures

    def write(self, data: bytes) -> None:
        if self._failures:
            self._failures -= 1
            self._file._file.seek(self._file._size)
            self._file._file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        self._file.write(data)

    def close(self) -> None:
        self._file.close()


def carried(number: int) -> Carried:
    frame = as_msgpack([{"T": "t", "S": "SPY", "i": number}])
    return Carried(Splitter().split(frame), 0.0, frame)


async def ended(recorder: Recorder) -> None:
    recorder.stop()
    await recorder.run()


def filled(path: Path, failures: int, room: int) -> tuple[Recorder, list[str]]:
    """Record ten messages while a disk is full for so many writes, and one more afterwards."""
    told: list[str] = []

    async def scene() -> Recorder:
        full = FullDisk(RecordingFile(path), failures)
        recorder = Recorder(full, VirtualClock(), told.append, str, room)
        for number in range(10):
            recorder.take("/v2/iex", carried(number))
            await recorder.flush()
        recorder.take("/v2/iex", carried(10))
        await ended(recorder)
        return recorder

    return asyncio.run(scene()), told


def test_disk_that_was_full_for_a_while_costs_nothing(tmp_path: Path) -> None:
    """What waits is written when there is room again; both are told once."""
    recorder, told = filled(tmp_path / "a.recording", failures=5, room=1 << 20)
    assert [each["i"] for each in rows(tmp_path / "a.recording")] == list(range(11))
    assert told == [
        "the recording cannot be written, which is tried again: No space left on device",
        "the recording is written again; 0 messages are not in it",
    ]
    assert (recorder.counts.failures, recorder.counts.messages, recorder.counts.skipped) == (5, 11, 0)


def test_what_there_is_no_room_for_is_counted_and_told_in_the_file(tmp_path: Path) -> None:
    """So that who plays it knows of the hole."""
    recorder, told = filled(tmp_path / "a.recording", failures=10, room=200)
    count = len(rows(tmp_path / "a.recording"))
    assert 0 < count < 10
    assert kept(tmp_path / "a.recording")[-1] == Skipped(VirtualClock().now(), 11 - count)
    assert (recorder.counts.messages, recorder.counts.skipped) == (count, 11 - count)
    assert told[-1] == f"the recording is written again; {11 - count} messages are not in it"


def test_disk_that_stays_full_is_told_once_and_leaves_what_was_whole(tmp_path: Path) -> None:
    """Nothing of the proxy stops for it."""
    recorder, told = filled(tmp_path / "a.recording", failures=1_000, room=1 << 20)
    assert kept(tmp_path / "a.recording") == []
    assert told == [
        "the recording cannot be written, which is tried again: No space left on device",
        "11 messages are not in the recording",
    ]
    assert (recorder.counts.messages, recorder.counts.skipped) == (0, 11)


LIMITED = """
import resource, sys
from framework.app.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
sys.exit(main(sys.argv[1:]))
"""
"""The command, which may write no file of more than 2,000 bytes."""


def test_clients_are_served_while_the_disk_is_full(tmp_path: Path) -> None:
    """A real process under a real limit on its files says so once, and every message comes all the same."""
    path, program = tmp_path / "a.recording", ("-c", LIMITED)
    with sandbox({"SPY": [100.0 + at for at in range(60)]}) as venue:
        words = ("--port", "0", "--upstream", venue.url, "--record", str(path))
        with started(*words, program=program) as (running, first):
            front = Front(Remote(first), venue)
            with front.client(bars=["SPY"]) as client:
                venue.step(30)
                front.until(lambda: front.proxy.recorded()["recording_failures_total"] > 0)
                venue.step(30)
                closes: list[float] = []
                while len(closes) < 60:
                    closes += [each["c"] for each in client.read()]
                assert closes == [100.0 + at for at in range(60)]
            running.send_signal(signal.SIGTERM)
            assert running.wait(20) == 0
            assert running.communicate()[1].count("cannot be written, which is tried again: File too large") == 1
    assert path.stat().st_size <= 2_000
    assert all(isinstance(each, Started | Made | Framed) for each in kept(path))


def test_process_that_is_killed_leaves_what_it_had_written(tmp_path: Path) -> None:
    """And the next one adds to it."""
    path = tmp_path / "a.recording"
    with sandbox(PRICES) as venue, started("--port", "0", "--upstream", venue.url, "--record", str(path)) as (_, first):
        front = Front(Remote(first), venue)
        with front.client(bars=["*"]):
            venue.step(3)
            front.until(lambda: front.proxy.recorded()["recorded_messages_total"] == 6)
            os.kill(int(first["pid"]), signal.SIGKILL)
    assert [each["c"] for each in rows(path)] == [100.0, 50.0, 101.0, 51.0, 102.0, 52.0]
    RecordingFile(path).close()
    assert len(rows(path)) == 6
