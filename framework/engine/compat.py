"""What is broken in Backtrader 1.9.78.123 on current Python, pandas and matplotlib, mended in one place.

`mend()` sets right what can only be set right inside Backtrader's own modules; calling it again does
no harm. `MendedCerebro` carries the rest. Each mend has a test that fails without it. (What is left,
integer column names and NaN closes, is refused by our own feeds.)
"""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import types
import warnings
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

with warnings.catch_warnings():
    # Python 3.12 and later object to Backtrader's docstrings when they first compile it.
    warnings.simplefilter("ignore", SyntaxWarning)
    import backtrader as bt
    import backtrader.cerebro
    import backtrader.feed
    import backtrader.lineiterator
    from backtrader.utils.dateintern import Localizer


def mend() -> None:
    """Mend Backtrader's modules in place: zones, bound lines, and a warning on every bar."""
    for module in (backtrader.feed, backtrader.cerebro):
        module.tzparse = tzparse
    backtrader.lineiterator.collections = _COLLECTIONS
    # Stock's per-bar loop calls utcnow, which Python 3.12 deprecates.
    warnings.filterwarnings("ignore", r".*utcnow", DeprecationWarning, r"backtrader\.")


_COLLECTIONS = types.SimpleNamespace(**vars(collections), Iterable=collections.abc.Iterable)
"""`collections` as it was before Python 3.10, for `bindlines`, which reads `collections.Iterable`."""


class Zone(ZoneInfo):
    """A time zone with the `localize` that Backtrader calls, as pytz zones have."""

    def localize(self, at: datetime) -> datetime:
        """Return a naive wall-clock time with this zone on it."""
        return at.replace(tzinfo=self)


def tzparse(tz: str | tzinfo | None) -> tzinfo | None:
    """Return `tz` as Backtrader needs it: a name or a ZoneInfo becomes a `Zone`.

    Stock leaves a name as it is where pytz is missing (pandas 3 no longer brings it), and cannot put
    a method on a ZoneInfo.
    """
    if isinstance(tz, ZoneInfo) and not isinstance(tz, Zone):
        tz = str(tz)
    if isinstance(tz, str):
        return Zone("CST6CDT" if tz == "CST" else tz)
    localized: tzinfo | None = Localizer(tz)
    return localized


class Counter:
    """`itertools.count`, but it can be pickled (Python 3.14 no longer pickles itertools)."""

    def __init__(self, first: int) -> None:
        self._following = first

    def __iter__(self) -> Counter:
        return self

    def __next__(self) -> int:
        self._following += 1
        return self._following - 1


class MendedCerebro(bt.Cerebro):
    """`bt.Cerebro` whose `plot` draws everywhere and whose `optstrategy` runs on every Python."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        mend()
        super().__init__(*args, **kwargs)
        self._dataid = Counter(1)

    def _init_stcount(self) -> None:
        self.stcount = Counter(0)

    def _runonce(self, runstrats: list[Any]) -> None:
        """Run bar by bar where a feed has fewer bars than its indicators need: stock's arrays overflow there."""
        if any(is_short(strategy) for strategy in runstrats):
            bt.Cerebro._runnext(self, runstrats)
        else:
            super()._runonce(runstrats)

    def __getstate__(self) -> dict[str, Any]:
        # The workers are sent their parameters; the generators these come from stay here.
        state: dict[str, Any] = super().__getstate__()
        return {**state, "strats": []}

    def plot(self, *args: Any, iplot: bool = False, **kwargs: Any) -> Any:
        """Draw with Backtrader's plotter: inline in a notebook, and without a display.

        Stock switches to a window or to notebook JavaScript, which shows nothing, and draws a second
        plot over the first.
        """
        with chosen_backend() as pyplot:
            pyplot.close("all")
            return super().plot(*args, iplot=iplot, **kwargs)


def is_short(strategy: Any) -> bool:
    """Return whether a strategy's feed has fewer bars than its indicators need."""
    pairs = zip(strategy.datas, strategy._minperiods, strict=True)
    return any(data.buflen() < period for data, period in pairs)


@contextlib.contextmanager
def chosen_backend() -> Iterator[Any]:
    """Give pyplot with the backend that the user or matplotlib chose, and load `backtrader.plot` under it.

    That module calls `matplotlib.use("TKAgg")` when it is imported, whatever was chosen before.
    """
    import matplotlib
    from matplotlib import pyplot

    pyplot.get_backend()
    use, matplotlib.use = matplotlib.use, _ignore
    try:
        import backtrader.plot  # noqa: F401
    finally:
        matplotlib.use = use
    with warnings.catch_warnings():
        # On a backend without a window, show() has nothing to show and says so.
        warnings.filterwarnings("ignore", ".*non-interactive", UserWarning)
        yield pyplot


def _ignore(*_: Any, **__: Any) -> None: ...
