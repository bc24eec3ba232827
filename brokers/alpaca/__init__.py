"""Alpaca: US equities and crypto over REST and a stream of order news.

    from brokers.alpaca import AlpacaStore

The store and what belongs to it are loaded when they are first asked for: they bring Backtrader along.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brokers.alpaca.store import AlpacaBroker, AlpacaData, AlpacaStore

__all__ = ["AlpacaBroker", "AlpacaData", "AlpacaStore"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'brokers.alpaca' has no attribute {name!r}")
    return getattr(importlib.import_module("brokers.alpaca.store"), name)
