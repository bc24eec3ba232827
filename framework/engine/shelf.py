"""Analyzers and observers put aside for a run, and brought back the moment somebody looks at one.

What is put aside keeps no state of its own: its attributes (an observer's lines) are out of reach, so
that any look at it, by whatever way the looker came by it, opens the shelf first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from framework.engine.clocks import in_front


class _Aside:
    """In front of an analyzer's class while it is put aside."""

    __slots__ = ()

    def __getattr__(self: Any, name: str) -> Any:
        if name == "lean_opened" or name.startswith("__"):
            raise AttributeError(name)
        self.lean_opened()
        return getattr(self, name)

    @property
    def params(self: Any) -> Any:
        return self.p


class _AsideLine:
    """In front of an observer's line's class while the observer is put aside."""

    __slots__ = ()


def _opening(name: str) -> property:
    def get(line: Any) -> Any:
        line.lean_opened()
        return getattr(line, name)

    def put(line: Any, value: Any) -> None:
        line.lean_opened()
        setattr(line, name, value)

    return property(get, put)


for _name in ("array", "_idx", "idx", "lencount"):
    setattr(_AsideLine, _name, _opening(_name))


_ASIDE: Any = _Aside
_ASIDE_LINE: Any = _AsideLine


def _class(item: Any) -> Any:
    return type(item)


def is_held_elsewhere(analyzer: Any) -> bool:
    """Return whether somebody besides the analyzer holds its results."""
    return "rets" in vars(analyzer) and _references(vars(analyzer)) > _ALONE


def _references(fields: dict[str, Any]) -> int:
    results = fields["rets"]
    return sys.getrefcount(results)


_ALONE = _references({"rets": []})
"""What a results dictionary counts that nobody else holds; it differs between versions of Python."""


class Shelf:
    """What is put aside, and how it was."""

    def __init__(self, opened: Callable[[], None]) -> None:
        self._opened = opened
        self._analyzers: list[tuple[Any, type[Any], dict[str, Any]]] = []
        self._lines: list[tuple[Any, type[Any]]] = []

    def analyzer(self, analyzer: Any) -> None:
        """Put an analyzer aside."""
        self._analyzers.append((analyzer, type(analyzer), dict(vars(analyzer))))
        vars(analyzer).clear()
        vars(analyzer)["lean_opened"] = self._opened
        analyzer.__class__ = in_front(_ASIDE, _class(analyzer))

    def observer(self, observer: Any) -> None:
        """Put an observer aside."""
        for line in observer.lines:
            self._lines.append((line, type(line)))
            vars(line)["lean_opened"] = self._opened
            line.__class__ = in_front(_ASIDE_LINE, _class(line))

    def empty(self) -> None:
        """Give everything back as it was."""
        for analyzer, cls, known in self._analyzers:
            since = {name: value for name, value in vars(analyzer).items() if name != "lean_opened"}
            analyzer.__class__ = cls
            vars(analyzer).clear()
            vars(analyzer).update(known | since)
        for line, line_cls in self._lines:
            line.__class__ = line_cls
            vars(line).pop("lean_opened", None)
        self._analyzers.clear()
        self._lines.clear()
