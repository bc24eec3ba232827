"""What AlphaHub's REST history says was published, placed at the times at which it may have been received.

The history does not say when anything was received, so that is taken to be some time after what is written on it. Nor
does it say what opens and what closes: that follows from what the algorithm held, so it is asked for from earlier on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from feeds.alphahub.batches import batch_of, once
from feeds.alphahub.history import read_history
from feeds.alphahub.intake import Batch
from feeds.alphahub.parsing import Reading, Unreadable
from feeds.alphahub.past import tell_lost
from feeds.alphahub.protocol import NAME, Session, history_exchange
from framework.config import Credentials
from framework.model import Signal, Signals

if TYPE_CHECKING:
    from framework.http import Http

EVER = date(2000, 1, 1)
"""Before anything was published."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of whom is asked, and how its answer is read: `delay` is from the time on a signal to its receipt.

    `lookback` are the days before the first signal wanted from which it follows what an algorithm held.
    """

    algorithms: Sequence[str]
    base_url: str
    how: Reading
    delay: timedelta
    lookback: int

    def since(self, after: datetime | None) -> date:
        """Return the day to ask from; one earlier, for the day itself may be left out."""
        return EVER if after is None else max(EVER, (after - timedelta(days=self.lookback + 1)).date())

    def read(self, answer: str, algorithm: str, now: datetime) -> tuple[list[Batch], list[Unreadable], list[Signal]]:
        """Return the batches of an answer, oldest first, what cannot be read, and the signals that bear no time."""
        read = read_history(answer, algorithm, now, self.how, {})
        signals = [each for each in read if isinstance(each, Signal)]
        dated = [(each.published, each) for each in signals if each.published is not None]
        dated.sort(key=lambda pair: pair[0])
        batches = [
            batch_of([replace(signal, at=published + self.delay) for _, signal in together])
            for published, together in groupby(dated, key=lambda pair: pair[0])
        ]
        lost = [each for each in read if isinstance(each, Unreadable)]
        return batches, lost, [each for each in signals if each.published is None]


def ask(
    asked: Asked, credentials: Credentials, after: datetime | None, connect: Callable[[], Http]
) -> tuple[Signals, ...]:
    """Ask for what was published from some days before `after` on; say what of it cannot be read or placed.

    Blocks. Raise `AuthenticationError`, `ConnectionLost` or another `VenueError`, `ConfigError` for what is not there.
    """
    session = Session(credentials, asked.base_url)
    batches = []
    with connect() as http:
        for each in asked.algorithms:
            answer = http.send(history_exchange(session, each, asked.since(after), time.monotonic()))
            found, lost, undated = asked.read(answer, each, datetime.now(UTC))
            batches += found
            where = f"{NAME}'s history of algorithm {each}"
            tell_lost(where, lost)
            tell_lost(where, [Unreadable(one.symbol, "it bears no time") for one in undated], "cannot be placed")
    return once(batches)
