"""ALGOGENE's orders and trades as a pure state machine over the matching core.

Each order becomes a trade of its own, which its exits (levels, hold time) or a close end. A close is an order that
fills as any does; until then the trade is there. Time is an argument, and ids are counted: the same commands and
instants make the same book.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.algogene.sandbox_board import Board
from brokers.algogene.sandbox_entries import FIRST, Done, Entry, Status
from brokers.algogene.sandbox_requests import TYPES, Refusal, lasting, positive, read_order
from brokers.algogene.settings import Settings
from brokers.sim.account import Account
from brokers.sim.matching import Matching, Terms
from brokers.sim.orders import Event, Happened, Order, Range, State
from brokers.sim.prices import Slippage
from framework.model import OrderType, Side
from framework.sandbox.tape import Detail, Instant, Tape

LEVELS = {"takeProfitLevel": "take_profit", "stopLossLevel": "stop_loss", "holdtime": "holdtime"}


class Book:
    """The orders, trades and money of one account."""

    def __init__(self, tape: Tape, settings: Settings | None = None, seed: int = 0) -> None:
        self.settings = settings or Settings()
        self.board = Board(tape, seed, self.settings.spread)
        self._is_straight = tape.detail is Detail.PATH
        self.account = Account(self.settings.cash, self.settings.commission)
        slippage = Slippage(self.settings.slippage)
        terms = Terms(slippage, check_cash=False, partial=self.settings.partial, shrinks=True, seed=seed)
        self.core = Matching(self.account, terms)
        self.entries: dict[str, Entry] = {}
        self._live: dict[str, Entry] = {}
        self.done: list[Done] = []
        self.realized = 0.0
        self.now = tape.starts_at
        self._exits: dict[str, str] = {}

    # What a client asks for

    def open(self, body: Mapping[str, Any], at: datetime) -> Entry:
        """Take an order; raise `Refusal`."""
        asked = read_order(body)
        if asked.instrument not in self.board.names:
            raise Refusal(f"invalid instrument: {asked.instrument}")
        last = self.board.price(asked.instrument, at)
        contract = Decimal(repr(float(self.settings.contracts.get(asked.instrument, 1.0))))
        self._check_margin(asked.instrument, asked.side, float(asked.lots * contract), last)
        entry = Entry(
            str(FIRST + len(self.entries)),
            asked.order_ref,
            asked.instrument,
            asked.side,
            asked.kind,
            asked.lots,
            contract,
            asked.price,
            at,
            asked.take_profit,
            asked.stop_loss,
            asked.holdtime,
            asked.lasts,
            "CRYPTO" if self.board.is_crypto(asked.instrument) else "EQ",
        )
        self.entries[entry.id] = self._live[entry.id] = entry
        self._happened(self.core.submit([self._opening(entry, at, last)], at))
        return entry

    def update_pending(self, trade_id: str, body: Mapping[str, Any], at: datetime) -> None:
        """Change an order that waits; raise `Refusal`."""
        entry = self._waiting(trade_id)
        lasts = lasting(body)
        price = positive(body, "price") if entry.kind != "MKT" else None
        self._change_levels(entry, body)
        entry.lasts = entry.lasts if lasts is None else lasts
        entry.price = price or entry.price
        order = self._opening(entry, entry.created_at, self.board.price(entry.instrument, at))
        self._happened(self.core.replace(entry.id, order, at))

    def update_opened(self, trade_id: str, body: Mapping[str, Any], at: datetime) -> None:
        """Change what a trade is closed by; raise `Refusal`."""
        entry = self._opened(trade_id)
        if entry.is_closing:
            raise Refusal(f"trade '{trade_id}' is being closed")
        self._change_levels(entry, body)
        for each in entry.exits:
            self._happened(self.core.withdraw(each, at, State.CANCELED))
        self._arm(entry, at)

    def cancel(self, trade_id: str, at: datetime) -> None:
        """Cancel an order that waits; raise `Refusal`."""
        self._waiting(trade_id)
        self._happened(self.core.cancel(trade_id, at))

    def close(self, trade_id: str, at: datetime, after: float = 0.0) -> None:
        """Ask for a trade's end: it comes with the next price, `after` some seconds. Raise `Refusal`.

        What of its order still waits is cancelled, which is a guess.
        """
        entry = self._opened(trade_id)
        if entry.is_waiting:
            self._happened(self.core.cancel(trade_id, at))
        if not entry.is_closing:
            entry.is_closing = True
            self._send_close(entry, at, after)

    def reject(self, trade_id: str, at: datetime) -> None:
        """Let the venue reject an order that it had taken."""
        entry = self.entries[trade_id]
        self.core.withdraw(trade_id, at, State.REJECTED)
        entry.status, entry.reason, entry.ended_at = Status.REJECTED, "rejected by broker", at

    # What the market does

    def play(self, instant: Instant) -> None:
        """Take in an instant: what has been held long enough, what has expired, what fills."""
        self.now = instant.at
        self._live = {name: each for name, each in self._live.items() if each.is_waiting or each.held}
        for entry in self.opened:
            if entry.holds_until is not None and entry.holds_until <= instant.at and not entry.is_closing:
                self.close(entry.id, entry.holds_until)
        names = {order.symbol for order in self.core.resting}
        found = ((name, self.board.ranges(name, instant)) for name in names)
        spread = self.settings.spread
        ranges = {
            name: Range.of(bar, spread=spread, is_straight=self._is_straight) for name, bar in found if bar is not None
        }
        self._happened(self.core.play(instant.at, ranges))

    # What it shows

    @property
    def opened(self) -> list[Entry]:
        """The trades that are open."""
        return [each for each in self._live.values() if each.held]

    @property
    def waiting(self) -> list[Entry]:
        """The orders that wait."""
        return [each for each in self._live.values() if each.is_waiting]

    def price(self, name: str) -> float:
        """Return the last price of an instrument."""
        return self.board.price(name, self.now)

    def money(self) -> dict[str, float]:
        """Return what the account is worth, by what it is called here."""
        prices = {each.instrument: self.price(each.instrument) for each in self.opened}
        nav = self.account.equity(prices)
        margin = sum(abs(self.account.holding(name).size) * price for name, price in prices.items())
        used = margin / self.settings.leverage
        gain = sum((prices[each.instrument] - each.average) * each.held * each.side.sign for each in self.opened)
        return {"nav": nav, "available": nav - used, "margin": used, "realized": self.realized, "unrealized": gain}

    # Inside

    def _check_margin(self, name: str, side: Side, units: float, price: float) -> None:
        """Refuse what the account has not the margin for: that of the net position."""
        held = self.account.holding(name).size
        more = (abs(held + units * side.sign) - abs(held)) * price / self.settings.leverage
        if more > self.money()["available"]:
            raise Refusal("insufficient available balance")

    def _waiting(self, trade_id: str) -> Entry:
        entry = self.entries.get(trade_id)
        if entry is None or not entry.is_waiting:
            raise Refusal(f"no pending order '{trade_id}'")
        return entry

    def _opened(self, trade_id: str) -> Entry:
        entry = self.entries.get(trade_id)
        if entry is None or not entry.held:
            raise Refusal(f"no opened trade '{trade_id}'")
        return entry

    def _change_levels(self, entry: Entry, body: Mapping[str, Any]) -> None:
        for key, name in LEVELS.items():
            if key in body:
                setattr(entry, name, positive(body, key))
        entry.order_ref = str(body.get("orderRef") or entry.order_ref)

    def _opening(self, entry: Entry, at: datetime, last: float) -> Order:
        kind, reaches = TYPES[entry.kind], at + self.settings.latency
        price, expires = entry.price or last, entry.expires_at
        return Order(entry.id, entry.instrument, entry.side, kind, entry.units, price, reaches, expires_at=expires)

    def _send_close(self, entry: Entry, at: datetime, after: float) -> None:
        reaches = at + self.settings.latency + timedelta(seconds=after)
        self._submit_exit(entry, OrderType.MARKET, self.price(entry.instrument), at, reaches)

    def _arm(self, entry: Entry, at: datetime) -> None:
        """Let the levels of a trade work from now on; the stop goes before the take-profit."""
        for kind, price in ((OrderType.STOP, entry.stop_loss), (OrderType.LIMIT, entry.take_profit)):
            if price is not None:
                self._submit_exit(entry, kind, price, at, at)

    def _submit_exit(self, entry: Entry, kind: OrderType, price: float, at: datetime, reaches: datetime) -> None:
        side = Side.SELL if entry.side is Side.BUY else Side.BUY
        name = f"{entry.id}/{len(entry.exits)}"
        group = next((each for each in entry.exits if self.core.orders[each].state is State.RESTING), None)
        order = Order(name, entry.instrument, side, kind, entry.held, price, reaches, oco=group)
        entry.exits.append(name)
        self._exits[name] = entry.id
        self._happened(self.core.submit([order], at))

    def _happened(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.kind is Happened.FILLED:
                self._filled(event)
            elif event.kind in (Happened.CANCELED, Happened.EXPIRED) and event.order in self.entries:
                self._ended(self.entries[event.order], event)

    def _filled(self, event: Event) -> None:
        if event.order in self.entries:
            self._opened_some(self.entries[event.order], event)
        else:
            self._closed_some(self.entries[self._exits[event.order]], event)

    def _opened_some(self, entry: Entry, event: Event) -> None:
        entry.opened_at = entry.opened_at or event.at
        entry.filled, entry.paid = entry.filled + event.quantity, entry.paid + event.quantity * event.price
        entry.held += event.quantity
        self._note(entry, event, is_close=False)
        is_whole = self.core.orders[entry.id].state is State.FILLED
        entry.status = Status.FILLED if is_whole else Status.PARTIAL
        if is_whole:
            self._arm(entry, event.at)

    def _closed_some(self, entry: Entry, event: Event) -> None:
        left = round(entry.held - event.quantity, 9)
        self.realized += (event.price - entry.average) * event.quantity * entry.side.sign
        entry.held = left
        self._note(entry, event, is_close=True)
        if self.core.orders[event.order].state is State.FILLED:
            entry.is_closing = False
        if not left:
            for each in entry.exits:
                self.core.withdraw(each, event.at, State.CANCELED)

    def _ended(self, entry: Entry, event: Event) -> None:
        """Note the end of an order that had not filled, or not all of it: what was opened stays."""
        is_over = event.kind is Happened.EXPIRED and entry.expires_at is not None
        entry.status, entry.ended_at = Status.CANCELLED, entry.expires_at if is_over else event.at
        if entry.held:
            self._arm(entry, event.at)

    def _note(self, entry: Entry, event: Event, *, is_close: bool) -> None:
        side = entry.side if not is_close else Side.SELL if entry.side is Side.BUY else Side.BUY
        lots = entry.in_lots(event.quantity)
        done = Done(entry.id, entry.order_ref, entry.instrument, is_close, side, lots, event.price, event.at)
        self.done.append(done)


def held(book: Book) -> Iterator[tuple[str, float, float, float]]:
    """Yield what is held of each instrument: name, units, lots, value."""
    for name in dict.fromkeys(each.instrument for each in book.opened):
        trades = [each for each in book.opened if each.instrument == name]
        lots = sum(each.in_lots(each.held) * each.side.sign for each in trades)
        units = sum(each.held * each.side.sign for each in trades)
        yield name, units, round(lots, 9), units * book.price(name)
