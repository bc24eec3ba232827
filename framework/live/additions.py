"""Symbols that are added to a session that runs: its sources offer how, the session asks once for each."""

from __future__ import annotations

from framework.errors import Unsupported
from framework.ports import Add, Added


class Offers:
    """What the sources of a session offer (`framework.ports.Additions`). Owned by the I/O thread."""

    def __init__(self) -> None:
        self._offers: list[Add] = []

    def offer(self, add: Add) -> None:
        """Say how a symbol is added to what a source listens to."""
        self._offers.append(add)

    async def add(self, symbol: str) -> Added:
        """Follow one more symbol at the first source that takes it.

        Raise `Unsupported` where none does, `ConfigError` or `VenueError` where it fails.
        """
        for add in self._offers:
            if (added := await add(symbol)) is not None:
                return added
        raise Unsupported(f"no source of this session has bars of {symbol}")
