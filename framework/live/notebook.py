"""A session's display in a notebook: the picture of `framework.live.screen` as HTML, in the cell that asked for it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from framework.live.screen import screen
from framework.live.status import STARTING, Status

WIDTH = 110
"""Characters in a line."""

_PAGE = (
    '<pre style="white-space:pre;overflow-x:auto;line-height:1.25;'
    "font-family:Menlo,'DejaVu Sans Mono',Consolas,monospace\"><code>{code}</code></pre>"
)


def shown(name: str = "", width: int = WIDTH) -> Callable[[Status], None] | None:
    """Show a session where the running cell has its output, and return what takes each new status of it.

    Give that to the session: `Live(watch=shown())`. It may be called from any thread, also when the cell is
    long over: the display stays where it was begun. Nothing but IPython is needed; without a notebook
    around (a script, a plain `ipython`) it returns None, and nothing is shown.
    """
    display = _displayed(html(Status(name, _now(), state=STARTING), width))
    if display is None:
        return None

    def show(status: Status) -> None:
        display.update(_Html(html(status, width)))

    return show


def html(status: Status, width: int = WIDTH) -> str:
    """Return a status as HTML, colours included."""
    from rich.console import Console

    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, force_jupyter=False)
    console.print(screen(status, width))
    return console.export_html(inline_styles=True, code_format=_PAGE)


class _Html:
    """What a notebook shows as HTML, and anything else as text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_html_(self) -> str:
        return self._text


def _displayed(text: str) -> Any | None:
    """Begin a display in a notebook; return its handle, None where there is no notebook."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return None
    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return display(_Html(text), display_id=True)  # type: ignore[no-untyped-call]


def _now() -> Any:
    from framework.live.clock import WallClock

    return WallClock().now()
