"""Flat means verified flat: the account itself is asked, once the session's own ledger says so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from framework.engine.flattening import Flattening
from framework.live.identity import parsed
from framework.model import Snapshot

PAUSE = 3.0
"""Seconds between two looks at the account."""

LOOKS = 5
"""How often the account may disagree before it is told: its own books may be a moment behind."""

NOISE = 1e-9


class Verification:
    """Compares a flat session with its account. Owned by the engine's thread.

    `foreign` is what the account held beside the session's own when it began, by symbol: that stays.
    `look` asks for a `Snapshot`, which is handed to `take`. `seconds` tells I/O time, None in lock-step.
    """

    def __init__(
        self,
        flattening: Flattening,
        session: str,
        symbols: Collection[str],
        foreign: Mapping[str, float],
        look: Callable[[], None],
        seconds: Callable[[], float] | None,
    ) -> None:
        self.flattening = flattening
        self.is_sure = False
        self._session, self._symbols, self._foreign = session, symbols, foreign
        self._look, self._seconds = look, seconds
        self._asked: datetime | None = None
        self._next_at = float("-inf")
        self._looks = 0
        self._differences = ""
        self.is_told = False
        """Whether it was said how it came out."""

    def step(self, now: datetime) -> str:
        """Ask where it is time to; return what is to be told, once, as soon as it is known."""
        if not self.flattening.is_flat:
            self._asked, self.is_sure, self.is_told, self._looks = None, False, False, 0
            return ""
        if self.is_told:
            return ""
        if self.is_sure:
            self.is_told = True
            return "flat, and the account says so too"
        if self._looks >= LOOKS:
            self.is_told = True
            return f"NOT verified flat: {self._differences}"
        self._ask(now)
        return ""

    def take(self, account: Snapshot) -> None:
        """Compare an account that was looked at since it was asked for."""
        if self._asked is None or account.at < self._asked:
            return
        self._asked = None
        self._differences = "; ".join(self._found(account))
        self._looks += 1
        self.is_sure = not self._differences

    def _ask(self, now: datetime) -> None:
        seconds = self._seconds() if self._seconds else 0.0
        if self._asked is None and (not self._seconds or seconds >= self._next_at):
            self._asked, self._next_at = now, seconds + PAUSE
            self._look()

    def _found(self, account: Snapshot) -> list[str]:
        held = {each.symbol: each.quantity for each in account.positions}
        told = [
            f"the account holds {held.get(symbol, 0.0):g} of {symbol}, where {self._foreign.get(symbol, 0.0):g} "
            "are not this session's"
            for symbol in sorted(self._symbols)
            if abs(held.get(symbol, 0.0) - self._foreign.get(symbol, 0.0)) > NOISE
        ]
        open_ids = [each.client_order_id for each in account.open_orders if self._is_ours(each.client_order_id)]
        return told + ([f"orders are open still: {', '.join(open_ids)}"] if open_ids else [])

    def _is_ours(self, client_order_id: str) -> bool:
        name = parsed(client_order_id)
        return name is not None and name.session == self._session
