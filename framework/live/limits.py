"""What a session may not go beyond. Pure.

What an order is judged by is in `framework.live.judging`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from framework.errors import ConfigError, nearest

COUNTS = ("open_orders", "orders_per_minute")
ABOVE_ZERO = ("daily_loss", "stale")
NONE = "limits: none; see docs/live.md#limits"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a live session; None is no limit. Money is in the account's currency, for this session alone.

    order_value: the most that one order may be worth.
    position_value: the most that the position in one symbol may be worth, long or short, open orders included.
    open_orders: how many orders may be open, those of a bracket each.
    orders_per_minute: how many orders may be sent within sixty seconds, those of a bracket and changes each.
    daily_loss: how much may be lost in a trading day, from what the session was worth when it began.
    collar: how far beyond the last price a limit may be, as a fraction of it, on the side that costs.
    symbols: the only ones that may be traded.
    stale: seconds after a bar's end from which on its prices are too old to open a position on.

    An order that only makes a position smaller passes all of them but `collar`; a cancel passes all.
    Raise `ConfigError` for what can be no limit.
    """

    order_value: float | None = None
    position_value: float | None = None
    open_orders: int | None = None
    orders_per_minute: int | None = None
    daily_loss: float | None = None
    collar: float | None = None
    symbols: tuple[str, ...] | None = None
    stale: float = 30.0

    def __post_init__(self) -> None:
        for name, value in self._numbers().items():
            _check(name, value)
        if self.symbols is not None:
            object.__setattr__(self, "symbols", _symbols(self.symbols))

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Read `order_value=5000`, `symbols=AAPL,TSLA`; what is said last counts. Raise `ConfigError`."""
        return cls(**dict(_read(text) for text in texts))

    def body(self) -> dict[str, Any]:
        """Return the limits that hold, as the journal keeps them."""
        symbols = {} if self.symbols is None else {"symbols": list(self.symbols)}
        return {**self._numbers(), **symbols}

    def _numbers(self) -> dict[str, Any]:
        named = {name: getattr(self, name) for name in NAMES if name != "symbols"}
        return {name: value for name, value in named.items() if value is not None or name == "stale"}


NAMES = tuple(each.name for each in fields(Limits))


def told(body: Mapping[str, Any]) -> str:
    """Return in one line the limits that hold, as `Limits.body` gave them; what always holds alone is none."""
    if not set(body) - {"stale"}:
        return NONE
    return f"limits: {', '.join(f'{name} {_shown(value)}' for name, value in body.items())}"


def amount(value: float) -> str:
    """Return a number in full, without noise: 12,000 or 1,234.5."""
    return f"{value:,.12g}"


def _shown(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else amount(value)


def _check(name: str, value: Any) -> None:
    """Raise `ConfigError` where a value can be no limit."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ConfigError(f"limit {name}={value!r} is no number; give one, such as {name}={_EXAMPLES[name]}")
    if value < 0 or (name in ABOVE_ZERO and value == 0):
        raise ConfigError(f"limit {name}={value} is not above zero; to have no such limit, leave it out")
    if name in COUNTS and value != int(value if math.isfinite(value) else 0.5):
        raise ConfigError(f"limit {name}={value} is no count; give a whole number, such as {_EXAMPLES[name]}")
    if name == "collar" and value >= 1:
        raise ConfigError(f"limit collar={value} is not a fraction of the price; 0.05 is 5 %")


def _symbols(given: Any) -> tuple[str, ...]:
    found = given.split(",") if isinstance(given, str) else given
    try:
        symbols = tuple(dict.fromkeys(each.strip() for each in found if each.strip()))
    except (TypeError, AttributeError):
        raise ConfigError(f"limit symbols={given!r} are no symbols; give them as ('AAPL', 'TSLA')") from None
    if not symbols:
        raise ConfigError("limit symbols names none; to trade all symbols of the session, leave it out")
    return symbols


def _read(text: str) -> tuple[str, Any]:
    name, equals, value = (each.strip() for each in text.partition("="))
    if not equals:
        raise ConfigError(f"--limit {text}: write it as NAME=VALUE, such as order_value=5000")
    if name not in NAMES:
        raise ConfigError(
            f"--limit {text}: there is no limit {name}{nearest(name, NAMES)}; there are {', '.join(NAMES)}"
        )
    return name, value if name == "symbols" else _number(name, value)


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(f"--limit {name}={text}: it is a number, such as {_EXAMPLES[name]}") from None
    return int(value) if math.isfinite(value) and value == int(value) else value


_EXAMPLES = {
    "order_value": 5000, "position_value": 20000, "open_orders": 10, "orders_per_minute": 20,
    "daily_loss": 500, "collar": 0.05, "stale": 30,
}  # fmt: skip

NO_LIMITS = Limits()
