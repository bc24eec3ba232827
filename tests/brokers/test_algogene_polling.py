"""How often is polled: soon while something moves, seldom else, and never beyond the budget."""

from hypothesis import given
from hypothesis import strategies as st

from brokers.algogene.polling import USUAL, requests, wait


def test_what_moves_is_polled_most_often() -> None:
    """A market order or a close each second, what rests each three, nothing each fifteen."""
    assert wait(0, is_resting=False, moving_for=0.0) == USUAL.moving
    assert wait(0, is_resting=True) == USUAL.resting
    assert wait(0, is_resting=False) == USUAL.idle


def test_what_moves_for_long_is_no_more_than_resting() -> None:
    """A close that nothing comes of must not use the budget up."""
    assert wait(0, is_resting=False, moving_for=USUAL.patient) == USUAL.resting


def test_a_poll_is_two_lists_its_questions_and_the_history() -> None:
    """Each is a request."""
    assert [requests(0, deals=False), requests(3, deals=True)] == [2, 6]


@given(st.lists(st.tuples(st.integers(2, 9), st.booleans(), st.booleans()), min_size=1), st.integers(10, 300))
def test_polls_keep_within_their_share_of_the_budget(polls: list[tuple[int, bool, bool]], budget: int) -> None:
    """Whatever is pending: in the long run no more requests a minute than the share."""
    waits = [wait(n, is_resting=a, moving_for=1.0 if b else None, budget=budget) for n, a, b in polls]
    allowed = sum(waits) * budget * USUAL.share / 60.0
    assert sum(asked for asked, _, _ in polls) <= allowed + 1e-6
