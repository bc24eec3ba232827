"""Where bars and signals come from: samples, files and frames, and the feeds of the venues.

    from feeds import SampleBars

Each is loaded when it is first asked for, so that `import feeds` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feeds.algogene.source import AlgogeneBars
    from feeds.alpaca.quotes import AlpacaQuotes
    from feeds.alpaca.source import AlpacaBars
    from feeds.alphahub.connection import AlphaHubConnection
    from feeds.alphahub.sample import SampleSignals
    from feeds.alphahub.source import AlphaHubSignals
    from feeds.file_quotes import FileQuotes
    from feeds.files import FileBars
    from feeds.quotes import BarQuotes
    from feeds.sample import SampleBars

__all__ = [
    "AlgogeneBars",
    "AlpacaBars",
    "AlpacaQuotes",
    "AlphaHubConnection",
    "AlphaHubSignals",
    "BarQuotes",
    "FileBars",
    "FileQuotes",
    "SampleBars",
    "SampleSignals",
]

_WHERE = {
    "AlgogeneBars": "feeds.algogene.source",
    "AlpacaBars": "feeds.alpaca.source",
    "AlpacaQuotes": "feeds.alpaca.quotes",
    "AlphaHubConnection": "feeds.alphahub.connection",
    "AlphaHubSignals": "feeds.alphahub.source",
    "BarQuotes": "feeds.quotes",
    "FileBars": "feeds.files",
    "FileQuotes": "feeds.file_quotes",
    "SampleBars": "feeds.sample",
    "SampleSignals": "feeds.alphahub.sample",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'feeds' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
