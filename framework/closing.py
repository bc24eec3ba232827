"""What is to be done at the end of each trading day, checked before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from framework.engine.day_end import HOLD, LIQUIDATE, AtClose, How
from framework.engine.session_end import AtEnd
from framework.errors import ConfigError, nearest
from framework.ports import Source

_WORDS = (HOLD, LIQUIDATE)


def at_close_of(how: How | AtEnd, before: float | timedelta, sources: Sequence[Source]) -> AtClose | AtEnd | None:
    """Return what is done before a close, None for nothing; `before` is in minutes where it is a number.

    The end of a session that lasts so long is returned as it is. Raise `ConfigError` where there is no close, or where
    no bar ends between then and the close.
    """
    if isinstance(how, AtEnd):
        return how
    if isinstance(how, str) and how not in _WORDS:
        raise ConfigError(f"at_close={how!r} is not known{nearest(how, _WORDS)}; it is hold, liquidate or a function")
    if not (isinstance(how, str) or callable(how)):
        raise ConfigError(f"at_close={how!r} cannot be called; it is hold, liquidate or a function of the strategy")
    if how == HOLD:
        return None
    span = before if isinstance(before, timedelta) else timedelta(minutes=before)
    for source in sources:
        _check(source, span)
    return AtClose(how, span, sources[0].calendar)


def _check(source: Source, before: timedelta) -> None:
    if source.calendar.name == "24/7":
        raise ConfigError(f"{', '.join(source.symbols)}: this market never closes, so that at_close has no time")
    length = source.timeframe.length
    if length is None:
        raise ConfigError(f"at_close needs bars that are shorter than a day, not {source.timeframe}; try 1Min")
    if not length <= before < timedelta(hours=3):
        raise ConfigError(
            f"before_close={before.total_seconds() / 60:g} minutes does not go with bars of {source.timeframe}: "
            f"give {length.total_seconds() / 60:g} to 179 minutes"
        )
