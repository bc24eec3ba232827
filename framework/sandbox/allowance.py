"""How many requests an account may make: a bucket that holds a minute's worth and fills again evenly.

Alpaca's limiter was seen to behave so: 200 at once pass, then one each 300 ms, and nothing is held
against who asked too often. Time is I/O time: it never goes faster with the market's clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable


class Allowance:
    """`per_minute` requests; `wall` tells I/O time in unix seconds. Owned by the thread that serves the market."""

    def __init__(self, per_minute: int, wall: Callable[[], float]) -> None:
        self.per_minute = per_minute
        self._wall = wall
        self._left, self._at = float(per_minute), wall()

    def take(self) -> bool:
        """Use one up; return whether there was one."""
        now = self._wall()
        self._left = min(self.per_minute, self._left + max(now - self._at, 0.0) * self.per_minute / 60)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def headers(self) -> dict[str, str]:
        """Return Alpaca's three headers: the limit, what is left, and when all of it is there again (unix seconds)."""
        full = self._at + (self.per_minute - self._left) * 60 / self.per_minute
        return {
            "X-RateLimit-Limit": str(self.per_minute),
            "X-RateLimit-Remaining": str(int(self._left)),
            "X-RateLimit-Reset": str(math.ceil(full)),
        }
