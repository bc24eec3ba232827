"""Alpaca's trading side as a pure state machine: orders in, answers and updates out.

It stands on the matching core. Time is an argument, ids come from a seed, so the same commands and
instants make the same book to the last id: that is how a restart finds it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from brokers.alpaca.entries import Entry, identity, number
from brokers.alpaca.limits import check_account
from brokers.alpaca.making import asked_of, changed, entry_of, exits_of, expiry, order_of
from brokers.alpaca.protocol import is_crypto
from brokers.alpaca.refusals import (
    BAD,
    FORBIDDEN,
    NEW_YORK,
    NOT_FOUND,
    Asked,
    Refusal,
    check_auction_time,
    check_exits,
    check_shape,
    invalid,
    read,
)  # fmt: skip
from brokers.alpaca.settings import Conversion, Execution, Settings, Update
from brokers.sim.account import Account
from brokers.sim.matching import Matching, Terms
from brokers.sim.orders import Event, Happened, Order, Range, State
from brokers.sim.prices import Slippage
from framework.model import Split
from framework.sandbox.tape import Detail, Instant, Tape

REACH = timedelta(seconds=5)
"""How long after a bar's first price an order may come and still have it; of I/O time, where venue time runs fast."""


class Book:
    """Alpaca's orders, positions and cash over a tape. `updates` are those that nobody has read yet.

    `speed` is how fast venue time runs.
    """

    def __init__(self, tape: Tape, settings: Settings | None = None, seed: int = 0, speed: float | None = None) -> None:
        self.tape, self.settings, self.seed = tape, settings or Settings(), seed
        own = self.settings
        self.account = Account(own.cash, own.commission)
        terms = Terms(
            Slippage(own.slippage),
            check_cash=False,
            participation=own.participation,
            partial=own.partial,
            shrinks=True,
            seed=seed,
            reach=REACH * max(speed or 1.0, 1.0) + self.settings.latency,
        )
        self.core = Matching(self.account, terms)
        self.entries: dict[str, Entry] = {}
        self.by_client_id: dict[str, str] = {}
        self._live: dict[str, Entry] = {}
        self._sides: defaultdict[tuple[str, str], dict[str, Entry]] = defaultdict(dict)
        self.reserves: dict[str, float] = {}
        self.executions: list[Execution] = []
        self.conversions: list[Conversion] = []
        self.updates: list[Update] = []
        self.said = 0
        self.prices: dict[str, float] = {}
        self.now = tape.starts_at
        self.last_close: dict[str, float] = {}
        self.last_equity = own.cash
        self.equities: list[tuple[datetime, float]] = []
        self.configuration: dict[str, Any] = {
            "fractional_trading": True, "max_margin_multiplier": str(own.multiplier), "no_shorting": False,
            "suspend_trade": False, "trade_confirm_email": "all", "ptp_no_exception_entry": False,
            "max_options_trading_level": None,
        }  # fmt: skip
        if own.old_account:
            self.configuration |= {"dtbp_check": "entry", "pdt_check": "entry"}
        for symbol in tape.symbols:
            if (last := tape.last(symbol, tape.starts_at)) is not None:
                self.prices[symbol] = self.last_close[symbol] = last.close

    # What a client asks for

    def submit(self, body: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """Take an order and return the answer, which tells of it before the stream does; raise `Refusal`."""
        asked = self._checked(body, at)
        works = self._is_session(at) or asked.extended_hours or is_crypto(asked.symbol)
        status = "pending_new" if works else "accepted"
        expires = expiry(asked, at, self.tape.session(at)[1])
        entry = self._keep(entry_of(asked, expires, status, **self._fresh("asked", at)))
        legs = self._legs(entry, asked, at)
        answer = entry.shown(self.entries)
        self._take(entry, legs, at)
        return answer

    def cancel(self, order_id: str, at: datetime) -> None:
        """Cancel an order and what depends on it; raise `Refusal` where it is not there or has ended."""
        entry = self.find(order_id)
        if not entry.is_live:
            raise invalid(f'order is already in "{entry.status}" state')
        self._happened(self.core.cancel(order_id, at))

    def replace(self, order_id: str, body: Mapping[str, Any], at: datetime) -> Entry:
        """Put a new order in the place of one; raise `Refusal`."""
        old = self.find(order_id)
        if not old.is_live or old.notional is not None:
            raise invalid(f'order is not open: it is in "{old.status}" state')
        new = self._replaced(old, body, at)
        self._swap(old, new, at)
        if self._is_session(at) and old.status != "held":
            self._say("new", new, at)
        return new

    def close(
        self, symbol: str, at: datetime, qty: float | None = None, percentage: float | None = None
    ) -> dict[str, Any]:
        """Send the market order that closes a position, or a part of it; raise `Refusal`."""
        held = self.account.holding(symbol).size
        if not held:
            raise Refusal(404, NOT_FOUND, f"position does not exist: {symbol}")
        size = abs(held) * percentage / 100 if percentage is not None else abs(held) if qty is None else qty
        side, in_force = "sell" if held > 0 else "buy", "gtc" if is_crypto(symbol) else "day"
        order = {"symbol": symbol, "side": side, "type": "market", "time_in_force": in_force}
        return self.submit({**order, "qty": number(round(size, 9))}, at)

    def find(self, order_id: str) -> Entry:
        """Return an order by its id; raise `Refusal`."""
        if order_id not in self.entries:
            raise Refusal(404, NOT_FOUND, f"order not found for {order_id}")
        return self.entries[order_id]

    def configure(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change the account's configuration; raise `Refusal` for a key that it has not."""
        changes = {key: value for key, value in body.items() if value is not None}
        for key in changes:
            if key not in self.configuration:
                raise Refusal(400, BAD, f"unknown configuration: {key}")
        self.configuration.update(changes)
        return self.configuration

    # What the market does

    def play(self, instant: Instant) -> None:
        """Take in an instant: what has expired, what fills, and the end of the session."""
        self._expire(lambda expires: expires < instant.at)
        self.now = instant.at
        if self._is_session(instant.at) or self._ends_in_session(instant.at):
            self._route(instant.at)
        self._happened(self.core.play(instant.at, self._ranges(instant)))
        self.reserves.clear()
        self.prices.update({each.symbol: each.close for each in instant.ranges})
        if instant.closes:
            self._happened(self.core.end_session(instant.at, self._halted(instant.at)))
        self._expire(lambda expires: expires <= instant.at)
        if instant.bars:
            self.equities.append((instant.at, self.equity))
        if instant.closes:
            self.last_equity, self.last_close = self.equity, dict(self.prices)
        for split in instant.splits:
            self._split(split)

    def move_leg(self, at: datetime) -> str | None:
        """Let a held stop carry on under another id without a word, as has been seen; return the old id."""
        held = next((each for each in self.entries.values() if each.status == "held" and self.is_awake(each)), None)
        if held is None:
            return None
        new = replace(held, **self._fresh("moved", at), replaces=held.id, legs=[])
        new.client_order_id = identity("client", self.seed, new.place)
        count = len(self.updates)
        self._swap(held, new, at)
        del self.updates[count:]
        return held.id

    def reject(self, order_id: str, at: datetime) -> None:
        """Let the venue reject an order that it had taken; what hangs on it is cancelled."""
        entry = self.find(order_id)
        self.core.withdraw(order_id, at, State.REJECTED)
        entry.failed_at = at
        self._end("rejected", entry, at)
        for leg in entry.legs:
            if self.entries[leg].is_live:
                self.cancel(leg, at)

    def say_cancel_rejected(self, order_id: str, at: datetime) -> None:
        """Tell that a cancel was not carried out: the order stays as it is."""
        self._say("order_cancel_rejected", self.find(order_id), at)

    @property
    def equity(self) -> float:
        """Cash and positions at the last prices."""
        return self.account.equity(self.prices)

    @property
    def live_ids(self) -> Set[str]:
        """Their ids."""
        return self._live.keys()

    @property
    def live(self) -> Iterable[Entry]:
        """The orders in which something can still happen."""
        return list(self._live.values())

    def live_on(self, symbol: str, side: str) -> Iterable[Entry]:
        """The live orders of one side of a symbol."""
        return list(self._sides[symbol, side].values())

    def price(self, symbol: str) -> float:
        """Return the last price of a symbol."""
        return self.prices.get(symbol, self.account.holding(symbol).price)

    # Inside

    def _checked(self, body: Mapping[str, Any], at: datetime) -> Asked:
        asked = read(body)
        if asked.symbol not in self.tape.symbols or asked.symbol not in self.prices:
            raise invalid(f'asset "{asked.symbol}" not found')
        check_shape(asked)
        check_exits(asked, self.prices[asked.symbol])
        if not is_crypto(asked.symbol):
            check_auction_time(asked.time_in_force, at)
        if asked.client_order_id and asked.client_order_id in self.by_client_id:
            raise Refusal(422, BAD, "client_order_id must be unique")
        if self.configuration["suspend_trade"]:
            raise Refusal(403, FORBIDDEN, "trading is suspended for this account")
        check_account(self, asked)
        return asked

    def _fresh(self, what: str, at: datetime) -> dict[str, Any]:
        place = len(self.entries)
        return {"id": identity("order", what, self.seed, place), "place": place, "created_at": at, "updated_at": at}

    def _keep(self, entry: Entry) -> Entry:
        if not entry.client_order_id:
            entry.client_order_id = identity("client", self.seed, entry.place)
        self.entries[entry.id] = self._live[entry.id] = entry
        self._sides[entry.symbol, entry.side][entry.id] = entry
        self.by_client_id[entry.client_order_id] = entry.id
        return entry

    def _legs(self, entry: Entry, asked: Asked, at: datetime) -> list[Entry]:
        """Make the orders that hang on one."""
        legs = [self._keep(replace(entry, **self._fresh("leg", at), **shape)) for shape in list(exits_of(entry, asked))]
        entry.legs = [each.id for each in legs]
        return legs

    def _order(self, entry: Entry, at: datetime, **links: str | None) -> Order:
        closes = self.tape.session(at)[1]
        return order_of(entry, self.prices[entry.symbol], at + self.settings.latency, closes, **links)

    def _take(self, entry: Entry, legs: list[Entry], at: datetime) -> None:
        """Hand the orders to the core. The stop goes before the take-profit, as in Backtrader's own brackets."""
        if entry.order_class == "oco":
            stop = self._order(legs[0], at)
            self.core.submit([stop], at)
            self.core.submit([self._order(entry, at, oco=stop.id)], at)
        else:
            children = [self._order(each, at, parent=entry.id) for each in reversed(legs)]
            self.core.submit([self._order(entry, at), *children], at)
        if entry.status == "pending_new":
            self._say("new", entry, at, "new")
        else:
            self._say("accepted", entry, at)

    def _replaced(self, old: Entry, body: Mapping[str, Any], at: datetime) -> Entry:
        new = changed(old, body, **self._fresh("replaced", at))
        if new.client_order_id in self.by_client_id:
            raise Refusal(422, BAD, "client_order_id must be unique")
        if new.parent is None and new.order_class == "simple":
            self._check_instead(old, new)
        return new

    def _check_instead(self, old: Entry, new: Entry) -> None:
        """Check a new order against the account as it would be without the one that it replaces."""
        side = self._sides[old.symbol, old.side]
        others = {key: each for key, each in side.items() if key != old.id}
        live, self._live = self._live, {key: each for key, each in self._live.items() if key != old.id}
        self._sides[old.symbol, old.side] = others
        self.reserves.clear()
        try:
            check_account(self, asked_of(new))
        finally:
            self._live, self._sides[old.symbol, old.side] = live, side
            self.reserves.clear()

    def _swap(self, old: Entry, new: Entry, at: datetime) -> None:
        """Let `new` carry on from `old`: in the book, in its group, in the fills it has."""
        self._keep(new)
        old.replaced_by, old.replaced_at = new.id, at
        resting = self.core.orders[old.id]
        order = self._order(new, at, parent=resting.parent, oco=resting.oco)
        new.status = old.status if old.status != "pending_new" else "new"
        self._happened(self.core.replace(old.id, order, at))
        for each in self.entries.values():
            each.legs = [new.id if leg == old.id else leg for leg in each.legs]
            if each.parent == old.id:
                each.parent = new.id

    def _ranges(self, instant: Instant) -> dict[str, Range]:
        regular = self._ends_in_session(instant.at)
        if self.settings.match_quotes:
            return {
                quote.symbol: Range.of_quote(quote, is_regular=regular, is_opening=quote.symbol in instant.opens)
                for quote in instant.quotes
            }
        spread = self.settings.spread
        straight = self.tape.detail is Detail.PATH
        return {
            bar.symbol: Range.of(
                bar,
                spread=spread,
                is_regular=regular,
                is_opening=bar.symbol in instant.opens,
                is_straight=straight,
            )
            for bar in instant.ranges
        }

    def _halted(self, at: datetime) -> Set[str]:
        return {symbol for symbol in self.tape.symbols if self.tape.is_halted(symbol, at)}

    def _split(self, split: Split) -> None:
        """Split a symbol's shares: what is held, and what it is worth. Its orders are canceled: their prices are gone.

        What a real account does with them is not documented; whoever wants them again has to say so.
        """
        for entry in self.live:
            if entry.symbol == split.symbol and entry.is_live:
                self._happened(self.core.cancel(entry.id, split.at))
        for prices in (self.prices, self.last_close):
            if split.symbol in prices:
                prices[split.symbol] /= split.ratio
        held = self.account.holding(split.symbol)
        if not held.size:
            return
        before, exact = held.size, round(held.size * split.ratio, 9)
        held.size, held.price = exact, held.price / split.ratio
        if self.settings.whole_splits:
            held.size = float(int(exact))
            self.account.cash += (exact - held.size) * self.price(split.symbol)
        day = self.tape.session(split.at)[0].astimezone(NEW_YORK).date()
        name = identity("split", self.seed, len(self.conversions))
        done = Conversion(name, split.at, day, split.symbol, before, held.size, held.price)
        self.conversions.append(done)

    def _route(self, at: datetime) -> None:
        """Tell of the orders that waited for the session: they are new now."""
        for entry in self.live:
            if entry.status == "accepted" and entry.created_at < at:
                entry.status = "new"
                self._say("new", entry, at)

    def _expire(self, is_over: Callable[[datetime], bool]) -> None:
        for entry in self.live:
            if entry.expires_at is not None and is_over(entry.expires_at):
                at = max(entry.expires_at, entry.created_at)
                self._happened(self.core.withdraw(entry.id, at))

    def _happened(self, events: list[Event]) -> None:
        for event in events:
            entry = self.entries[event.order]
            match event.kind:
                case Happened.FILLED:
                    self._filled(entry, event)
                case Happened.CANCELED:
                    entry.canceled_at = event.at
                    self._end("canceled", entry, event.at)
                case Happened.EXPIRED:
                    entry.expired_at = event.at
                    self._end("expired", entry, event.at)
                case Happened.REPLACED:
                    self._end("replaced", entry, event.at)
                case _:
                    pass

    def _filled(self, entry: Entry, event: Event) -> None:
        order = self.core.orders[entry.id]
        entry.filled_qty, entry.paid = order.filled, entry.paid + event.quantity * event.price
        if entry.notional is not None:
            entry.qty = order.quantity
        is_last = order.state is State.FILLED
        entry.status = "filled" if is_last else "partially_filled"
        entry.filled_at = event.at
        number_ = len(self.executions)
        done = Execution(
            identity("execution", self.seed, number_),
            event.at,
            entry.id,
            event.quantity,
            event.price,
            order.filled,
            is_last,
        )
        self.executions.append(done)
        more = {
            "execution_id": done.id,
            "price": number(event.price),
            "qty": number(event.quantity),
            "position_qty": number(self.account.holding(entry.symbol).size),
        }
        self.reserves.clear()
        self._say("fill" if is_last else "partial_fill", entry, event.at, more=more)
        if not is_last:
            self._shrunk(entry)
        elif entry.parent is None and entry.order_class in ("bracket", "oto"):
            self._wake(entry, event.at)

    def _wake(self, entry: Entry, at: datetime) -> None:
        """Tell of the exits of an entry that has filled: a stop beside a take-profit stays held."""
        legs = [self.entries[each] for each in entry.legs]
        for leg in legs:
            if leg.type == "limit" or len(legs) == 1:
                self._say("new", leg, at, "new")
            else:
                self._say("held", leg, at)

    def _shrunk(self, entry: Entry) -> None:
        """Take over what a partial fill left of the other exit."""
        for order in self.core.resting:
            other = self.entries[order.id]
            if other.qty is not None and other.qty != order.quantity:
                other.qty = order.quantity

    def _end(self, status: str, entry: Entry, at: datetime) -> None:
        sibling = entry.status == "held" and self.is_awake(entry)
        entry.status = status
        self._say(status, entry, at, is_silent_sibling=sibling)

    def _say(
        self,
        event: str,
        entry: Entry,
        at: datetime,
        status: str | None = None,
        *,
        more: Mapping[str, Any] | None = None,
        is_silent_sibling: bool = False,
    ) -> None:
        entry.status = status or entry.status
        entry.updated_at = at
        self._trail(entry)
        self.reserves.pop(entry.id, None)
        if not entry.is_live:
            self._live.pop(entry.id, None)
            self._sides[entry.symbol, entry.side].pop(entry.id, None)
        self.said += 1
        self.updates.append(Update(self.said, event, entry.shown(self.entries), at, more or {}, is_silent_sibling))

    def _trail(self, entry: Entry) -> None:
        if entry.type == "trailing_stop" and entry.id in self.core.orders:
            order = self.core.orders[entry.id]
            entry.hwm, entry.stop_price = order.best, round(order.price, 4)

    def is_awake(self, entry: Entry) -> bool:
        """Return whether an exit's entry has filled (an OCO's always has)."""
        parent = self.entries.get(entry.parent or "")
        return parent is not None and (parent.status == "filled" or parent.order_class == "oco")

    def _is_session(self, at: datetime) -> bool:
        opens, closes = self.tape.session(at)
        return opens <= at < closes

    def _ends_in_session(self, at: datetime) -> bool:
        """Return whether what ends then lies in the regular session."""
        opens, closes = self.tape.session(at - timedelta(microseconds=1))
        return opens < at <= closes
