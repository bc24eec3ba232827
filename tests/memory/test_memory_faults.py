"""What goes wrong on a line goes wrong in memory as it does over sockets, on the line's own time."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from memory.loop import run
from memory.sandbox import MemorySandbox
from memory.session import Session

from brokers.alpaca.exchanges import Taken, find
from framework.app.sandbox import sample
from framework.errors import RateLimited
from framework.live.stream import Link
from framework.model import Bar

Scene = Callable[[MemorySandbox, Session], Awaitable[Any]]


def played(scene: Scene) -> Any:
    """Play a scene on a day of sample bars and return what it returns."""

    async def play() -> Any:
        sandbox = MemorySandbox(sample(("SPY", "IBM"), "2026-10-05"), seed=3)
        async with sandbox, Session(sandbox).live() as session:
            return await scene(sandbox, session)

    return run(play())


def at(session: Session, stream: str, kind: type[Any]) -> list[float]:
    """Return when what was told of a kind was told."""
    return [when for when, name, told in session.heard if name == stream and isinstance(told, kind)]


def test_drop_is_noticed_at_once_and_mended_by_the_back_off() -> None:
    """The bars of the first minute are lost with it; those of the second come over the new socket."""

    async def scene(sandbox: MemorySandbox, session: Session) -> None:
        sandbox.fault("drop", stream="data")
        await session.clock.sleep(121)
        assert session.links("data") == ["connected", "lost", "reconnected"]
        lost = session.told("data", Link)[1]
        assert (lost.at - sandbox.market.tape.starts_at).total_seconds() == 60
        assert "closed by the other side" in lost.reason
        assert at(session, "data", Bar) == [120.0, 120.0]

    played(scene)


def test_mute_socket_answers_pings_and_tells_nothing() -> None:
    """It looks alive: only who knows that a bar is due can tell."""

    async def scene(sandbox: MemorySandbox, session: Session) -> None:
        sandbox.fault("mute", stream="data", count=0)
        await session.clock.sleep(600)
        assert session.links("data") == ["connected"]
        assert session.told("data", Bar) == []

    played(scene)


def test_half_closed_socket_is_found_out_by_a_ping() -> None:
    """Ten seconds after the last frame, and one for a farewell; the venue keeps its slot until 150 s."""

    async def scene(sandbox: MemorySandbox, session: Session) -> None:
        sandbox.fault("half_closed", stream="data")
        await session.clock.sleep(300)
        first = session.told("data", Link)[1]
        assert (first.at - sandbox.market.tape.starts_at) <= timedelta(seconds=60 + 5 + 5 + 1)
        assert "no answer to a ping" in first.reason
        assert session.links("data")[-1] == "reconnected"
        assert at(session, "data", Link)[-1] > 150

    played(scene)


def test_slow_message_comes_late_and_the_next_in_time() -> None:
    """Held back by three seconds of the line's time, to the microsecond."""

    async def scene(sandbox: MemorySandbox, session: Session) -> None:
        sandbox.fault("slow", stream="data", seconds=3.0)
        await session.clock.sleep(121)
        assert at(session, "data", Bar) == [63.0, 63.0, 120.0, 120.0]

    played(scene)


def test_zombie_keeps_the_slot_of_a_client_that_has_gone() -> None:
    """For thirty seconds nobody is let in, then the first who asks."""

    async def scene(sandbox: MemorySandbox, session: Session) -> None:
        sandbox.fault("zombie", stream="data", seconds=30)
        sandbox.fault("drop", stream="data")
        await session.clock.sleep(150)
        assert session.links("data")[-1] == "reconnected"
        assert 90 < at(session, "data", Link)[-1] < 120

    played(scene)


@pytest.mark.parametrize(
    ("fault", "seconds", "is_adopted"),
    [
        ("stall", 15.0, True),
        ("stall_early", 15.0, False),
        ("gateway_timeout", 0.0, True),
        ("cut_answer", 0.0, True),
        ("bad_gateway", 0.0, False),
        ("event_first", 0.0, False),
    ],
)
def test_order_on_a_bad_line_is_taken_once(fault: str, seconds: float, is_adopted: bool) -> None:
    """The client waits as long as its patience says, looks up what became of the order, and has it."""

    async def scene(sandbox: MemorySandbox, session: Session) -> None:
        sandbox.fault(fault, match={"method": "POST"})
        answer = await session.buy("SPY")
        assert isinstance(answer, Taken)
        assert (answer.is_adopted, session.clock.monotonic()) == (is_adopted, seconds)
        assert sandbox.market.requests["orders"] == 1

    played(scene)


def test_answer_to_who_has_hung_up_goes_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """The client gives up after 15 seconds, the venue answers after 600: that is nobody's error."""

    async def scene(sandbox: MemorySandbox, session: Session) -> None:
        sandbox.fault("stall", match={"method": "POST"})
        await session.buy("SPY")
        await session.clock.sleep(700)
        assert [each["event"] for each in session.told("trade_updates", dict)][:2] == ["new", "fill"]

    played(scene)
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_rate_limit_is_kept_on_the_lines_time() -> None:
    """An order that is refused was not taken; a look-up waits for the time that the venue tells, and is answered."""

    async def scene(sandbox: MemorySandbox, session: Session) -> None:
        sandbox.fault("rate_limited", match={"method": "POST"})
        with pytest.raises(RateLimited, match="429"):
            await session.buy("SPY")
        sandbox.fault("rate_limited", match={"method": "GET"})
        assert await session.http.send(find(session.endpoint, "m-1")) is None
        assert 1.0 <= session.clock.monotonic() < 3.0
        assert sandbox.market.requests["orders"] == 0

    played(scene)


def test_more_requests_than_a_minute_allows_wait_their_turn() -> None:
    """Most are answered at once, the rest when the window has moved; the venue turns nobody away."""

    async def scene(sandbox: MemorySandbox, session: Session) -> None:
        when = []
        for _ in range(201):
            await session.http.send(find(session.endpoint, "nobody"))
            when.append(session.clock.monotonic())
        assert when[150] == 0.0
        assert 60 <= when[200] < 61
        assert sandbox.market.requests["trading"] == 201

    played(scene)
