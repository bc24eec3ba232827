"""Which symbols of a live feed are halted, as far as the stream has told. Pure.

The stream tells of changes alone: what was missed while it was down is not told again. So a halt that was told
stays until its end is told, or a minute that began after it has a bar.
"""

from __future__ import annotations

from feeds.alpaca.readings import MINUTE, TradingStatus
from framework.model import Bar, Halt

CHANNEL = "statuses"
"""Where halts are told."""

_WORD = "halt "


class Halts:
    """The halts of one feed. Owned by the I/O thread."""

    def __init__(self) -> None:
        self._halts: dict[str, Halt] = {}

    def take(self, status: TradingStatus) -> Halt | None:
        """Take a status; return what it changes, None where nothing."""
        symbol, is_halted = status.symbol, status.is_halted
        if is_halted is None or is_halted is (symbol in self._halts):
            return None
        if not is_halted:
            return self._over(symbol, status)
        self._halts[symbol] = halt = Halt(symbol, status.at, True, told(status))
        return halt

    def printed(self, bar: Bar) -> Halt | None:
        """Take a bar; return that its symbol trades again, where the end of its halt was missed."""
        halt = self._halts.get(bar.symbol)
        if halt is None or bar.end - MINUTE < halt.at:
            return None
        del self._halts[bar.symbol]
        return Halt(bar.symbol, bar.end, False, "it trades again")

    def are_all(self, symbols: tuple[str, ...]) -> bool:
        """Return whether none of these trades: then nothing is to be expected of a stream."""
        return all(each in self._halts for each in symbols)

    def _over(self, symbol: str, status: TradingStatus) -> Halt:
        del self._halts[symbol]
        return Halt(symbol, status.at, False, told(status))


def told(status: TradingStatus) -> str:
    """Return why, such as `T1: news pending`; the status in words where no reason is told."""
    code, _, words = status.reason.partition(" ")
    text = words.lower().removeprefix(_WORD)
    return f"{code}: {text}" if code and text else code or status.text.lower() or f"status {status.code}"
