"""Whose is what: the session's positions beside the account's, which may hold more, but never less."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from framework.engine.live_broker import LiveBroker
from framework.engine.live_data import LiveData
from framework.engine.silent import settle
from framework.engine.translate import symbol_of
from framework.errors import ConfigError
from framework.live.records import POSITION, Records
from framework.model import Position, Snapshot

NOISE = 1e-9


def adopt(
    broker: LiveBroker, strategy: Any, datas: Iterable[LiveData], symbols: Iterable[str], account: Snapshot
) -> None:
    """Take positions of the account into the session's ledger; raise `ConfigError` where there is none."""
    held = {each.symbol: each for each in account.positions}
    feeds = {data._name: data for data in datas}
    for symbol in symbols:
        if symbol not in feeds:
            raise ConfigError(f"adopt names {symbol}, which is not among the symbols ({', '.join(feeds)})")
        if symbol not in held:
            raise ConfigError(f"adopt names {symbol}, but the account holds none; it holds {_listed(account)}")
        with broker.restraint.unearned():
            settle(broker, strategy, feeds[symbol], held[symbol].quantity, held[symbol].average_price, account.at)


def foreign(broker: LiveBroker, account: Snapshot) -> dict[str, float]:
    """Return, by symbol, what the account holds beside the session's own."""
    found = {each.symbol: each.quantity for each in account.positions}
    for data, position in broker.positions.items():
        found[symbol_of(data)] = found.get(symbol_of(data), 0.0) - position.size
    return found


def check_start(broker: LiveBroker, account: Snapshot) -> None:
    """Raise `ConfigError` where the account holds less than the session's journal says."""
    lacking = _lacking(broker, account)
    if lacking:
        told = "; ".join(
            f"{symbol}: journal {ours:g}, account {theirs:g}" for symbol, (ours, theirs) in lacking.items()
        )
        raise ConfigError(
            f"the account {account.account} holds less than this session did ({told}), and no fill explains it; "
            "it was changed elsewhere: start a new session, and adopt what is to be taken over"
        )


class Ownership:
    """Takes over an account's position that has become smaller than the ledger's. Owned by the engine's thread.

    Once is a fill that is on its way; what two snapshots show, with no news in between, is so. Shares that were put
    together look alike: `ask` has splits asked for before the next snapshot comes.
    """

    def __init__(self, broker: LiveBroker, records: Records, ask: Callable[[], None] = lambda: None) -> None:
        self._broker, self._records, self._ask = broker, records, ask
        self._suspected: dict[str, tuple[float, float]] = {}

    def check(self, strategy: Any, account: Snapshot) -> list[str]:
        """Compare; return what is to be told of what was taken over."""
        working = {symbol_of(order.data) for order in self._broker.open_ids.values()}
        lacking = {symbol: each for symbol, each in _lacking(self._broker, account).items() if symbol not in working}
        sure = {symbol: each for symbol, each in lacking.items() if self._suspected.get(symbol) == each}
        if lacking.keys() - sure.keys():
            self._ask()
        self._suspected = lacking
        return [self._take_over(strategy, symbol, *each, account) for symbol, each in sure.items()]

    def _take_over(self, strategy: Any, symbol: str, ours: float, theirs: float, account: Snapshot) -> str:
        first, *others = [data for data in self._broker.positions if symbol_of(data) == symbol]
        for data, size in ((first, theirs), *((each, 0.0) for each in others)):
            price = self._broker.positions[data].price  # what was paid: nobody says what it was sold for
            with self._broker.restraint.unearned():
                settle(self._broker, strategy, data, size, price, account.at)
            self._records.append(POSITION, data._name, {"quantity": size, "price": price})
        return (
            f"{symbol}: the account holds {theirs:g} and this session's ledger {ours:g}: somebody else traded it; "
            f"the ledger is set to {theirs:g}, its cash stays as it is"
        )


def _lacking(broker: LiveBroker, account: Snapshot) -> dict[str, tuple[float, float]]:
    """Return, by symbol, what the ledger and the account hold, where the account holds less of it."""
    held: Mapping[str, Position] = {each.symbol: each for each in account.positions}
    ours: dict[str, float] = {}
    for data, position in broker.positions.items():
        ours[symbol_of(data)] = ours.get(symbol_of(data), 0.0) + position.size
    theirs = {symbol: held[symbol].quantity if symbol in held else 0.0 for symbol in ours}
    return {symbol: (ours[symbol], theirs[symbol]) for symbol in ours if _is_less(theirs[symbol], ours[symbol])}


def _is_less(theirs: float, ours: float) -> bool:
    """Return whether a position is not wholly in the account: it is smaller there, or on the other side."""
    return bool(ours) and (theirs * ours <= 0 or abs(theirs) < abs(ours) - NOISE)


def _listed(account: Snapshot) -> str:
    return ", ".join(f"{each.symbol} {each.quantity:g}" for each in account.positions) or "nothing"
