"""What is asked of Alpaca's data side before a start: may recent bars be had, and is its stream free?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from feeds.alpaca.line import Line, Told
from feeds.alpaca.protocol import NAME, TEST, bars_exchange
from feeds.alpaca.source import AlpacaBars
from feeds.alpaca.stream import Stream
from feeds.alpaca.stream_events import TurnedAway
from feeds.alpaca.via import stream_checked
from feeds.minutes import Minutes
from framework.errors import AuthenticationError
from framework.http import Http
from framework.live.checkup import PATIENCE, Answer, Check, no, refused, skipped, yes
from framework.live.knock import knock
from framework.retries import Patience

RECENT = timedelta(minutes=10)
"""How far back bars are asked for: well within the 15 minutes that a plan may keep back."""

IN_USE = "another session has the one connection to"
OTHERS = "end the other session or program that listens there; after a broken connection wait for 90 s"


def proxied(source: AlpacaBars, patience: Patience = PATIENCE) -> tuple[Check, ...]:
    """Return the check of the proxy that the streams come through, nothing where they come straight."""
    if not source.is_proxied:
        return ()
    return (Check("proxy", lambda: proxy_told(source, patience), needs=("sandbox", "keys")),)


def recent(source: AlpacaBars, now: Callable[[], datetime], patience: Patience = PATIENCE) -> Check:
    """Return the check of the feed: one request for the latest minutes. `now` is venue time."""
    return Check("data", lambda: recent_told(source, now(), patience), needs=("sandbox", "keys"))


def stream(source: AlpacaBars, seconds: float = 8.0) -> Check:
    """Return the check of the data stream: it takes the account's one connection, and gives it back."""
    return Check("data stream", lambda: stream_told(source, seconds), needs=("sandbox", "keys"), disturbs=True)


def proxy_told(source: AlpacaBars, patience: Patience) -> Answer:
    """Say whether the proxy has this source's data, and its stream."""
    feed = source.live
    assert feed.access.proxy is not None
    with Http(NAME, patience) as http:
        http.send(stream_checked(feed.access.proxy, feed.series.base_url, feed.endpoint))
    return yes(f"{feed.access.url} has {feed.endpoint.path} of {feed.series.base_url}")


def recent_told(source: AlpacaBars, at: datetime, patience: Patience) -> Answer:
    """Say whether the feed's bars may be had up to now."""
    if source.feed == TEST:
        return skipped("the test stream has no history")
    feed = source.live
    query = feed.series.query(source.symbols, at - RECENT, at, to_latest=False, access=feed.access)
    try:
        with Http(NAME, patience) as http:
            found = http.send(bars_exchange(query)).bars
    except AuthenticationError as error:
        return _not_entitled(error)
    count = sum(map(len, found.values()))
    name = "crypto" if feed.series.crypto else f"feed {source.feed}"
    minutes = int(RECENT.total_seconds() // 60)
    return yes(f"{name}: {count or 'no'} bar{'' if count == 1 else 's'} of the last {minutes} minutes")


def stream_told(source: AlpacaBars, seconds: float) -> Answer:
    """Say whether the stream lets us in; nothing is subscribed to."""
    feed = source.live
    path = feed.endpoint.path
    line = Line(Stream(feed.endpoint, feed.credentials, feed.access.url), Minutes(source.calendar))
    try:
        why = knock(NAME, line, lambda told: _turned_away(told, path), seconds)
    except AuthenticationError as error:
        return _not_entitled(error)
    if not why:
        return yes(f"{path} let us in, and is free again")
    return no(why, OTHERS) if IN_USE in why else refused(why)


def _not_entitled(error: AuthenticationError) -> Answer:
    """Say what the keys do not allow; where it is the plan, the keys need no look."""
    answer = refused(error)
    is_plan = "subscription" in answer.text
    return no(answer.text, "take --feed iex, which is free, or a plan with it") if is_plan else answer


def _turned_away(told: Told, path: str) -> str:
    is_taken = any(isinstance(each, TurnedAway) for each in told.events)
    return f"{NAME}: {IN_USE} {path} (406)" if is_taken else ""
