"""Our own name for an order: the same after a restart, never used twice, and readable.

Alpaca keeps a client order id for ever, cancelled orders included, and refuses a second use: that is what
makes a repeated request harmless, so nothing in it may come from chance or from the clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from framework.errors import ConfigError

LONGEST = 128

_SESSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_WHOLE = re.compile(r"(.+)-([1-9][0-9]*)-([1-9][0-9]*)(?:\.([1-9][0-9]*))?")
_NAME = re.compile(r"[A-Za-z0-9]{1,64}")
_NAMED = re.compile(r"(.+)--([A-Za-z0-9]{1,64})")


@dataclass(frozen=True, slots=True)
class ClientOrderId:
    """An order of a session: its name, the number of its run, the order's ref, and the how-manieth request for it.

    `run` grows with each start of the session, so that refs, which begin at 1 again, never repeat.
    `change` is 0 for the order as it was first sent; a replacement, or what an order that we emulate
    sends later, counts on. Written `breakout-3-17`, and `breakout-3-17.1` for its first change.
    """

    session: str
    run: int
    ref: int
    change: int = 0

    def __post_init__(self) -> None:
        _check_session(self.session)
        if self.run < 1 or self.ref < 1 or self.change < 0:
            raise ConfigError(f"order id {self}: run and ref count from 1, change from 0")
        if len(str(self)) > LONGEST:
            raise ConfigError(f"session name {self.session!r} makes order ids of more than {LONGEST} characters")

    def __str__(self) -> str:
        return f"{self.session}-{self.run}-{self.ref}" + (f".{self.change}" if self.change else "")

    @classmethod
    def parse(cls, text: str) -> ClientOrderId | None:
        """Return what a client order id says, None where it is not one of ours (another program's, the venue's)."""
        match = _WHOLE.fullmatch(text)
        if match is None or len(text) > LONGEST or not _SESSION.fullmatch(match[1]):
            return None
        return cls(match[1], int(match[2]), int(match[3]), int(match[4] or 0))


@dataclass(frozen=True, slots=True)
class NamedOrderId:
    """An order that its strategy has named, after the signal that it follows say: the same in each run of a session.

    Written `breakout--3fa9c2`: what `ClientOrderId` writes ends otherwise.
    """

    session: str
    name: str

    def __post_init__(self) -> None:
        _check_session(self.session)
        check_name(self.name)
        if len(str(self)) > LONGEST:
            raise ConfigError(f"{self} is too long for an order's id, {LONGEST} characters; shorten the session's name")

    def __str__(self) -> str:
        return f"{self.session}--{self.name}"


def parsed(text: str) -> ClientOrderId | NamedOrderId | None:
    """Return what a client order id says, named or counted; None where it is not one of ours."""
    match = _NAMED.fullmatch(text)
    if match is None or len(text) > LONGEST or not _SESSION.fullmatch(match[1]):
        return ClientOrderId.parse(text)
    return NamedOrderId(match[1], match[2])


def check_name(name: object) -> str:
    """Return an order's name; raise `ConfigError` for what cannot be one."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"name={name!r} cannot be an order's; use letters and digits, 64 at most")
    return name


def _check_session(session: str) -> None:
    if not _SESSION.fullmatch(session):
        raise ConfigError(
            f"session name {session!r} cannot be part of an order's id; "
            "use letters, digits, dots, dashes and underscores, with a letter or a digit at both ends"
        )
