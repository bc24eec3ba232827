"""What history is asked for while a feed is listened to."""

from __future__ import annotations

from collections.abc import Mapping

from feeds.alpaca.feed import Feed
from feeds.alpaca.protocol import NAME, bars_exchange
from feeds.gaps import Range
from framework.columns import Columns
from framework.errors import ConnectionLost
from framework.live.clock import Deadline
from framework.ports import Session


async def bars_of(feed: Feed, session: Session, asked: Range, seconds: float) -> Mapping[str, Columns]:
    """Return the bars of a range by symbol, of all hours; raise `VenueError` or `ConfigError`, in time."""
    query = feed.series.query(asked.symbols, asked.after, asked.until, to_latest=False, access=feed.access)
    try:
        async with Deadline(session.clock, seconds):
            return (await session.http.send(bars_exchange(query))).bars
    except TimeoutError:
        raise ConnectionLost(NAME, f"no bars of the past within {seconds:g} s") from None
