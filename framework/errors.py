"""Every error Switchback raises on purpose: catch `SwitchbackError` to catch them all.

    SwitchbackError
    ├── ConfigError            wrong before anything runs; names the key and the file
    ├── Unsupported            asked of this venue or feed what it cannot do
    └── VenueError             the other side; carries the venue's name
        ├── AuthenticationError
        ├── ConnectionLost     retried by the transport; raised when it gives up
        ├── RateLimited        retry_after
        └── ProtocolError      it said what we do not understand; carries the message

A message is one line: what was asked, what was found, what to try. It never holds a secret.
What a venue says about an order is a value (`OrderUpdate`, REJECTED, reason), never an exception.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SwitchbackError(Exception):
    """The root of all errors raised on purpose."""


class ConfigError(SwitchbackError, ValueError):
    """Something is wrong before anything runs: a parameter, a file, a column, a date."""


class Unsupported(SwitchbackError):
    """A venue or a feed was asked for what it cannot do."""


class VenueError(SwitchbackError):
    """The other side failed. `venue` is its name."""

    def __init__(self, venue: str, message: str) -> None:
        super().__init__(f"{venue}: {message}")
        self.venue = venue


class AuthenticationError(VenueError):
    """The venue does not accept the credentials, or they do not allow what was asked."""


class ConnectionLost(VenueError):
    """The transport tried again and gave up.

    `is_sent_unknown` is False where the request certainly did not leave; else it may have been done,
    and what became of it must be looked up before anything is sent again.
    """

    def __init__(self, venue: str, message: str, *, is_sent_unknown: bool = True) -> None:
        super().__init__(venue, message)
        self.is_sent_unknown = is_sent_unknown


class RateLimited(VenueError):
    """The venue's request budget is used up; try again after `retry_after` seconds."""

    def __init__(self, venue: str, message: str, retry_after: float) -> None:
        super().__init__(venue, message)
        self.retry_after = retry_after


class ProtocolError(VenueError):
    """The venue said something we do not understand; `received` is what it said."""

    def __init__(self, venue: str, message: str, received: object = None) -> None:
        super().__init__(venue, message)
        self.received = received


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean X?)` for the known word closest to `word`, or an empty string."""
    by_folded = {each.casefold(): each for each in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f" (did you mean {by_folded[found[0]]}?)" if found else ""


def first(error: BaseException) -> BaseException:
    """Return the first error of a group of them, which is why the others ended; another error as it is."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
