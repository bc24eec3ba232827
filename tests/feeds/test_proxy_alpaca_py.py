"""alpaca-py, unmodified, through the proxy: several of it at once, where Alpaca allows one."""

from __future__ import annotations

from typing import Any

import pytest
from data_sandbox import KEY, SECRET, sandbox
from proxy_stage import Front, Logged, following, played, proxied

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PRICES: dict[str, Any] = {
    "BAC": [30.0 + at / 10 for at in range(12)],
    "IBM": [50.0 + at if at % 3 else None for at in range(12)],
    "SPY": [(100.0 + at, 104.0 + at, 99.0, 101.0 + at) for at in range(12)],
}


def through(front: Front, *symbols: str) -> Any:
    keys = (front.proxy.key, front.proxy.secret)
    return following(front.proxy.websocket, keys, *symbols, nudge=front.venue.step)


def test_two_at_once_without_the_proxy_are_one_too_many() -> None:
    """The seed's symptom: the second algorithm is turned away with 406, again and again."""
    with sandbox(PRICES) as venue:

        def follow(symbol: str, logs: str) -> Any:
            return following(venue.address, (KEY, SECRET), symbol, nudge=venue.step, logs=logs)

        refusal = "error during websocket communication: connection limit exceeded"
        with follow("SPY", "subscribed to") as first, follow("BAC", refusal) as second:
            venue.step(3)
            assert first.take(3) == played(venue, "SPY")
            assert second.bars.empty()


def test_three_at_once_each_get_exactly_their_own_bars() -> None:
    """What each hears is the tape of what it asked for, and nothing else."""
    with (
        proxied(PRICES) as front,
        through(front, "SPY") as one,
        through(front, "IBM", "BAC") as two,
        through(front, "*") as everything,
    ):
        front.venue.step(7)
        for follower in (one, two, everything):
            expected = played(front.venue, *follower.symbols)
            assert sorted(follower.take(len(expected)), key=lambda each: (each[1], each[0])) == expected
            assert follower.bars.empty()
        assert front.figures()["clients"] == 3


def test_nobody_loses_a_bar_when_another_joins_or_leaves() -> None:
    """One that is there all the time has the whole tape; one that comes later has it from then on."""
    with proxied(PRICES) as front, through(front, "SPY", "BAC") as steady:
        with through(front, "IBM") as early:
            front.venue.step(2)
            assert early.take(1) == played(front.venue, "IBM")
        before = len(played(front.venue, "SPY"))
        with through(front, "SPY") as late:
            front.venue.step(4)
            assert late.take(4) == played(front.venue, "SPY")[before:]
        expected = played(front.venue, "SPY", "BAC")
        assert sorted(steady.take(len(expected)), key=lambda each: (each[1], each[0])) == expected
        assert steady.bars.empty()


def test_it_subscribes_and_gives_back_while_it_runs() -> None:
    """From a symbol that it gave back nothing comes any more, though another client has it."""
    with proxied(PRICES) as front, through(front, "SPY") as one, through(front, "*") as other:
        with Logged("subscribed to bars: ['BAC']") as changed:
            one.stream.subscribe_bars(one._take, "BAC")
            one.stream.unsubscribe_bars("SPY")
            changed.wait()
        front.venue.step(2)
        assert one.take(2) == played(front.venue, "BAC")
        assert len(other.take(5)) == 5
        assert one.bars.empty()
