"""Mutated frames through parser and conversation: whatever comes, no exception escapes.

The tests take 18,000 of them, in a few seconds; FUZZ_FRAMES=100000 takes as many as one likes, by seeds that
begin at FUZZ_SEED (0), so that a failure can be played again:

    FUZZ_FRAMES=100000 python -m pytest -n 0 tests/feeds/test_alphahub_fuzz.py
"""

import json
import os
import random

import pytest
from alphahub_talk import AT, DAY, HOW, broadcast, topic

from feeds.alphahub import phoenix
from feeds.alphahub.history import keys, missing, read_history
from feeds.alphahub.parsing import Unreadable, read_published
from feeds.alphahub.phoenix import Message
from feeds.alphahub.stream import SignalStream
from feeds.alphahub.stream_events import Heard, Published
from framework.live import codec
from framework.model import Signal

PARTS = 6
FRAMES = int(os.environ.get("FUZZ_FRAMES", "18000")) // PARTS
FIRST = int(os.environ.get("FUZZ_SEED", "0"))

ROWS = {"data": {"signals": [*DAY["open"], *DAY["close"]]}}
SEEDS = (
    broadcast(), broadcast(payload={"open": [{"side": "hold", "symbol": "A", "weight": 0.5, "x": {"y": [1]}}]}),
    '["1","1","algorithms:16","phx_reply",{"status":"ok","response":{}}]',
    '["1","1","algorithms:16","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]',
    '[null,null,"algorithms:16","phx_error",{}]', '[null,null,"algorithms:16","phx_close",{}]',
    '[null,"3","phoenix","phx_reply",{"response":{},"status":"ok"}]',
    phoenix.as_binary(Message(topic(16), "new_signals", json.dumps(DAY).encode())),
    phoenix.as_binary(Message(topic(16), "phx_reply", b"{}", "1", "1", "ok")),
    phoenix.as_binary(Message(topic(16), "phx_close", b"{}", None, "1")),
)  # fmt: skip
PIECES = (
    "null", "NaN", "-Infinity", "1e999", "1e-999", "-0", "true", '""', "{}", "[]", "[[[[", "}}}}",
    '"\\ud800"', "\\u0000",
    "\x00", "ß", "\U0001f600", '"side":"hold"', '"weight":2', '"price":-1', '"timestamp":"0001-01-01T00:00:00+23:59"',
    "9" * 5000, "[" * 3000, '{"a":' * 3000, '" symbol":"Z"', ",", ":", '"', "\\", " ", "\n", "sell", "algorithms:16",
)  # fmt: skip


def mutated(chance, frame):
    """Return a frame with one to four things wrong in it."""
    for _ in range(chance.randint(1, 4)):
        frame = _changed(chance, frame)
    return frame


def _changed(chance, frame):
    start, end = sorted(chance.randrange(len(frame) + 1) for _ in range(2))
    end = min(end, start + chance.choice([0, 1, 3, 20, 10_000]))
    piece = chance.choice(PIECES)
    if isinstance(frame, bytes):
        piece = chance.choice([piece.encode(), chance.randbytes(chance.randint(1, 6))])
    match chance.randrange(4):
        case 0:
            return frame[:start] + frame[end:]
        case 1:
            return frame[:start] + piece + frame[end:]
        case 2:
            return frame[:end] + frame[start:end] + frame[end:]
        case _:
            return frame[:start] + frame[start:end][::-1] + frame[end:]


def check_signals(read):
    """All that was read is a signal that can be traded and journalled, or says why it is none."""
    for each in read:
        assert isinstance(each, Signal | Unreadable)
    signals = [each for each in read if isinstance(each, Signal)]
    for each in signals:
        assert 0 <= each.weight <= 1
        assert each.symbol.isascii()
        assert each.price is None or 0 < each.price < float("inf")
        codec.dumps({"it": each}).encode()
    assert len(keys(signals)) == len(set(keys(signals)))
    assert missing(signals, signals) == []


@pytest.mark.parametrize("part", range(PARTS))
def test_no_exception_escapes(part):
    """Each frame is told as it came, and what was published of it is read."""
    stream, now, published = SignalStream([14, 16]), 0.0, 0
    stream.opening(now)
    for number in range(part * FRAMES, (part + 1) * FRAMES):
        chance = random.Random(FIRST + number)
        frame = mutated(chance, chance.choice(SEEDS))
        now += chance.choice([0.0, 0.1, 5.0, 20.0])
        stream.due(now)
        _, events = stream.receive(frame, now)
        assert Heard(frame, now) in events
        for each in events:
            if isinstance(each, Published):
                published += 1
                check_signals(read_published(each.payload, each.algorithm, AT, HOW))
        if stream.silence(now, AT):
            stream.closed()
            stream.opening(now)
        check_signals(read_history(mutated(chance, json.dumps(ROWS)), "16", AT, HOW, {}))
    assert published > FRAMES / 20
