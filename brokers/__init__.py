"""Venues: where orders go, and their stores, which is how Backtrader itself knows a venue.

    from brokers import AlpacaVenue

Each is loaded when it is first asked for, so that `import brokers` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brokers.algogene.store import AlgogeneStore
    from brokers.algogene.venue import AlgogeneVenue
    from brokers.alpaca.store import AlpacaStore
    from brokers.alpaca.venue import AlpacaVenue

__all__ = ["AlgogeneStore", "AlgogeneVenue", "AlpacaStore", "AlpacaVenue"]

_WHERE = {
    "AlgogeneStore": "brokers.algogene.store",
    "AlgogeneVenue": "brokers.algogene.venue",
    "AlpacaStore": "brokers.alpaca.store",
    "AlpacaVenue": "brokers.alpaca.venue",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'brokers' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
