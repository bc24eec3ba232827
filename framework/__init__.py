"""Switchback: write one Backtrader strategy, backtest it in a notebook, flip a flag and it trades live.

    from framework import run

`framework` knows no venue; what is offered here is loaded when it is first asked for, so that
`import framework` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.app.functions.trading import run_trading
    from framework.live.limits import Limits
    from framework.live.settings import Live
    from framework.research.comparing import Comparison, compare
    from framework.research.outcome import Sweep
    from framework.research.searched import Search
    from framework.research.searching import search
    from framework.research.sweeping import sweep
    from framework.research.walked import WalkForward
    from framework.research.walking import walk_forward
    from framework.result import Result
    from framework.runner import run

__all__ = [
    "Comparison", "Limits", "Live", "Result", "Search", "Sweep", "WalkForward",
    "compare", "run", "run_trading", "search", "sweep", "walk_forward",
]  # fmt: skip

_WHERE = {
    "Comparison": "framework.research.comparing",
    "Limits": "framework.live.limits",
    "Live": "framework.live.settings",
    "Result": "framework.result",
    "Search": "framework.research.searched",
    "Sweep": "framework.research.outcome",
    "WalkForward": "framework.research.walked",
    "compare": "framework.research.comparing",
    "run": "framework.runner",
    "run_trading": "framework.app.functions.trading",
    "search": "framework.research.searching",
    "sweep": "framework.research.sweeping",
    "walk_forward": "framework.research.walking",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'framework' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
