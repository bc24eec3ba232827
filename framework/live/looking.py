"""One look at an account, without a session: what it has before anything begins. Blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from framework.live.heard import Heard
from framework.live.io_thread import IoThread
from framework.live.transport import AioHttp
from framework.model import Snapshot
from framework.ports import Clock, LiveVenue, Recorded, Session
from framework.retries import Patience

PATIENCE = Patience(attempts=3, connect=5.0, read=10.0, whole=20.0)


def account(venue: LiveVenue, clock: Clock) -> Snapshot:
    """Return a venue's account as it is. Raise `ConfigError` where there are no keys, `VenueError`."""

    async def asked() -> Snapshot:
        async with AioHttp(venue.rules.venue, clock, PATIENCE, limit=None) as http:
            session = Session("look", clock, http, _Unwritten(), Heard(clock))
            return await venue.open(session, lambda news: None).snapshot()

    with IoThread("switchback-look") as io:
        return io.call(asked())


class _Unwritten:
    """A journal that keeps nothing: nothing is traded."""

    def append(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Let it go."""

    def entries(self, kind: str, key: str | None = None) -> Iterator[Recorded]:
        """Yield nothing."""
        return iter(())

    def commit(self) -> None:
        """Have nothing to write."""
