"""What `/_sandbox/...` answers."""

from __future__ import annotations

import asyncio

from tape import OPEN
from tape import Tape as Source

from framework.sandbox.control import clock_shown, stepped
from framework.sandbox.market import Market
from framework.sandbox.tape import Tape


def test_lock_step_tells_what_the_next_step_plays() -> None:
    """Before the first step, after each, and null when there is nothing more."""

    async def run() -> None:
        market = Market(Tape(Source({"A": (1.0, 2.0)})))
        told = [clock_shown(market)["next"]]
        played = []
        while told[-1] is not None:
            answer = await stepped(market)
            played.append(answer["at"])
            told.append(answer["next"])
            assert clock_shown(market)["next"] == answer["next"]
        assert told == [*played, None]
        assert played[0] > OPEN.isoformat()

    asyncio.run(run())
