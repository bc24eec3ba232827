"""Alpaca's trading side as a pure state machine: orders in, answers and updates out.

It stands on the matching core. Time is an argument, ids come from a seed, so the same commands and
instants make the same book to the last id: that is how a restart finds it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Any

from brokers.alpaca.entries import Entry, identity, number, stamp
from brokers.alpaca.protocol import MINIMUM_COST, is_crypto
from brokers.alpaca.refusals import (
    BAD,
    FORBIDDEN,
    GTC_LASTS,
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
from brokers.sim.account import Account
from brokers.sim.matching import Matching, Terms
from brokers.sim.orders import Event, Happened, Order, Range, State
from brokers.sim.prices import Slippage
from framework.model import OrderType, Side
from framework.sandbox.tape import Instant, Tape

COLLAR = 0.03
"""How much above the market a market order is taken to cost, when buying power is checked."""

TYPES = {
    "market": OrderType.MARKET, "limit": OrderType.LIMIT, "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP_LIMIT, "trailing_stop": OrderType.TRAILING_STOP,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """How the venue fills, and what the account may do.

    `spread` and `slippage` are fractions of the price, `commission` of a fill's value. `partial` is the
    chance that a fill takes half of an order (Alpaca's paper account: about 0.1). `latency` is how long
    an order is on its way, in venue time. `match_quotes` fills at the quotes instead of the bars.
    `hard_to_borrow` are symbols that cannot be sold short, `whole_only` those without fractions.
    `old_account` shows the account as it was before July 2026, with the pattern-day-trader fields.
    """

    cash: float = 100_000.0
    multiplier: int = 2
    spread: float = 0.0
    slippage: float = 0.0
    commission: float = 0.0
    partial: float = 0.0
    participation: float | None = None
    latency: timedelta = timedelta()
    match_quotes: bool = False
    hard_to_borrow: frozenset[str] = frozenset()
    whole_only: frozenset[str] = frozenset()
    old_account: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """One message of the trade_updates stream: what happened, and the order as it was then."""

    number: int
    event: str
    order: Mapping[str, Any]
    at: datetime
    more: Mapping[str, Any] = field(default_factory=dict)
    is_silent_sibling: bool = False

    def shown(self) -> dict[str, Any]:
        """Return the message's data."""
        at = stamp(self.at)
        tail = {"timestamp": at, "at": at, "event_id": f"{int(self.at.timestamp() * 1000):013d}{self.number:013d}"}
        return {"event": self.event, **self.more, **tail, "order": self.order}


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill, as the activities tell it."""

    id: str
    at: datetime
    entry: str
    quantity: float
    price: float
    total: float
    is_last: bool


class Book:
    """Alpaca's orders, positions and cash over a tape. `updates` are those that nobody has read yet."""

    def __init__(self, tape: Tape, settings: Settings | None = None, seed: int = 0) -> None:
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
        )
        self.core = Matching(self.account, terms)
        self.entries: dict[str, Entry] = {}
        self.by_client_id: dict[str, str] = {}
        self._live: dict[str, Entry] = {}
        self.executions: list[Execution] = []
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
        entry = self._entry(asked, at)
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
        self.prices.update({each.symbol: each.close for each in instant.ranges})
        if instant.closes:
            self._happened(self.core.end_session(instant.at))
        self._expire(lambda expires: expires <= instant.at)
        if instant.bars:
            self.equities.append((instant.at, self.equity))
        if instant.closes:
            self.last_equity, self.last_close = self.equity, dict(self.prices)

    def move_leg(self, at: datetime) -> str | None:
        """Let a held stop carry on under another id without a word, as has been seen; return the old id."""
        held = next((each for each in self.entries.values() if each.status == "held" and self._is_awake(each)), None)
        if held is None:
            return None
        new = replace(held, **self._fresh("moved", at), replaces=held.id, legs=[])
        new.client_order_id = identity("client", self.seed, new.place)
        count = len(self.updates)
        self._swap(held, new, at)
        del self.updates[count:]
        return held.id

    def reject(self, order_id: str, at: datetime) -> None:
        """Let the venue reject an order that it had taken."""
        entry = self.find(order_id)
        self.core.withdraw(order_id, at, State.REJECTED)
        entry.failed_at = at
        self._end("rejected", entry, at)

    def say_cancel_rejected(self, order_id: str, at: datetime) -> None:
        """Tell that a cancel was not carried out: the order stays as it is."""
        self._say("order_cancel_rejected", self.find(order_id), at)

    @property
    def equity(self) -> float:
        """Cash and positions at the last prices."""
        return self.account.equity(self.prices)

    @property
    def live(self) -> Iterable[Entry]:
        """The orders in which something can still happen."""
        return list(self._live.values())

    def held_for_orders(self, symbol: str, side: str) -> list[Entry]:
        """Return the live orders that would close a position of a symbol; of a group, the one order it comes to."""
        own = [each for each in self.live if each.symbol == symbol and each.side == side]
        return [each for each in own if each.parent is None or self._is_first_exit(each)]

    def buying_power(self) -> float:
        """Return what may be opened: the account's multiple of its equity, less positions and open orders."""
        gross = sum(abs(each.size) * self.price(symbol) for symbol, each in self.account.holdings.items())
        power = self.equity * self.settings.multiplier - gross if self.settings.multiplier > 1 else self.account.cash
        return max(0.0, power - sum(map(self._reserved, self.live)))

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
        self._check_account(asked)
        return asked

    def _check_account(self, asked: Asked) -> None:
        held = self.account.holding(asked.symbol).size
        sign = 1 if asked.side == "buy" else -1
        price = self.prices[asked.symbol]
        quantity = asked.qty if asked.qty is not None else (asked.notional or 0.0) / price
        if quantity % 1 and asked.symbol in self.settings.whole_only:
            raise invalid(f'asset "{asked.symbol}" is not fractionable')
        if held * sign < 0:
            self._check_closing(asked, quantity, abs(held))
        else:
            self._check_opening(asked, quantity, price)
        self._check_wash(asked)

    def _check_closing(self, asked: Asked, quantity: float, held: float) -> None:
        related = self.held_for_orders(asked.symbol, asked.side)
        reserved = sum(each.left for each in related)
        available = max(0.0, held - reserved)
        if quantity > available + 1e-9:
            raise Refusal(
                403,
                FORBIDDEN,
                f"insufficient qty available for order (requested: {number(quantity)}, available: {number(available)})",
                available=number(available),
                existing_qty=number(held),
                held_for_orders=number(reserved),
                related_orders=[each.id for each in related],
                symbol=asked.symbol,
            )

    def _check_opening(self, asked: Asked, quantity: float, price: float) -> None:
        if asked.order_class == "oco":
            raise Refusal(403, FORBIDDEN, "oco orders must be exit orders", symbol=asked.symbol)
        if asked.side == "sell":
            self._check_short(asked, quantity)
        cost = quantity * self._valued(asked.type, asked.limit_price, asked.stop_price, price)
        if asked.notional is not None:
            cost = asked.notional
        if cost < MINIMUM_COST:
            raise Refusal(403, FORBIDDEN, f"cost basis must be >= minimal amount of order {MINIMUM_COST:g}")
        power = self.buying_power()
        if cost > power + 1e-6:
            raise Refusal(
                403,
                FORBIDDEN,
                "insufficient buying power",
                available=number(power),
                buying_power=number(power),
                cost_basis=number(cost),
                symbol=asked.symbol,
            )

    def _check_short(self, asked: Asked, quantity: float) -> None:
        if is_crypto(asked.symbol):
            coin = asked.symbol.partition("/")[0]
            asked_for = f"(requested: {number(quantity)}, available: 0)"
            raise Refusal(403, FORBIDDEN, f"insufficient balance for {coin} {asked_for}", symbol=asked.symbol)
        if asked.notional is not None or quantity % 1:
            raise invalid("fractional orders cannot be sold short")
        barred = self.configuration["no_shorting"] or self.settings.multiplier < 2
        if barred or asked.symbol in self.settings.hard_to_borrow:
            why = "account is not allowed to short" if barred else f'asset "{asked.symbol}" cannot be sold short'
            raise invalid(why)

    def _check_wash(self, asked: Asked) -> None:
        """Refuse what could trade with a resting order of one's own: the exits of a group are exempt."""
        if asked.order_class != "simple":
            return
        for other in self.live:
            if other.symbol == asked.symbol and other.side != asked.side and other.order_class == "simple":
                reason = _wash_reason(asked, other)
                if reason:
                    raise Refusal(
                        403,
                        FORBIDDEN,
                        "potential wash trade detected. use complex orders",
                        existing_order_id=other.id,
                        reject_reason=reason,
                    )

    def _fresh(self, what: str, at: datetime) -> dict[str, Any]:
        place = len(self.entries)
        return {"id": identity("order", what, self.seed, place), "place": place, "created_at": at, "updated_at": at}

    def _entry(self, asked: Asked, at: datetime) -> Entry:
        entry = Entry(
            **self._fresh("asked", at),
            client_order_id=asked.client_order_id,
            symbol=asked.symbol,
            side=asked.side,
            type=asked.type,
            time_in_force=asked.time_in_force,
            order_class=asked.order_class,
            qty=asked.qty,
            notional=asked.notional,
            limit_price=asked.limit_price,
            stop_price=asked.stop_price,
            trail_price=asked.trail_price,
            trail_percent=asked.trail_percent,
            extended_hours=asked.extended_hours,
            position_intent=asked.position_intent,
            status="pending_new" if self._is_session(at) or asked.extended_hours else "accepted",
            expires_at=self._expiry(asked, at),
        )
        return self._keep(entry)

    def _keep(self, entry: Entry) -> Entry:
        if not entry.client_order_id:
            entry.client_order_id = identity("client", self.seed, entry.place)
        self.entries[entry.id] = self._live[entry.id] = entry
        self.by_client_id[entry.client_order_id] = entry.id
        return entry

    def _legs(self, entry: Entry, asked: Asked, at: datetime) -> list[Entry]:
        """Make the orders that hang on one: take-profit, then stop-loss. An OCO's parent is its take-profit."""
        legs: list[dict[str, Any]] = []
        side = entry.side if entry.order_class == "oco" else "sell" if entry.side == "buy" else "buy"
        if asked.take_profit is not None and entry.order_class != "oco":
            legs.append({"type": "limit", "limit_price": asked.take_profit, "stop_price": None})
        if asked.stop_loss is not None:
            kind = "stop" if asked.stop_loss_limit is None else "stop_limit"
            legs.append({"type": kind, "limit_price": asked.stop_loss_limit, "stop_price": asked.stop_loss})
        made: list[Entry] = []
        for leg in legs:
            shape: dict[str, Any] = {
                "side": side,
                "status": "held",
                "client_order_id": "",
                "parent": entry.id,
                "legs": [],
            }
            made.append(self._keep(replace(entry, **self._fresh("leg", at), **shape, **leg)))
            entry.legs.append(made[-1].id)
        return made

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

    def _order(self, entry: Entry, at: datetime, parent: str | None = None, oco: str | None = None) -> Order:
        reference = self.prices[entry.symbol]
        at_close = entry.time_in_force == "cls"
        return Order(
            entry.id,
            entry.symbol,
            Side(entry.side),
            OrderType.MARKET_ON_CLOSE if at_close else TYPES[entry.type],
            entry.qty if entry.qty is not None else round((entry.notional or 0.0) / reference, 9),
            entry.stop_price or (entry.limit_price if not at_close else None) or reference,
            at + self.settings.latency,
            limit=entry.limit_price if at_close or entry.type == "stop_limit" else None,
            trail_amount=entry.trail_price,
            trail_percent=None if entry.trail_percent is None else entry.trail_percent / 100,
            closes_at=self._session_close(at) if at_close else None,
            parent=parent,
            oco=oco,
            is_immediate=entry.time_in_force in ("ioc", "fok"),
            is_whole=entry.time_in_force == "fok",
            is_opening=entry.time_in_force == "opg",
            in_extended_hours=entry.extended_hours or is_crypto(entry.symbol),
            notional=entry.notional,
        )

    def _replaced(self, old: Entry, body: Mapping[str, Any], at: datetime) -> Entry:
        known = {"qty", "time_in_force", "limit_price", "stop_price", "trail", "client_order_id"}
        changes = {key: value for key, value in body.items() if key in known and value is not None}
        client_id = str(changes.pop("client_order_id", ""))
        if client_id in self.by_client_id:
            raise Refusal(422, BAD, "client_order_id must be unique")
        in_force = str(changes.pop("time_in_force", old.time_in_force))
        if "trail" in changes:
            changes["trail_percent" if old.trail_percent is not None else "trail_price"] = changes.pop("trail")
        numbers: dict[str, Any] = {key: float(value) for key, value in changes.items()}
        new = replace(old, **self._fresh("replaced", at), **numbers, replaces=old.id, time_in_force=in_force)
        exits: dict[str, Any] = {"take_profit": None, "stop_loss": None, "stop_loss_limit": None}
        asked = Asked(**{key: getattr(new, key) for key in Asked.__slots__ if key not in exits}, **exits)
        check_shape(replace(asked, order_class="simple", client_order_id=client_id))
        if (new.qty or 0.0) <= old.filled_qty:
            raise invalid(f"qty must be > filled_qty {number(old.filled_qty)}")
        new.client_order_id = client_id
        return new

    def _swap(self, old: Entry, new: Entry, at: datetime) -> None:
        """Let `new` carry on from `old`: in the book, in its group, in the fills it has."""
        self._keep(new)
        old.replaced_by, old.replaced_at = new.id, at
        resting = self.core.orders[old.id]
        order = self._order(new, at, resting.parent, resting.oco)
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
        return {
            bar.symbol: Range.of(bar, spread=spread, is_regular=regular, is_opening=bar.symbol in instant.opens)
            for bar in instant.ranges
        }

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
        sibling = entry.status == "held" and self._is_awake(entry)
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
        if not entry.is_live:
            self._live.pop(entry.id, None)
        self.said += 1
        self.updates.append(Update(self.said, event, entry.shown(self.entries), at, more or {}, is_silent_sibling))

    def _trail(self, entry: Entry) -> None:
        if entry.type == "trailing_stop" and entry.id in self.core.orders:
            order = self.core.orders[entry.id]
            entry.hwm, entry.stop_price = order.best, round(order.price, 4)

    def _is_awake(self, entry: Entry) -> bool:
        """Return whether an exit's entry has filled (an OCO's always has)."""
        parent = self.entries.get(entry.parent or "")
        return parent is not None and (parent.status == "filled" or parent.order_class == "oco")

    def _is_first_exit(self, entry: Entry) -> bool:
        """Return whether a leg reserves the position: one leg does for its group, once its entry has filled."""
        if not self._is_awake(entry):
            return False
        parent = self.entries[entry.parent or ""]
        if parent.order_class == "oco":
            return not parent.is_live
        live = [each for each in parent.legs if self.entries[each].is_live]
        return bool(live) and live[0] == entry.id

    def _reserved(self, entry: Entry) -> float:
        """Return what an open order holds of the buying power: what it would open."""
        held = self.account.holding(entry.symbol).size
        sign = 1 if entry.side == "buy" else -1
        if entry.parent is not None or held * sign < 0:
            return 0.0
        if entry.notional is not None:
            return entry.notional
        return entry.left * self._valued(entry.type, entry.limit_price, entry.stop_price, self.price(entry.symbol))

    def _valued(self, kind: str, limit: float | None, stop: float | None, last: float) -> float:
        if kind in ("limit", "stop_limit") and limit is not None:
            return limit
        return (stop or last) * (1 + COLLAR if self.settings.multiplier > 1 else 1)

    def _expiry(self, asked: Asked, at: datetime) -> datetime | None:
        if is_crypto(asked.symbol) or asked.time_in_force in ("ioc", "fok", "opg"):
            return None
        if asked.time_in_force == "gtc":
            return at + GTC_LASTS
        close = self._session_close(at)
        if not asked.extended_hours:
            return close
        evening = datetime.combine(at.astimezone(NEW_YORK).date(), time(20), NEW_YORK)
        return evening if evening > at else close.astimezone(NEW_YORK).replace(hour=20, minute=0)

    def _session_close(self, at: datetime) -> datetime:
        return self.tape.session(at)[1]

    def _is_session(self, at: datetime) -> bool:
        opens, closes = self.tape.session(at)
        return opens <= at < closes

    def _ends_in_session(self, at: datetime) -> bool:
        """Return whether what ends then lies in the regular session."""
        opens, closes = self.tape.session(at - timedelta(microseconds=1))
        return opens < at <= closes


def _wash_reason(asked: Asked, other: Entry) -> str:
    if asked.type == "limit" and other.type == "limit":
        buy, sell = (asked.limit_price, other.limit_price)[:: 1 if asked.side == "buy" else -1]
        if (buy or 0.0) < (sell or 0.0):
            return ""
        return "opposite side limit order exists"
    kind = "market" if other.type == "market" else "stop" if "stop" in other.type else "limit"
    return f"opposite side {kind} order exists"
