"""What a broker's cash and positions are worth, worked out beside it."""

from __future__ import annotations

from typing import Any


def worth(broker: Any) -> float:
    """Return what a broker's cash and positions are worth at the last prices, and change nothing in it.

    `getvalue` would keep the value for the strategy, as it is when somebody looks.
    """
    total = float(broker.cash)
    for data, position in broker.positions.items():
        if position.size and len(data):
            total += _worth(broker, broker.getcommissioninfo(data), position, data.close[0])
    return total


def _worth(broker: Any, info: Any, position: Any, price: float) -> float:
    value = float(
        info.getvaluesize(position.size, price) if broker.p.shortcash else abs(info.getvalue(position, price))
    )
    gained = float(info.profitandloss(position.size, position.price, price))
    return (value - gained) / info.get_leverage() + gained if value > 0 else value
