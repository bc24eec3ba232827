"""A venue's budget of requests: so many a minute of I/O time, told in headers."""

from __future__ import annotations

import time
from collections.abc import Callable

WINDOW = 60.0


class RateLimit:
    """Counts requests in windows of a minute. `limit` is shown; it is kept to where `is_kept`."""

    def __init__(
        self, limit: int = 200, *, is_kept: bool = True, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit, self.is_kept = limit, is_kept
        self._monotonic = monotonic
        self._began, self._used = monotonic(), 0

    def take(self) -> bool:
        """Use one request; return whether it was still allowed."""
        now = self._monotonic()
        if now - self._began >= WINDOW:
            self._began, self._used = now, 0
        self._used += 1
        return not self.is_kept or self._used <= self.limit

    def headers(self, *, used_up: bool = False) -> dict[str, str]:
        """Return the three headers of every answer; the reset is in Unix seconds."""
        left = WINDOW - (self._monotonic() - self._began)
        remaining = 0 if used_up else max(0, self.limit - self._used)
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(int(time.time() + left) + 1),
        }
