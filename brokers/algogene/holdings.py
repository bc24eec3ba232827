"""What the account holds, and which of its trades are the session's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from brokers.algogene.following import Kind, Poll
from brokers.algogene.instruments import Instrument, meta_instruments
from brokers.algogene.line import Line
from brokers.algogene.lookups import opened_trades
from brokers.algogene.lots import exact, units_of
from brokers.algogene.netting import Lot
from brokers.algogene.reports import Money, Pending, Trade
from brokers.algogene.telling import Telling
from framework.live.identity import parsed
from framework.live.records import POSITION
from framework.model import OrderStatus, OrderUpdate, Position, Snapshot
from framework.ports import Session


class Holdings:
    """The open trades. Owned by the I/O thread.

    A trade is the session's where its reference is one of the session's orders, or where the session has since taken
    over what the account held of its symbol.
    """

    def __init__(self, line: Line, session: Session, telling: Telling) -> None:
        self._line, self._session, self._telling = line, session, telling
        self._instruments: dict[str, Instrument] = {}
        self._opened: Mapping[str, Trade] | None = None

    def take(self, poll: Poll) -> None:
        """Know what a poll has shown."""
        self._opened = poll.opened

    async def instrument(self, symbol: str, tries: int | None = None) -> Instrument:
        """Return an instrument, asked for once. Raise `ConfigError` where there is none, after `tries` `VenueError`."""
        if symbol not in self._instruments:
            session = self._line.endpoint.session
            self._instruments |= await self._line.insist(lambda: meta_instruments(session, (symbol,)), tries)
        return self._instruments[symbol]

    async def lots(self, symbol: str, position: float, tries: int | None = None) -> tuple[Lot, ...]:
        """Return the session's open trades of a symbol, the oldest first, but those that are being closed or opened.

        A close would take along what of an order fills meanwhile. They are asked for where there may be any: what was
        known with the last poll may have gone. Raise `AuthenticationError`, after `tries` `VenueError`.
        """
        if not position and not self._may_hold(symbol):
            return ()
        instrument = await self.instrument(symbol, tries)
        self._opened = await self._line.insist(lambda: opened_trades(self._line.endpoint), tries)
        own = [each for each in self._of(symbol) if not self._is_moving(each)]
        return tuple(Lot(each.trade_id, units_of(each.signed, instrument)) for each in own)

    async def snapshot(
        self, at: datetime, money: Money, pending: Mapping[str, Pending], trades: Mapping[str, Trade]
    ) -> Snapshot:
        """Return an account's trades and money as they are told to a session. Raise `VenueError`.

        `cash` is what there would be without the open trades, each closed at what it was opened at.
        """
        return Snapshot(
            at=at,
            account=self._line.endpoint.accountid,
            currency=money.currency,
            cash=money.nav - money.unrealized,
            equity=money.nav,
            buying_power=money.available,
            positions=await self._positions(trades.values()),
            open_orders=tuple(
                OrderUpdate(each.order_ref, each.trade_id, OrderStatus.NEW, each.at) for each in pending.values()
            ),
        )

    # Inside

    def _may_hold(self, symbol: str) -> bool:
        if self._opened is None or any(each.instrument == symbol for each in self._opened.values()):
            return True
        return any(each.symbol == symbol for each in self._telling.requests.values())

    def _is_moving(self, trade: Trade) -> bool:
        """Return whether a trade is being closed, may become larger, or is of an order of which no answer has come."""
        entry = self._telling.followed.get(trade.order_ref)
        if entry is not None and any(part.kind is Kind.OPEN and not part.trade_id for part in entry.parts):
            return True
        for order in self._telling.followed.values():
            for part, known in zip(order.parts, order.known, strict=True):
                if part.trade_id == trade.trade_id and known.end is None:
                    is_growing = part.kind is Kind.OPEN and exact(trade.lots) * part.contract < part.units
                    if is_growing or part.kind is Kind.CLOSE:
                        return True
        return False

    def _of(self, symbol: str) -> list[Trade]:
        """Return the session's trades of a symbol in the order of their opening."""
        found = [each for each in (self._opened or {}).values() if each.instrument == symbol]
        if not all(self._is_own(each) for each in found):
            adopted_at = max((each.at for each in self._session.journal.entries(POSITION, symbol)), default=None)
            found = [each for each in found if self._is_own(each) or (adopted_at is not None and each.at <= adopted_at)]
        return sorted(found, key=lambda each: (each.at, each.trade_id))

    def _is_own(self, trade: Trade) -> bool:
        name = parsed(trade.order_ref)
        return name is not None and name.session == self._session.name

    async def _positions(self, trades: Iterable[Trade]) -> tuple[Position, ...]:
        held: defaultdict[str, list[Trade]] = defaultdict(list)
        for each in trades:
            held[each.instrument].append(each)
        for order in self._telling.followed.values():
            if order.is_mixed:
                held.setdefault(self._telling.requests[order.client_order_id].symbol, [])
        found = []
        for symbol, own in held.items():
            contract = (await self.instrument(symbol, tries=3)).contract
            found.append(_net(symbol, own, contract, self._untold(symbol, own)))
        return tuple(each for each in found if each.quantity)

    def _untold(self, symbol: str, trades: Sequence[Trade]) -> Decimal:
        """Return the units that orders have changed the net by, and that are not told: these are told when all is over.

        To a session they have not happened yet: its ledger would be another one than the account.
        """
        there = {each.trade_id: exact(each.lots) for each in trades}
        units = Decimal()
        for order in self._telling.followed.values():
            if order.is_mixed and self._telling.requests[order.client_order_id].symbol == symbol:
                for part in order.parts:
                    left = there.get(part.trade_id, Decimal()) * part.contract
                    units += part.sign * (left if part.kind is Kind.OPEN else part.units - left)
        return units


def _net(symbol: str, trades: Sequence[Trade], contract: Decimal, untold: Decimal) -> Position:
    """Return what trades are together: their net, at the average of those on its side."""
    units = sum((exact(each.signed) for each in trades), Decimal()) * contract - untold
    side = [each for each in trades if each.side.sign * units > 0]
    lots = sum(each.lots for each in side)
    average = sum(each.lots * each.price for each in side) / lots if lots else 0.0
    return Position(symbol, float(units), average)
