"""The algebra of subscriptions: what is asked for upstream is always the union of the clients' own lists."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from feeds.alpaca.proxy.board import Board, Change
from feeds.alpaca.wants import Channels, minus

SYMBOLS = st.frozensets(st.sampled_from(("SPY", "IBM", "BAC", "*")), max_size=4)
LISTS = st.dictionaries(st.sampled_from(("bars", "quotes", "trades")), SYMBOLS)
STEPS = st.lists(st.tuples(st.sampled_from("abc"), LISTS))


def channels(**named: str) -> Channels:
    return {name: frozenset(symbols.split()) for name, symbols in named.items()}


def union(lists: Mapping[str, Channels]) -> Channels:
    names = {name for each in lists.values() for name in each}
    whole = {name: frozenset().union(*(each.get(name, ()) for each in lists.values())) for name in names}
    return minus(whole, {})


@given(STEPS)
def test_upstream_has_the_union_of_all_lists(steps: list[tuple[str, Channels]]) -> None:
    """Whoever comes, changes and goes: what was asked for and not given back is what anybody has."""
    board: Board[str] = Board()
    lists: dict[str, Channels] = {}
    asked: Channels = {}
    for client, own in steps:
        board.put(client, own)
        lists[client] = own
        change = board.change()
        asked = union({"before": minus(asked, change.less), "more": change.more})
        assert asked == board.union == board.upstream == union(lists)
        assert not board.is_changed


@given(STEPS, st.integers(min_value=1, max_value=4))
def test_changes_that_wait_are_said_as_one(steps: list[tuple[str, Channels]], every: int) -> None:
    """Nothing is asked for that is had, nothing given back that was not, and no pair is in both."""
    board: Board[str] = Board()
    for at, (client, own) in enumerate(steps):
        board.put(client, own)
        if at % every == 0:
            before = board.upstream
            change = board.change()
            assert minus(change.less, before) == {} == minus(change.more, board.union)
            assert minus(change.more, before) == change.more
            assert minus(change.less, change.more) == change.less


@given(STEPS, st.integers(min_value=1, max_value=5))
def test_limit_is_of_all_clients_together(steps: list[tuple[str, Channels]], limit: int) -> None:
    """Who would exceed it changes nothing; the others' lists stay as they are."""
    board: Board[str] = Board(limit)
    for client, own in steps:
        if board.has_room(client, own):
            board.put(client, own)
        counted = [symbol for name in ("quotes", "trades") for symbol in board.union.get(name, ())]
        assert len(counted) <= limit
        assert "*" not in counted


def test_symbol_that_two_have_counts_once() -> None:
    """The second needs no room for it, and when the first goes it is still asked for."""
    board: Board[str] = Board(1)
    for client in "ab":
        assert board.has_room(client, channels(quotes="SPY"))
        board.put(client, channels(quotes="SPY"))
    assert not board.has_room("c", channels(quotes="IBM"))
    board.change()
    board.remove("a")
    assert board.change() == Change({}, {})
    board.remove("b")
    assert board.change() == Change(channels(quotes="SPY"), {})


def test_bars_are_not_limited() -> None:
    """All symbols' bars may be had where quotes are few."""
    board: Board[str] = Board(1)
    assert board.has_room("a", channels(bars="* SPY IBM", quotes="SPY"))
    assert not board.has_room("a", channels(quotes="*"))


def test_refusal_is_told_by_who_has_what() -> None:
    """A question of two clients falls into a part for each, and what is refused goes out of their lists."""
    board: Board[str] = Board()
    board.put("a", channels(quotes="SPY IBM"))
    board.put("b", channels(quotes="IBM", bars="BAC"))
    board.change()
    assert board.by_owners(board.union) == [channels(bars="BAC"), channels(quotes="IBM"), channels(quotes="SPY")]
    assert board.refused(channels(quotes="IBM")) == ["a", "b"]
    assert board.union == board.upstream == channels(quotes="SPY", bars="BAC")
    assert not board.is_changed
