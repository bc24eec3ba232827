"""Backtrader's side of the seam: its data feeds, calendar, broker and loop.

from framework.engine import Cerebro
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.engine.cerebro import Cerebro

__all__ = ["Cerebro"]


def __getattr__(name: str) -> Any:
    if name != "Cerebro":
        raise AttributeError(f"module 'framework.engine' has no attribute {name!r}")
    from framework.engine.cerebro import Cerebro

    return Cerebro
