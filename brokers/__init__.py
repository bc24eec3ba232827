"""Venues: where orders go.

from brokers import AlpacaVenue
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brokers.algogene.venue import AlgogeneVenue
    from brokers.alpaca.venue import AlpacaVenue

__all__ = ["AlgogeneVenue", "AlpacaVenue"]

_WHERE = {"AlgogeneVenue": "brokers.algogene.venue", "AlpacaVenue": "brokers.alpaca.venue"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'brokers' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
