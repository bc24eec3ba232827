"""A strategy's parameters, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import backtrader as bt

from framework.errors import ConfigError, nearest


def checked(
    strategy: type[bt.Strategy], params: Mapping[str, Any], direct: Mapping[str, Any], keywords: Mapping[str, bool]
) -> dict[str, Any]:
    """Return a strategy's parameters from `params` and from those given directly.

    `keywords` are the names that `run` takes for itself, and whether each was given. Raise
    `ConfigError` for an unknown name (with the nearest), one given twice, and one that could mean both.
    """
    if not (isinstance(strategy, type) and issubclass(strategy, bt.Strategy)):
        raise ConfigError(f"strategy must be a bt.Strategy subclass, not {strategy!r}")
    known = list(strategy.params._getkeys())
    for name in (*params, *direct):
        if name not in known:
            raise ConfigError(_unknown(strategy, name, known, list(keywords)))
    for name in direct:
        if name in params:
            raise ConfigError(f"parameter {name} is given twice, in params and directly; give it once")
    for name, is_given in keywords.items():
        if is_given and name in known and name not in params:
            raise ConfigError(
                f"{strategy.__name__} has a parameter {name} and so has run(): "
                f"write params={{{name!r}: ...}} for the strategy's, and keep {name}= for run's"
            )
    return {**params, **direct}


def _unknown(strategy: type[bt.Strategy], name: str, known: list[str], keywords: list[str]) -> str:
    has = ", ".join(known) or "none"
    return f"{strategy.__name__} has no parameter {name!r}{nearest(name, known + keywords)}; it has: {has}"
