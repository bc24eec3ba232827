"""ALGOGENE: orders as separate trades, told of by polling.

    from brokers.algogene import AlgogeneStore

The store and what belongs to it are loaded when they are first asked for: they bring Backtrader along.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brokers.algogene.store import AlgogeneBroker, AlgogeneData, AlgogeneStore

__all__ = ["AlgogeneBroker", "AlgogeneData", "AlgogeneStore"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'brokers.algogene' has no attribute {name!r}")
    return getattr(importlib.import_module("brokers.algogene.store"), name)
