"""A store's broker, in the way Backtrader knows brokers: `cerebro.setbroker(store.getbroker())`.

It is the live broker (`framework.engine.live_broker`), moved by stock's loop. Before a run its cash and value are the
account's; from the run on they are the session's, also when that is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from framework.engine.live_broker import LiveBroker
from framework.errors import ConfigError, nearest


class Rounds(Protocol):
    """What the broker asks of the loop (`framework.engine.stock_loop.StockLoop`)."""

    @property
    def is_silent(self) -> bool: ...

    def loaded(self) -> bool: ...


class StoreBroker(LiveBroker):
    """A broker of a store (`store.getbroker(...)`).

    `use_positions`: what the account holds of the run's symbols becomes the session's when it begins. `cash` is what
    the session may spend; left out, all that the account has. `setcash` before the run says the same.
    """

    params = (("use_positions", True), ("cash", None))  # type: ignore[assignment]  # Backtrader adds it to the others

    def __init__(self, store: Any = None, **unknown: Any) -> None:
        if store is None:
            raise ConfigError(f"{type(self).__name__} belongs to a store; make it with store.getbroker(), or store=")
        known = ("use_positions", "cash")
        for name in unknown:
            raise ConfigError(
                f"{type(self).__name__} has no parameter {name!r}{nearest(name, known)}; it has {', '.join(known)}"
            )
        self.store = store
        self.asked: float | None = self.p.cash
        self.p.cash, self.p.rules = self.asked or 0.0, store.venue.rules
        self._rounds: Callable[[], Rounds | None] = lambda: None
        self._is_traded = False
        super().__init__()

    def renew(self, rounds: Callable[[], Rounds | None], cash: float, may_trade: Callable[[Any], str]) -> None:
        """Begin a session: what an earlier run left in here is forgotten, commissions stay."""
        known = dict(vars(self)["comminfo"])
        super().__init__()
        self.comminfo, self._is_traded = known, True
        self._rounds = rounds
        self.refusals.append(may_trade)
        super().set_cash(cash)

    def start(self) -> None:
        if not self._is_traded:
            raise ConfigError(
                f"{type(self).__name__} trades live, and no data of its store is live in this run: on old prices "
                "nothing is traded; leave setbroker out for a backtest, or give getdata(historical=False)"
            )
        super().start()

    def set_cash(self, cash: float) -> None:
        """Say what the session may spend; it has no effect on one that runs."""
        self.asked = cash
        if not self._is_traded:
            super().set_cash(cash)

    setcash = set_cash

    def get_cash(self) -> float:
        if self._is_traded or self.asked is not None:
            return float(super().get_cash())
        return float(self.store.account().cash)

    getcash = get_cash

    def get_value(self, datas: Any = None, mkt: bool = False, lever: bool = False) -> float:
        if self._is_traded or self.asked is not None or datas:
            return super().get_value(datas, mkt, lever)
        return float(self.store.account().equity)

    getvalue = get_value

    def next(self) -> None:
        """End an instant, where this round of stock's loop plays one."""
        rounds = self._rounds()
        if rounds is not None and rounds.loaded():
            super().next()

    def get_notification(self) -> Any:
        rounds = self._rounds()
        return None if rounds is None or rounds.is_silent else super().get_notification()
