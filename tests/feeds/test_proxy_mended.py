"""Which of history's answers made good which break of a recording."""

from __future__ import annotations

from datetime import UTC, datetime

from feeds.alpaca.proxy.mended import Answer, Mended
from feeds.alpaca.proxy.recording import Answered, Asked, Lost, Made, Paged, Record, Started

T0 = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
IEX, SIP = "/v2/iex", "/v2/sip"

MADE, LOST = Made(T0, IEX), Lost(T0, IEX, "gone")
VOID = Answer(is_void=True)


def asked(made: int) -> Asked:
    return Asked(T0, IEX, made)


def page(made: int, body: bytes) -> Paged:
    return Paged(T0, IEX, made, "/v2/stocks/bars", body)


def answered(made: int) -> Answered:
    return Answered(T0, IEX, made)


def mended(*records: Record) -> dict[tuple[str, int], Answer]:
    """Return what became of each break."""
    found = Mended()
    for each in records:
        found.take(each)
    return dict(found.answers)


def test_answer_belongs_to_the_break_after_which_it_was_asked_for() -> None:
    """Page by page, and whatever other streams do meanwhile."""
    one, two = page(2, b"1"), page(2, b"2")
    found = mended(MADE, LOST, MADE, asked(2), Made(T0, SIP), one, Lost(T0, SIP, ""), two, answered(2), LOST)
    assert found == {(IEX, 2): Answer((one, two))}


def test_answer_that_comes_after_another_loss_is_void() -> None:
    """Nobody heard it; what is asked after that is for all that was missed."""
    late, whole = page(2, b"1"), page(3, b"2")
    found = mended(MADE, LOST, MADE, asked(2), LOST, MADE, late, answered(2), asked(3), whole, answered(3))
    assert found == {(IEX, 2): VOID, (IEX, 3): Answer((whole,))}


def test_void_stays_void() -> None:
    """A question that goes on after the loss is heard by nobody either."""
    assert mended(MADE, asked(1), LOST, asked(1), page(1, b"1"), answered(1)) == {(IEX, 1): VOID}


def test_two_questions_at_once_are_both_answered() -> None:
    """The end of the one is not the end of the other."""
    one, two = page(1, b"1"), page(1, b"2")
    assert mended(MADE, asked(1), asked(1), one, answered(1), two, answered(1)) == {(IEX, 1): Answer((one, two))}


def test_history_that_did_not_answer_leaves_nothing() -> None:
    """That is no void: it was heard that there is none."""
    assert mended(MADE, LOST, MADE, asked(2), answered(2), LOST) == {}


def test_lines_are_counted_from_each_start() -> None:
    """What the first recorder had asked is nothing that the second one's answers."""
    one = page(1, b"1")
    found = mended(
        Started(T0), MADE, LOST, MADE, asked(2), Started(T0), page(2, b"0"), MADE, asked(1), one, answered(1)
    )
    assert found == {(IEX, 3): Answer((one,))}
