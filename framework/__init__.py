"""Switchback: write one Backtrader strategy, backtest it in a notebook, flip a flag and it trades live.

    from framework import run

`framework` knows no venue; what is offered here is loaded when it is first asked for, so that
`import framework` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.live.limits import Limits
    from framework.live.settings import Live
    from framework.research.comparing import Comparison, compare
    from framework.research.outcome import Sweep
    from framework.research.sweeping import sweep
    from framework.result import Result
    from framework.runner import run

__all__ = ["Comparison", "Limits", "Live", "Result", "Sweep", "compare", "run", "sweep"]

_WHERE = {
    "Comparison": "framework.research.comparing",
    "Limits": "framework.live.limits",
    "Live": "framework.live.settings",
    "Result": "framework.result",
    "Sweep": "framework.research.outcome",
    "compare": "framework.research.comparing",
    "run": "framework.runner",
    "sweep": "framework.research.sweeping",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'framework' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
