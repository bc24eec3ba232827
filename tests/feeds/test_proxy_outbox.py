"""What waits for a client: in order and whole while there is room, then only quotes give way."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from feeds.alpaca.proxy.frames import Batch, Codec, Message
from feeds.alpaca.proxy.outbox import Outbox

BATCHES = st.lists(st.tuples(st.sampled_from("qtb"), st.sampled_from(("SPY", "IBM"))), min_size=1, max_size=4)
STEPS = st.lists(st.one_of(BATCHES, st.integers(0, 200)), max_size=60)


def message(number: int, kind: str = "q", symbol: str = "SPY") -> Message:
    return Message.of({"T": kind, "S": symbol, "n": number})


def read(taken: bytes) -> list[tuple[str, str, int]]:
    """Return the messages of the frames that were taken."""
    found = []
    while taken:
        start = 4 if taken[1] == 126 else 2
        size = int.from_bytes(taken[2:4], "big") if start == 4 else taken[1]
        found += [(row["T"], row["S"], row["n"]) for row in json.loads(taken[start : start + size])]
        taken = taken[start + size :]
    return found


@given(STEPS, st.integers(100, 600))
def test_only_quotes_give_way_and_only_to_later_ones(steps: list[list[tuple[str, str]] | int], budget: int) -> None:
    """Whatever is written when: order holds, trades and bars are whole, the latest quote of a symbol comes."""
    box = Outbox(Codec.JSON, budget)
    pushed: list[tuple[str, str, int]] = []
    came: list[tuple[str, str, int]] = []
    for step in steps:
        if isinstance(step, int):
            came += read(box.take(step))
        else:
            batch = [message(len(pushed) + at, *each) for at, each in enumerate(step)]
            pushed += [(each.kind, each.symbol, len(pushed) + at) for at, each in enumerate(batch)]
            box.push(Batch(batch))
        if box.is_over:
            break
        assert box.size <= budget
    came += read(box.take(1 << 20))
    assert [each[2] for each in came] == sorted(each[2] for each in came)
    assert box.size == 0
    assert len(came) + box.conflated == len(pushed)
    assert [each for each in came if each[0] != "q"] == [each for each in pushed if each[0] != "q"]
    for symbol in ("SPY", "IBM"):
        quotes = [each for each in pushed if each[:2] == ("q", symbol)]
        assert quotes[-1:] == [each for each in came if each[:2] == ("q", symbol)][-1:]


def test_client_that_keeps_up_gets_every_quote() -> None:
    """Conflation begins where there is no room, and ends when all is written."""
    box = Outbox(Codec.JSON, 100)
    for number in range(50):
        box.push(Batch([message(number)]))
        assert read(box.take(1_000)) == [("q", "SPY", number)]
    for number in range(50):
        box.push(Batch([message(number)]))
    assert (read(box.take(1_000)), box.conflated) == ([("q", "SPY", 49)], 49)
    for number in range(2):
        box.push(Batch([message(number)]))
    assert len(read(box.take(1_000))) == 2


def test_trades_are_never_conflated_and_too_many_are_too_slow() -> None:
    """The budget is what such a client is waited for."""
    box = Outbox(Codec.JSON, 100)
    for number in range(3):
        assert not box.is_over
        box.push(Batch([message(number, "t")]))
    while not box.is_over:
        box.push(Batch([message(0, "t")]))
    assert box.conflated == 0


def test_so_much_is_taken_as_there_is_room_for() -> None:
    """Whole frames, one at the least, so that one larger than the room comes through."""
    box = Outbox(Codec.JSON, 1_000)
    size = len(Batch([message(1, "t")]).frame(Codec.JSON))
    for number in range(4):
        box.push(Batch([message(number, "t")]))
    assert [each[2] for each in read(box.take(2 * size))] == [0, 1]
    assert [each[2] for each in read(box.take(1))] == [2]
    assert (len(read(box.take(size))), box.size) == (1, 0)
