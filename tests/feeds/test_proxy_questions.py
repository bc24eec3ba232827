"""An answer waits until upstream has what was asked for, each client's in its turn, and not for ever."""

from __future__ import annotations

from feeds.alpaca.messages import Row
from feeds.alpaca.proxy.questions import PATIENCE, Questions
from feeds.alpaca.wants import Channels


def bars(*symbols: str) -> Channels:
    return {"bars": frozenset(symbols)}


class Stage:
    """Questions over a set of what upstream has."""

    def __init__(self) -> None:
        self.had: set[tuple[str, str]] = set()
        self.questions: Questions[str] = Questions(lambda name, symbol: (name, symbol) in self.had)

    def answered(self, now: float = 0.0) -> list[tuple[str, Channels | Row]]:
        return [(client, each.row or each.wanted) for client, each in self.questions.answered(now)]


def test_answer_waits_for_upstream() -> None:
    """It comes when all of the list is had, once."""
    stage = Stage()
    stage.questions.ask("a", bars("SPY", "IBM"), 0.0)
    stage.had.add(("bars", "SPY"))
    assert stage.answered() == []
    stage.had.add(("bars", "IBM"))
    assert stage.answered() == [("a", bars("SPY", "IBM"))]
    assert not stage.questions.is_asked("a")


def test_one_client_waits_and_the_other_does_not() -> None:
    """What is had already is answered at once."""
    stage = Stage()
    stage.had.add(("bars", "SPY"))
    stage.questions.ask("a", bars("IBM"), 0.0)
    stage.questions.ask("b", bars("SPY"), 0.0)
    assert stage.answered() == [("b", bars("SPY"))]


def test_answers_keep_their_order() -> None:
    """An error waits for what was asked before it."""
    stage = Stage()
    stage.questions.ask("a", bars("IBM"), 0.0)
    stage.questions.say("a", {"T": "error"})
    assert stage.answered() == []
    stage.had.add(("bars", "IBM"))
    assert stage.answered() == [("a", bars("IBM")), ("a", {"T": "error"})]


def test_what_was_given_back_is_not_waited_for() -> None:
    """Upstream will never have it, and the answer is still to the question."""
    stage = Stage()
    stage.had.add(("bars", "IBM"))
    stage.questions.ask("a", bars("SPY", "IBM"), 0.0)
    stage.questions.ask("a", bars("IBM"), 0.0)
    assert stage.answered() == [("a", bars("SPY", "IBM")), ("a", bars("IBM"))]


def test_what_is_not_to_be_had_is_taken_out() -> None:
    """The answer tells what is left of the list."""
    stage = Stage()
    stage.had.add(("bars", "IBM"))
    stage.questions.ask("a", bars("SPY", "IBM"), 0.0)
    stage.questions.lose("a", bars("SPY"))
    assert stage.answered() == [("a", bars("IBM"))]


def test_answer_comes_after_a_while_all_the_same() -> None:
    """While the connection is down nobody can tell more than that it was asked for."""
    stage = Stage()
    stage.questions.ask("a", bars("SPY"), 1.0)
    assert stage.answered(PATIENCE) == []
    assert stage.answered(1.0 + PATIENCE) == [("a", bars("SPY"))]


def test_who_has_gone_is_not_answered() -> None:
    """Its questions go with it."""
    stage = Stage()
    stage.questions.ask("a", bars("SPY"), 0.0)
    stage.questions.forget("a")
    assert stage.answered(9.0) == []
