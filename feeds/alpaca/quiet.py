"""How long a data stream may be quiet before it is taken for dead. Pure; seconds of I/O time are arguments."""

from __future__ import annotations

from dataclasses import dataclass

RHYTHM = 2.0
"""How many times its longest pause so far a stream may be quiet."""

LONGEST = 120.0
"""Seconds: what a quiet market cannot stretch patience beyond."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds of quiet after which a connection is given up.

    `line`: nothing at all, not even the answer to a ping (send one every few seconds). `handshake`: no
    end of login and subscription. `data`: no message in trading hours where quotes or trades are
    subscribed to; it grows with the pauses that the stream is seen to make. None is for ever, as in
    lock-step, where the venue's time stands still. With bars alone quiet proves nothing, for symbols may
    not trade: there the gaps tell that bars are missing (`feeds.gaps`).
    """

    line: float = 10.0
    handshake: float = 10.0
    data: float | None = 15.0


class Quiet:
    """When a connection was last heard of. Owned by its stream."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._opened = self._heard = self._told = 0.0
        self._longest = 0.0
        self._is_measured = False

    def open(self, now: float) -> None:
        """Begin with a new connection."""
        self._opened = self._heard = now

    def ask(self, now: float) -> None:
        """Note that a login is sent again: it has the time of a handshake of its own."""
        self._opened = now

    def began(self, now: float) -> None:
        """Note that data may come from now on. The pause before a connection was lost is measured on over it."""
        if not self._is_measured:
            self._told = now

    def heard(self, now: float) -> None:
        """Note that something came, a pong or a frame."""
        self._heard = now

    def told(self, now: float) -> None:
        """Note that data came."""
        if self._is_measured:
            self._longest = max(self._longest, now - self._told)
        self._told = self._heard = now

    def is_silent(self, now: float, *, is_rhythmic: bool, is_handshake: bool) -> bool:
        """Return whether it has been quiet for too long; data count where a rhythm is to be expected."""
        if not is_rhythmic and not is_handshake:
            self._told, self._is_measured = now, False
        if now - self._heard >= self._patience.line:
            return True
        if is_handshake:
            return now - self._opened >= self._patience.handshake
        if not is_rhythmic or self._patience.data is None:
            return False
        self._is_measured = True
        return now - max(self._told, self._opened) >= max(self._patience.data, min(RHYTHM * self._longest, LONGEST))
