"""From one backtest to thousands: `sweep` runs a strategy once for each set of parameters.

    from framework.research import sweep

What is offered here is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.research.outcome import Sweep
    from framework.research.sweeping import sweep

__all__ = ["Sweep", "sweep"]

_WHERE = {"Sweep": "framework.research.outcome", "sweep": "framework.research.sweeping"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'framework.research' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
