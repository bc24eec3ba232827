"""From one backtest to thousands: `sweep` runs a strategy for each set of parameters, `search` looks for good ones.

`walk_forward` chooses on the past and tries the choice on what came next.

    from framework.research import search, sweep, walk_forward

What is offered here is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.research.outcome import Sweep
    from framework.research.searched import Search
    from framework.research.searching import search
    from framework.research.sweeping import sweep
    from framework.research.walked import WalkForward
    from framework.research.walking import walk_forward

__all__ = ["Search", "Sweep", "WalkForward", "search", "sweep", "walk_forward"]

_WHERE = {
    "Search": "framework.research.searched",
    "Sweep": "framework.research.outcome",
    "WalkForward": "framework.research.walked",
    "search": "framework.research.searching",
    "sweep": "framework.research.sweeping",
    "walk_forward": "framework.research.walking",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'framework.research' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
