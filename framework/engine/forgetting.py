"""What Backtrader keeps of a run for ever, and a session of weeks cannot: forgotten as soon as nobody asks for it."""

from __future__ import annotations

from typing import Any


def forget(strategy: Any) -> None:
    """Drop what was told: each copy of each order, and the trades that are closed but the last of each kind.

    Backtrader writes these and reads the last trade only; a strategy has its own of what it was told of.
    """
    strategy._orders.clear()
    for kinds in strategy._trades.values():
        for trades in kinds.values():
            del trades[:-1]
