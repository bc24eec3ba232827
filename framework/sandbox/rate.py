"""A venue's budget of requests: so many a minute of I/O time, told in headers.

A bucket that holds a minute's worth and fills again evenly, as Alpaca's was seen to do: 200 at once
pass, then one each 0.3 s, and nothing is held against who asked too often.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

WINDOW = 60.0


class RateLimit:
    """Counts requests. `limit` is shown; it is kept to where `is_kept`.

    `monotonic` is I/O time in seconds, `wall` the date that goes with it, in Unix seconds.
    """

    def __init__(
        self,
        limit: int = 200,
        *,
        is_kept: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.limit, self.is_kept = limit, is_kept
        self._monotonic, self._wall = monotonic, wall
        self._at, self._left = monotonic(), float(limit)

    def take(self) -> bool:
        """Use one request; return whether it was still allowed; one that is not kept stays full."""
        if not self.is_kept:
            return True
        self._refill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def headers(self, *, used_up: bool = False) -> dict[str, str]:
        """Return the three headers of every answer; the reset, in Unix seconds, is when all is there again."""
        self._refill()
        full = self._wall() + (self.limit - self._left) * WINDOW / self.limit
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": "0" if used_up else str(int(self._left)),
            "X-RateLimit-Reset": str(math.ceil(full)),
        }

    def _refill(self) -> None:
        now = self._monotonic()
        self._left = min(self.limit, self._left + (now - self._at) * self.limit / WINDOW)
        self._at = now
