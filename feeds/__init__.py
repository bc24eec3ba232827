"""Where bars and signals come from: sample bars, files and frames, and the feeds of the venues.

    from feeds import SampleBars

Each is loaded when it is first asked for, so that `import feeds` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feeds.alpaca.source import AlpacaBars
    from feeds.alphahub.connection import AlphaHubConnection
    from feeds.files import FileBars
    from feeds.sample import SampleBars

__all__ = ["AlpacaBars", "AlphaHubConnection", "FileBars", "SampleBars"]

_WHERE = {
    "AlpacaBars": "feeds.alpaca.source",
    "AlphaHubConnection": "feeds.alphahub.connection",
    "FileBars": "feeds.files",
    "SampleBars": "feeds.sample",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'feeds' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
