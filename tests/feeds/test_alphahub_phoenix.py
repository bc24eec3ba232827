"""Phoenix frames: text and binary, read and refused."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.alphahub import phoenix
from feeds.alphahub.phoenix import Message, Reply

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
refs = st.none() | words
short = words.filter(lambda text: len(text.encode()) < 256)
named = short.filter(bool)
payloads = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
).map(json.dumps)


@given(st.builds(Message, words, words, payloads, refs, refs))
def test_text_frames_come_back_as_they_were(message):
    """The payload to the letter."""
    assert phoenix.read(phoenix.as_text(message)) == message


@given(
    st.builds(Message, short, short, st.binary(), st.none(), st.none() | named)
    | st.builds(Message, short, st.just("phx_reply"), st.binary(), st.none() | named, st.none() | named, named)
)
def test_binary_frames_come_back_as_they_were(message):
    """Pushes, replies and broadcasts."""
    assert phoenix.read(phoenix.as_binary(message)) == message


@given(st.text() | st.binary())
def test_any_frame_is_a_message_or_a_value_error(frame):
    """Nothing else escapes."""
    with suppress(ValueError):
        assert isinstance(phoenix.read(frame), Message)


def test_broadcast_has_no_refs_and_its_payload_is_not_touched():
    """Space and digits are as they came, for a journal."""
    message = phoenix.read(' [null, null, "algorithms:16","new_signals", {"open": [ ],\n"x":1.50} ]\n')
    assert message == Message("algorithms:16", "new_signals", '{"open": [ ],\n"x":1.50}')


def test_payload_that_is_no_json_is_still_known_by_its_topic():
    """So a garbled publication is reported under the name of its algorithm."""
    assert phoenix.read('[null,null,"algorithms:16","new_signals",{"open":]').payload == '{"open":'


def test_refs_that_are_numbers_are_read_as_texts():
    """A server may have read them so."""
    assert phoenix.read('[1,2,"t","e",{}]') == Message("t", "e", "{}", "2", "1")


@pytest.mark.parametrize(
    "frame", ["", "hello", "{}", "[]", '["1","2","t","e"]', '[null,null,5,"e",{}]', '[null,null,"t","e",{}', "[" * 9999]
)
def test_text_that_is_no_message_is_refused(frame):
    """With one word of what was expected."""
    with pytest.raises(ValueError, match="no array of"):
        phoenix.read(frame)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"", "of no bytes"),
        (b"\x03abc", "of the kind 3"),
        (b"[null]", "of the kind 91"),
        (b"\x02\x05", "ends before"),
        (b"\x02\x05\x05topic", "ends before"),
        (b"\x02\x01\x01\xff\xfe", "no UTF-8"),
    ],
)
def test_binary_frame_that_is_none_is_refused_loudly(frame, why):
    """Its kind, or where it ends."""
    with pytest.raises(ValueError, match=why):
        phoenix.read(frame)


def test_binary_frames_by_the_byte():
    """As the serializer lays them out: kind, sizes, texts, data."""
    assert phoenix.read(b"\x00\x01\x01\x027tevDATA") == Message("t", "ev", b"DATA", None, "7")
    assert phoenix.read(b"\x01\x01\x01\x01\x0278tokDATA") == Message("t", "phx_reply", b"DATA", "8", "7", "ok")
    assert phoenix.read(b"\x02\x01\x02tevDATA") == Message("t", "ev", b"DATA")


def test_text_that_does_not_fit_into_a_byte_is_refused():
    """A binary frame gives each size one byte."""
    with pytest.raises(ValueError, match="range"):
        phoenix.as_binary(Message("t" * 256, "e", b""))


@pytest.mark.parametrize(
    ("payload", "reply"),
    [
        ('{"status":"ok","response":{}}', Reply(True)),
        ('{"status":"error","response":{"reason":"unmatched topic"}}', Reply(False, "unmatched topic")),
        ('{"status":"error","response":"no"}', Reply(False, "no")),
        ('{"status":"error"}', Reply(False, "no reason given")),
    ],
)
def test_reply_is_ok_or_has_a_reason(payload, reply):
    """Whatever shape the reason has."""
    assert phoenix.read_reply(Message("t", "phx_reply", payload)) == reply


def test_binary_reply_bears_its_status_in_its_head():
    """Its data says nothing to us."""
    assert phoenix.read_reply(Message("t", "phx_reply", b"\xff", status="ok")) == Reply(True)
    assert not phoenix.read_reply(Message("t", "phx_reply", b"", status="error")).is_ok


@pytest.mark.parametrize("payload", ["[]", "null", "{}", '{"status":"maybe"}', "{", '{"a":' * 99999])
def test_reply_that_says_neither_is_refused(payload):
    """It is no answer."""
    with pytest.raises(ValueError, match=r"reply|Expecting|nested"):
        phoenix.read_reply(Message("t", "phx_reply", payload))


def test_refs_are_never_given_twice():
    """A thousand of them."""
    references = phoenix.references()
    assert len({next(references) for _ in range(1000)}) == 1000
