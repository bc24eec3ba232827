"""Who has a session at the sandbox's ALGOGENE: tokens for an hour of I/O time, never accelerated. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

LIFE = 3600.0


class Sessions:
    """Those that were opened. `secret` makes the tokens: a state file need not hold them, a restart makes them again.

    A new session leaves the others as they are: a guess.
    """

    def __init__(self, secret: str, life: float = LIFE) -> None:
        self._secret, self._life = secret, life
        self._since: list[float] = []

    def do(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Open a session at `since` (Unix seconds); return it as it is told."""
        self._since.append(float(body["since"]))
        ends = datetime.fromtimestamp(self._since[-1] + self._life, UTC)
        return {"res": {"token": self._token(len(self._since)), "expired_utc": f"{ends:%Y-%m-%d %H:%M:%S.%f}"}}

    def is_open(self, token: str, now: float) -> bool:
        """Return whether a token is one, and not over."""
        open_ = (number for number, since in enumerate(self._since, 1) if now < since + self._life)
        return any(self._token(number) == token for number in open_)

    def _token(self, number: int) -> str:
        return hashlib.sha256(f"{self._secret}/algogene/{number}".encode()).hexdigest()[:40]
