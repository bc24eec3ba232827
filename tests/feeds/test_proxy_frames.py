"""A frame taken apart and put together is the same messages, in the same bytes or in the other encoding."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.alpaca.proxy.frames import Batch, Codec, Message, Splitter, framed

AT = msgpack.Timestamp(1_775_000_000, 123_456_789)
QUOTE = {"T": "q", "S": "SPY", "bp": 1.5, "t": AT}
ODD = {"S": "BRK.B", "x": [1, {"S": "no"}], "T": "t", "t": AT}

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "T": st.sampled_from("tqbudslcxo"),
            "S": st.text(max_size=40),
            "c": st.lists(st.text(max_size=3), max_size=3),
            "p": st.floats(allow_nan=False, allow_infinity=False),
            "t": st.builds(msgpack.Timestamp, st.integers(0, 1 << 33), st.integers(0, 999_999_999)),
        }
    ),
    max_size=20,
)


def split(frame: str | bytes) -> list[Message]:
    return Splitter().split(frame)


def payload(frame: bytes) -> bytes:
    """Read a server's frame as RFC 6455 has it."""
    size = {126: 4, 127: 10}.get(frame[1], 2)
    assert len(frame) - size == (int.from_bytes(frame[2:size], "big") if size > 2 else frame[1])
    return frame[size:]


@given(ROWS)
def test_packed_messages_are_handed_on_as_they_came(rows: list[dict[str, Any]]) -> None:
    """Type and symbol are seen, and the bytes put together again are the frame."""
    frame = msgpack.packb(rows)
    messages = split(frame)
    assert [(each.kind, each.symbol) for each in messages] == [(row["T"], row["S"]) for row in rows]
    assert payload(Batch(messages).frame(Codec.MSGPACK)) == frame


@given(ROWS)
def test_text_and_packed_say_the_same(rows: list[dict[str, Any]]) -> None:
    """From one encoding into the other and back nothing is lost, not a nanosecond."""
    text = payload(Batch(split(msgpack.packb(rows))).frame(Codec.JSON)).decode()
    assert msgpack.unpackb(payload(Batch(split(text)).frame(Codec.MSGPACK))) == rows


def test_times_are_text_in_json_and_timestamps_in_msgpack() -> None:
    """As Alpaca's clients expect them; a zone other than UTC is understood."""
    [row] = json.loads(payload(Batch(split(msgpack.packb([QUOTE]))).frame(Codec.JSON)))
    assert row == {**QUOTE, "t": "2026-03-31T23:33:20.123456789Z"}
    said = json.dumps([{"T": "q", "S": "SPY", "t": "2026-03-31T19:33:20.5-04:00"}])
    [row] = msgpack.unpackb(payload(Batch(split(said)).frame(Codec.MSGPACK)))
    assert row["t"] == msgpack.Timestamp(1_775_000_000, 500_000_000)


def test_message_that_begins_otherwise_is_read() -> None:
    """Type and symbol may stand anywhere, and only the message's own count."""
    [quote, odd] = split(msgpack.packb([QUOTE, ODD]))
    assert (quote.kind, quote.symbol, odd.kind, odd.symbol) == ("q", "SPY", "t", "BRK.B")


def test_rows_of_our_own_have_their_times_packed() -> None:
    """A time that is a datetime or text becomes a timestamp."""
    for at in (datetime(2026, 3, 31, 23, 33, 20, tzinfo=UTC), "2026-03-31T23:33:20Z"):
        assert Message.of({"T": "b", "S": "SPY", "t": at}).row()["t"] == msgpack.Timestamp(1_775_000_000)


@pytest.mark.parametrize("size", [0, 15, 16, 125, 126, 65_535, 65_536])
def test_header_tells_the_payloads_length(size: int) -> None:
    """In one byte, two or eight."""
    assert payload(framed(bytes(size), Codec.MSGPACK)) == bytes(size)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xc1",
        b"\x91",
        b"\x92\x80",
        b"\x81\xa1T\xa1q",
        b"\x91\x01",
        "{}",
        "[1]",
        "x",
        b"\x91\x82\xa1T\xa1q\xa1S",
        b"\x90\x01",
    ],
)
def test_frame_that_is_none_is_a_value_error(frame: str | bytes) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(ValueError, match=r"."):
        split(frame)


@given(st.lists(ROWS.map(msgpack.packb) | st.binary(max_size=30) | st.sampled_from(["{}", "[]"]), max_size=8))
def test_frame_is_read_alike_whatever_came_before_it(frames: list[str | bytes]) -> None:
    """What is wrong with one is no matter of the next."""

    def told(splitter: Splitter, frame: str | bytes) -> object:
        try:
            return [each.encoded(Codec.MSGPACK) for each in splitter.split(frame)]
        except ValueError:
            return None

    one = Splitter()
    assert [told(one, each) for each in frames] == [told(Splitter(), each) for each in frames]
