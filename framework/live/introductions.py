"""Signals on their way to the engine: symbols that they name for the first time are added before it is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from framework.errors import SwitchbackError
from framework.live.clock import Deadline
from framework.model import Remark, Signals
from framework.ports import Added, Clock
from framework.signalling import opened

PATIENCE = 10.0
"""Seconds that signals wait, at most, for the symbols that they name; a source gives up before."""

Follow = Callable[[str], Awaitable[Added]]
Tell = Callable[[Added | Remark], None]


class Introductions:
    """Which symbols the engine knows, and how it comes to know more. Owned by the I/O thread.

    `add` follows one more symbol; `tell` hands on what came of it: the symbol's bars up to now, or an alarm.
    """

    def __init__(self, symbols: Iterable[str], add: Follow, tell: Tell, clock: Clock) -> None:
        self._known = set(symbols)
        self._add, self._tell, self._clock = add, tell, clock

    def knows(self, symbol: str) -> bool:
        """Return whether the engine knows a symbol."""
        return symbol in self._known

    def lacking(self, told: Signals) -> list[str]:
        """Return the symbols that signals want to open a position in, and of which there are no bars."""
        return list(dict.fromkeys(each for each in opened(told) if each not in self._known))

    async def introduce(self, told: Signals) -> None:
        """Have the symbols added that are lacking; return when each is, or cannot be."""
        await asyncio.gather(*(self._introduce(symbol) for symbol in self.lacking(told)))

    async def _introduce(self, symbol: str) -> None:
        try:
            async with Deadline(self._clock, PATIENCE):
                added = await self._add(symbol)
        except TimeoutError:
            return self._tell(alarm(symbol, f"its bars did not come within {PATIENCE:g} s"))
        except SwitchbackError as error:
            return self._tell(alarm(symbol, str(error)))
        self.know(added)
        return self._tell(added)

    def know(self, added: Added) -> None:
        """Note that a symbol's bars come."""
        self._known.add(added.symbol)


def alarm(symbol: str, why: str) -> Remark:
    """Return what the user is to know of a symbol that cannot be followed."""
    return Remark(f"ALARM: signals of {symbol} are not followed, there are no bars of it: {why}", symbol)
