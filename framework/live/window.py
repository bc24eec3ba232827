"""A sliding window of requests: how many more may go, and when the next one may. Pure: time is an argument.

The venue counts a request somewhere between its send and its answer. So a request holds its place from
the send until a minute after its ANSWER: then, wherever in between the venue counted each of them, no
minute of the venue's holds more than the limit. All times are I/O time, in seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from framework.errors import ConfigError
from framework.retries import number, retry_after, server_time
from framework.wire import HttpResponse, Priority

SPAN = 60.0
_MARGIN = 0.1  # two machines' minutes differ by less
_SAME_RESET = 2.0  # resets are told in whole seconds: what is nearer than this is the same one
_MANY = 1_000_000_000
_LONGEST = 90.0  # what is told beyond this is asked again after it, rather than believed for an hour


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a venue's answer told: its limit, what remains of it, and in how many seconds it starts afresh."""

    limit: float | None = None
    remaining: float | None = None
    resets_in: float | None = None


def allowance(response: HttpResponse, now: float) -> Allowance:
    """Read `X-RateLimit-Limit`, `-Remaining` and `-Reset`; `now` (unix seconds) serves where no Date is told."""
    at = server_time(response)
    return Allowance(
        number(response.headers, "x-ratelimit-limit"),
        number(response.headers, "x-ratelimit-remaining"),
        retry_after(response, now if at is None else at),
    )


class Window:
    """The places of one account at one host. Owned by the I/O thread.

    `limit` is how many requests a minute may go, `at_once` how many may be unanswered. `reserve` is the
    share of the limit that each priority leaves to those before it, so that after a burst of entries a
    cancel still goes at once. `limit` None is for a venue that counts no requests, whatever it tells.
    """

    def __init__(self, limit: int | None = 200, at_once: int = 50, reserve: float = 0.05, span: float = SPAN) -> None:
        self._heeds = limit is not None
        limit = _MANY if limit is None else limit
        if limit < 1 or at_once < 1 or not 0 <= reserve < 0.25:
            raise ConfigError(
                f"limit={limit}, at_once={at_once}, reserve={reserve}: give a limit and an at_once of 1 or more, "
                "and a reserve from 0 up to 0.25"
            )
        self.limit = limit
        self.at_once = at_once
        self.in_flight = 0
        self._most, self._reserve, self._span = limit, reserve, span + _MARGIN
        self._answered: deque[float] = deque()
        self._closed_until = self._told_until = float("-inf")
        self._left = limit

    def room(self, now: float) -> int:
        """Return how many more requests may go now, by our own count and by what the venue told."""
        self._forget(now)
        own = self.limit - self.in_flight - len(self._answered)
        return min(own, self._left) if now < self._told_until else own

    def used(self, now: float) -> tuple[int, int] | None:
        """Return how many places are taken and how many there are; None where they are not counted. Any thread."""
        if not self._heeds:
            return None
        # Nothing is forgotten here, as `room` would: that is the I/O thread's. A deque is copied in one step.
        own = self.in_flight + sum(at + self._span > now for at in tuple(self._answered))
        return (max(own, self.limit - self._left) if now < self._told_until else own), self.limit

    def may(self, priority: Priority, now: float) -> bool:
        """Return whether a request of this priority may go now."""
        return (
            now >= self._closed_until and self.in_flight < self.at_once and self.room(now) > self._kept_from(priority)
        )

    def take(self) -> None:
        """Count a request that goes now."""
        self.in_flight += 1
        self._left -= 1

    def give_back(self) -> None:
        """Uncount a request that did not go after all."""
        self.in_flight -= 1
        self._left += 1

    def end(self, now: float) -> None:
        """Count a request as answered, or as given up."""
        self.in_flight -= 1
        self._answered.append(now)

    def opens_at(self, priority: Priority, now: float) -> float | None:
        """Return when `may` can next be true with nothing happening but time; None where an answer is awaited."""
        if self.in_flight >= self.at_once:
            return None
        opens = max(now, self._closed_until)
        kept = self._kept_from(priority)
        too_many = self.in_flight + len(self._answered) - (self.limit - kept) + 1
        if too_many > len(self._answered):
            return None
        if too_many > 0:
            opens = max(opens, self._answered[too_many - 1] + self._span)
        return max(opens, self._told_until) if now < self._told_until and self._left <= kept else opens

    def hear(self, told: Allowance, now: float) -> None:
        """Take what an answer told, downward only: others may use the same account.

        To be called before the request's own `end`.
        """
        if not self._heeds:
            return
        if told.limit is not None and told.limit >= 1:
            self.limit = int(min(told.limit, self._most))
        if told.remaining is None or told.remaining < 0:
            return
        until = now + min(self._span if told.resets_in is None else told.resets_in, _LONGEST)
        known = now < self._told_until
        if known and until < self._told_until - _SAME_RESET:
            return  # an older answer that came late
        self._tell(told.remaining, until, now, is_same=known and until < self._told_until + _SAME_RESET)

    def close(self, seconds: float, now: float) -> None:
        """Let nothing go for so long: the venue answered 429."""
        self._closed_until = max(self._closed_until, now + min(seconds, _LONGEST))

    def _tell(self, remaining: float, until: float, now: float, *, is_same: bool) -> None:
        others = self.in_flight - 1
        self._forget(now)
        own = self.limit - self.in_flight - len(self._answered)
        # Less than our own count leaves: others use the account, and who is still in flight may not be counted yet.
        left = max(int(remaining) - others, 0) if remaining < own else self.limit
        self._left = min(left, self._left) if is_same else left
        self._told_until = until

    def _kept_from(self, priority: Priority) -> int:
        return int(self.limit * self._reserve) * int(priority)

    def _forget(self, now: float) -> None:
        while self._answered and self._answered[0] + self._span <= now:
            self._answered.popleft()
