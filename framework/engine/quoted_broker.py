"""The simulated broker of a backtest on quotes: a buyer pays the ask, a seller gets the bid."""

from __future__ import annotations

from typing import Any

from framework.engine.quote_data import is_quoted
from framework.engine.ruled import RuledBroker
from framework.live.judging import too_old
from framework.live.limits import Limits

_SIDES = {
    True: ("ask_open", "ask_high", "ask_low", "ask"),
    False: ("bid_open", "bid_high", "bid_low", "bid"),
}
_TICKS = ("tick_open", "tick_high", "tick_low", "tick_close")


class QuotedBroker(RuledBroker):
    """A `RuledBroker` whose orders meet the quotes of their side.

    What is sent at one instant meets the first quote after it, or the one that stands where no other comes before the
    next look: a market order fills there, a limit where the side reaches it by then. No position is opened on a quote
    that is more than `stale` seconds old, as live.
    """

    params = (("stale", Limits().stale),)  # type: ignore[assignment]  # Backtrader's metaclass adds it

    def _try_exec(self, order: Any) -> None:
        data = order.data
        if not is_quoted(data):
            super()._try_exec(order)
            return
        before = [getattr(data, name, None) for name in _TICKS]
        for tick, line in zip(_TICKS, _SIDES[order.isbuy()], strict=True):
            setattr(data, tick, getattr(data, line)[0])
        try:
            super()._try_exec(order)
        finally:
            for tick, value in zip(_TICKS, before, strict=True):
                setattr(data, tick, value)

    def _refusal(self, order: Any) -> str:
        why = super()._refusal(order)
        data = order.data
        if why or self._is_overruled or not is_quoted(data) or self.only_reduces(order):
            return why
        age = float(data.age[0])
        return too_old(age) if age > self.p.stale else ""
