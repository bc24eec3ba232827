"""The market: steps, listeners, the clock and a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tape import OPEN
from tape import Tape as Source

from framework.sandbox.market import Market
from framework.sandbox.tape import Instant, Tape


class Dialect:
    """Notes what it hears."""

    name = "dialect"

    def __init__(self, market: Market) -> None:
        self.heard: list[Any] = []
        market.join(self)

    def play(self, instant: Instant) -> None:
        self.heard.append(("play", instant.at))

    async def flush(self) -> None:
        self.heard.append("flush")

    def restore(self, body: Mapping[str, Any]) -> None:
        self.heard.append(("restore", body["n"]))

    def forget(self) -> None:
        self.heard.append("forget")


def market(state: Path | None = None, speed: float | None = None) -> Market:
    return Market(Tape(Source({"A": (1.0, 2.0)})), state=state, speed=speed)


def test_a_step_plays_one_instant_and_returns_when_all_is_written() -> None:
    """Time stands at the instant; at the end of the tape there is nothing more."""

    async def run() -> None:
        own = market()
        dialect = Dialect(own)
        first = await own.step()
        assert first is not None
        assert dialect.heard == [("play", first.at), "flush"]
        assert own.now() == first.at
        assert [await own.step() is None for _ in range(3)] == [False, False, True]
        assert own.is_over

    asyncio.run(run())


def test_the_quote_that_stands() -> None:
    """Made around the last price, none before the first."""

    async def run() -> None:
        own = market()
        assert own.quote("A") is None
        await own.step()
        quote = own.quote("A")
        assert quote is not None
        assert (quote.bid, quote.ask) == (0.99, 1.01)

    asyncio.run(run())


def test_a_running_clock_plays_the_tape_by_itself() -> None:
    """At a million seconds a second the day is over at once, in order."""

    async def run() -> None:
        own = market(speed=1e6)
        dialect = Dialect(own)
        await own.run()
        times = [each[1] for each in dialect.heard if each != "flush"]
        assert (times, own.is_over) == (sorted(times), True)
        assert own.now() > OPEN

    asyncio.run(run())


def test_a_restart_plays_and_restores_in_the_same_order(tmp_path: Path) -> None:
    """Commands come between the instants that they came between; nothing is written again."""

    async def before() -> tuple[str, str]:
        own = market(tmp_path / "state")
        Dialect(own)
        await own.step()
        own.record("dialect", {"n": 1})
        await own.step()
        own.record("dialect", {"n": 2})
        own.ledger.close()
        return own.key, own.secret

    async def after() -> tuple[Market, Dialect]:
        own = market(tmp_path / "state")
        dialect = Dialect(own)
        own.restore()
        own.ledger.close()
        return own, dialect

    credentials = asyncio.run(before())
    own, dialect = asyncio.run(after())
    kinds = [each[0] if isinstance(each, tuple) else each for each in dialect.heard]
    assert kinds == ["play", "restore", "play", "restore", "forget"]
    assert (own.now(), (own.key, own.secret)) == (own.played_at, credentials)
