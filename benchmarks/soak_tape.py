"""What `soak.py` plays: days of sample bars with all that befalls a week, in a sandbox that is a process of its own.

The first line that it prints is JSON: {"url", "key", "secret"}. It begins in lock-step, so that shares of another
program's can be bought before the session is there; `go` on its standard input lets its clock run.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from feeds import SampleBars
from framework.columns import moment
from framework.model import Quote, Split
from framework.sandbox.actions import Halted
from framework.sandbox.tape import Tape

NEW_YORK = ZoneInfo("America/New_York")

BEFORE, AFTER = timedelta(hours=4), timedelta(hours=4)
"""How long before the first open the clock begins to run, and how long after the last close it ends."""

LOOK = timedelta(hours=2)
"""How long after a close all is looked at: in the night, when nothing moves."""

MANY = 1_000_000
"""Requests that may be made in a minute of ours: it is a day of the venue's, or two."""

QUIET = timedelta(hours=2)
"""How long before a close nothing is broken any more."""

FOREIGN = 100
"""Shares of the symbol that is split which the account holds beside the session's: another program's."""


@dataclass(frozen=True)
class Stretch:
    """Days that are played without a break; the account's own shares are bought at the end of the day `eve`.

    `halted` and `split` are days: a symbol is halted in the middle of the one, and another one's shares are split
    in the morning of the other. `drops` is how often a day a stream breaks.
    """

    name: str
    eve: str
    last: str
    halted: str
    split: str
    speed: float
    symbols: int = 30
    drops: int = 3
    seed: int = 6

    @property
    def names(self) -> list[str]:
        return [f"S{number:02}" for number in range(self.symbols)]

    @property
    def source(self) -> SampleBars:
        """The bars: the last two minutes of the eve, then whole days."""
        since = _at(self.eve, time(15, 58))
        return SampleBars(self.names, since, self.last, seed=self.seed)

    @property
    def days(self) -> list[tuple[datetime, datetime]]:
        """Open and close of each trading day that the session sees, UTC."""
        source = self.source
        sessions = source.calendar.sessions
        pairs = [(moment(opens), moment(closes)) for opens, closes in zip(sessions.opens, sessions.closes, strict=True)]
        return [pair for pair in pairs if source.start < pair[0] and pair[1] <= source.end]

    @property
    def ends(self) -> datetime:
        """When the clock ends."""
        return self.days[-1][1] + AFTER

    @property
    def shares_split(self) -> Split:
        """The split of another program's shares."""
        return Split(self.names[0], _at(self.split, time(8)), 2.0)

    def tape(self) -> Tape:
        """Return what is played. A last quote, late in the evening, lets the last night be lived through too."""
        halted = Halted(self.names[-1], _at(self.halted, time(11)), _at(self.halted, time(11, 45)))
        last = Quote(self.names[1], self.ends, 99.0, 1.0, 101.0, 1.0)
        return Tape(self.source, quotes=[last], halts=[halted], splits=[self.shares_split])

    def faults(self) -> list[tuple[datetime, dict[str, Any] | None]]:
        """Return what goes wrong when: each day the bars' line breaks, the orders' line, and one falls silent.

        None is the end of all of it: so late before the close that what is broken is whole when all is closed.
        """
        chance, kinds = random.Random(self.seed), _kinds()
        found: list[tuple[datetime, dict[str, Any] | None]] = []
        for opens, closes in self.days:
            whole = closes - QUIET
            times = [opens + chance.uniform(0.05, 0.95) * (whole - opens) for _ in range(self.drops)]
            found += [*((at, next(kinds)) for at in times), (whole, None)]
        return sorted(found, key=lambda each: each[0])


def _kinds() -> Iterator[dict[str, Any]]:
    silent = [
        {"fault": "mute", "stream": "data", "count": 0},
        {"fault": "half_closed", "stream": "trade_updates", "seconds": 2},
        {"fault": "mute", "stream": "trade_updates", "count": 0},
        {"fault": "half_closed", "stream": "data", "seconds": 2},
    ]
    while True:
        for each in silent:
            yield {"fault": "drop", "stream": "data"}
            yield {"fault": "drop", "stream": "trade_updates"}
            yield each


WHOLE = (
    Stretch("a weekend and the end of summer time", "2026-10-27", "2026-11-03", "2026-10-30", "2026-11-02", 1_800.0),
    Stretch("a holiday and an early close", "2026-11-23", "2026-11-30", "2026-11-25", "2026-11-27", 1_800.0),
)
QUICK = (Stretch("an early close and a weekend", "2026-11-25", "2026-12-01", "2026-11-30", "2026-12-01", 3_600.0),)


def _at(day: str, at: time) -> datetime:
    return datetime.combine(date.fromisoformat(day), at, NEW_YORK).astimezone(UTC)


async def serve(stretch: Stretch) -> None:
    """Play a stretch until the process is ended."""
    from framework.app.sandbox import dialects
    from framework.sandbox.market import Market
    from framework.sandbox.server import serving

    market = Market(stretch.tape(), speed=None, seed=stretch.seed)
    async with serving(market, dialects(limit=MANY)) as url:
        print(json.dumps({"url": url, "key": market.key, "secret": market.secret}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        market.clock.speed = stretch.speed
        market.clock.set(stretch.days[0][0] - BEFORE)
        await market.run()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Stretch(**json.loads(sys.argv[1]))))
