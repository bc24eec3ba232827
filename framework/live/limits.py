"""What a session may not go beyond. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a live session; None is no limit. Money is in the account's currency, for this session alone.

    order_value: the most that one order may be worth.
    position_value: the most that the position in one symbol may be worth, long or short, open orders included.
    open_orders: how many orders may be open, those of a bracket each.
    orders_per_minute: how many orders may be sent within sixty seconds.
    daily_loss: how much may be lost in a trading day, from what the session was worth when it began.
    collar: how far beyond the last price a limit may be, as a fraction of it, on the side that costs.
    symbols: the only ones that may be traded.
    stale: seconds after a bar's end from which on its prices are too old to open a position on.

    An order that only makes a position smaller passes all of them but `collar`; a cancel passes all.
    """

    order_value: float | None = None
    position_value: float | None = None
    open_orders: int | None = None
    orders_per_minute: int | None = None
    daily_loss: float | None = None
    collar: float | None = None
    symbols: tuple[str, ...] | None = None
    stale: float = 30.0
