"""The line upstream goes and comes, history answers or not: what clients are told, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tape import OPEN

from feeds.alpaca.messages import stamp
from feeds.alpaca.proxy.board import Change
from feeds.alpaca.proxy.figures import Counts
from feeds.alpaca.proxy.frames import Message, nanoseconds
from feeds.alpaca.proxy.history import Found
from feeds.alpaca.proxy.markers import Gap, asked, lost, messages, own
from feeds.alpaca.proxy.mending import Mending
from feeds.alpaca.proxy.missed import Lacking
from feeds.alpaca.subscriptions import ENDPOINTS
from feeds.alpaca.wants import Channels
from framework.live.clock import VirtualClock

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WANTED: Channels = {"bars": frozenset({"SPY"}), "trades": frozenset({"SPY"}), "quotes": frozenset({"SPY"})}


def at(minute: float) -> datetime:
    return OPEN + timedelta(minutes=minute)


def message(kind: str, minute: float) -> Message:
    return Message.of({"T": kind, "S": "SPY", "t": at(minute), "i": int(60 * minute), "x": "V"})


class Past:
    """A history that answers when it is let: `answer` is what it says then, by kind of message."""

    def __init__(self, limit: int = 100) -> None:
        self.endpoint, self.limit = ENDPOINTS[0], limit
        self.rows: dict[str, list[dict[str, Any]]] = {"b": [], "t": []}
        self.failure = ""
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def ask(self, bars: Lacking | None, trades: Lacking | None) -> tuple[Found, Found]:
        assert bars is not None
        assert trades is not None
        self.is_asked.set()
        await self.may_answer.wait()
        found = [Found({"SPY": self.rows[kind]}, not self.failure, self.failure) for kind in "bt"]
        return found[0], found[1]

    def has(self, kind: str, minute: float) -> None:
        self.rows[kind].append({"t": stamp(at(minute)), "i": int(60 * minute), "x": "V"})


class Stage:
    """What is told, in its order: gaps, and messages as (type, minute)."""

    def __init__(self, limit: int = 100) -> None:
        self.past, self.clock, self.counts = Past(limit), VirtualClock(OPEN), Counts()
        self.told: list[Gap | tuple[str, float]] = []
        self.remarks: list[str] = []
        self.mending = Mending(self.past, self.clock, self.counts, lambda: WANTED, self.tell, self.remarks.append)  # type: ignore[arg-type]
        self.mending.change(Change({}, WANTED))
        self.mending.confirm(WANTED)

    def tell(self, gaps: list[Gap], told: list[Message]) -> None:
        start = nanoseconds({"t": stamp(OPEN)})
        self.told += gaps
        self.told += [(each.kind, (nanoseconds(each.row()) - start) / 60e9) for each in told]

    def take(self, *those: Message) -> None:
        self.tell([], self.mending.take(list(those)))

    @property
    def gaps(self) -> list[tuple[str, bool, int]]:
        return [(each.channel, each.is_filled, each.count) for each in self.told if isinstance(each, Gap)]


def played(scene: Callable[[Stage], Awaitable[None]], limit: int = 100) -> Stage:
    """Play a scene while it mends."""

    async def whole() -> Stage:
        stage = Stage(limit)
        running = asyncio.create_task(stage.mending.run())
        await scene(stage)
        for _ in range(5):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return stage

    return asyncio.run(whole())


def test_first_thing_after_a_break_is_what_is_lost() -> None:
    """A quote may come before the line counts as up: its marker is before it. Bars and trades are marked later."""

    async def scene(stage: Stage) -> None:
        stage.mending.lose(at(0))
        stage.take(message("q", 2), message("t", 2))
        stage.mending.rise()
        stage.past.has("t", 1.5)
        stage.past.may_answer.set()

    told = played(scene).told
    assert told[:2] == [Gap("quotes", "SPY", OPEN, OPEN), ("q", 2)]
    assert told[2:] == [
        Gap("bars", "SPY", OPEN, OPEN, True, 0), Gap("trades", "SPY", OPEN, OPEN, True, 1), ("t", 1.5), ("t", 2),
    ]  # fmt: skip


def test_break_while_history_is_asked_is_one_gap_of_bars_and_trades() -> None:
    """And two of quotes, which went on in between; an answer of before the second break is of no use."""

    async def scene(stage: Stage) -> None:
        stage.mending.lose(at(0))
        stage.mending.rise()
        await stage.past.is_asked.wait()
        stage.take(message("t", 1))
        stage.mending.lose(at(1))
        stage.past.may_answer.set()
        for _ in range(5):
            await asyncio.sleep(0)
        stage.past.has("b", 1)
        stage.mending.rise()

    stage = played(scene)
    assert stage.gaps == [("quotes", False, 0), ("quotes", False, 0), ("bars", True, 1), ("trades", True, 0)]
    assert stage.told[4:] == [("t", 1), ("b", 1)]
    assert (stage.counts.gaps, stage.counts.missed, stage.counts.gaps_open) == (1, 1, 0)


def test_more_trades_than_are_held_do_not_wait_for_history() -> None:
    """They go on with a marker, bars wait on; what history has of them then is too late."""

    async def scene(stage: Stage) -> None:
        stage.mending.lose(at(0))
        stage.mending.rise()
        await stage.past.is_asked.wait()
        stage.take(message("t", 1), message("b", 1), message("t", 1.5))
        stage.take(message("t", 1.6))
        stage.past.has("t", 0.5)
        stage.past.may_answer.set()

    stage = played(scene, limit=2)
    assert stage.told[1:] == [
        Gap("trades", "SPY", OPEN, OPEN), ("t", 1), ("t", 1.5), ("t", 1.6),
        Gap("bars", "SPY", OPEN, OPEN, True, 0), ("b", 1),
    ]  # fmt: skip
    assert stage.counts.gaps_open == 1
    assert "more than 2 came before history had answered" in stage.remarks[0]


@SLOW
@example(["lose", "rise", "lose", "rise", "lose", "answer"])  # an answer that comes while it is down again
@given(st.lists(st.sampled_from(["lose", "rise", "answer", "fail"]), max_size=20))
def test_what_is_marked_as_filled_is_filled(turns: list[str]) -> None:
    """Whatever happens: but for what lies in a gap that is marked as open, the stream is the tape, in its order."""

    async def scene(stage: Stage) -> None:
        is_up = True
        for minute, turn in enumerate([*turns, "rise", "answer"]):
            if turn == "lose" and is_up:
                stage.mending.lose(stage.clock.now())
                is_up = False
            elif turn == "rise" and not is_up:
                stage.mending.rise()
                is_up = True
            stage.past.failure = "it was told to" if turn == "fail" else ""
            (stage.past.may_answer.set if turn in ("answer", "fail") else stage.past.may_answer.clear)()
            for _ in range(5):
                await asyncio.sleep(0)
            stage.past.has("b", minute)
            stage.past.has("t", minute + 0.5)
            if is_up:
                stage.take(message("t", minute + 0.5))
                stage.take(message("b", minute))
            await stage.clock.advance(60)
        stage.past.may_answer.set()

    stage = played(scene)
    for channel, kind, first in (("bars", "b", 0.0), ("trades", "t", 0.5)):
        came = [each[1] for each in stage.told if not isinstance(each, Gap) and each[0] == kind]
        gaps = [each for each in stage.told if isinstance(each, Gap) and each.channel == channel]
        torn = [each for each in gaps if not each.is_filled]
        whole = [minute + first for minute in range(len(turns) + 2)]
        lacking = [each for each in whole if each not in came]
        assert came == [each for each in whole if each not in lacking]
        assert all(any(gap.since < at(each + 1 - first) <= gap.until for gap in torn) for each in lacking)
        assert sum(gap.count for gap in gaps) <= len(came)


PAIRS = st.sets(st.tuples(st.sampled_from(["bars", "trades", "quotes", "lulds"]), st.sampled_from(["SPY", "IBM", "*"])))


def channels(pairs: set[tuple[str, str]]) -> Channels:
    return {name: frozenset(symbol for own, symbol in pairs if own == name) for name, _ in pairs}


@SLOW
@given(PAIRS, PAIRS)
def test_markers_are_of_a_clients_own_list(all_pairs: set[tuple[str, str]], own_pairs: set[tuple[str, str]]) -> None:
    """One of each channel and symbol in it, whatever the others have."""
    union = channels(all_pairs | own_pairs)
    gaps = lost(union, OPEN, at(1))
    for name in ("bars", "trades"):
        gaps += asked(name, dict.fromkeys(sorted(union.get(name, ())), OPEN), at(1), {"SPY": 2, "IBM": 1})
    rows = [each.row() for each in own(messages(gaps), channels(own_pairs))]
    assert {(each["channel"], each["S"]) for each in rows} == own_pairs
    assert len(rows) == len(own_pairs)
    for each in rows:
        is_mended = each["channel"] in ("bars", "trades")
        assert each["filled"] is (is_mended and each["S"] != "*")
        assert each["n"] == ({"SPY": 2, "IBM": 1, "*": 3}[each["S"]] if is_mended else 0)
