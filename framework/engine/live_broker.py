"""Backtrader's broker for a live session: orders leave as groups, and what the venue says comes back as news.

Cash, value and positions are the session's own ledger, in Backtrader's arithmetic. The engine's thread owns
it. An order is made as in a backtest, leaves when the callback that made it is over (`depart`), and
takes its statuses from the venue's updates, each once and in Backtrader's order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any

import backtrader as bt

from framework.engine.booking import book
from framework.engine.live_data import last_time, number
from framework.engine.restraint import Restraint
from framework.engine.ruled import WARMING_UP, RuledBroker, round_price
from framework.engine.splitting import Changes
from framework.engine.tickets import Ticket, grouped, kind
from framework.engine.translate import order_request, symbol_of
from framework.engine.worth import worth
from framework.errors import ConfigError, Unsupported
from framework.live.commands import Cancel, Replace, Submit
from framework.live.identity import ClientOrderId, NamedOrderId
from framework.live.journal import Record
from framework.live.lanes import exits_first
from framework.live.limits import NO_LIMITS, Limits
from framework.live.records import CANCEL, INTENT, REFUSED, REPLACE, UPDATE, Records
from framework.live.versions import Versions
from framework.model import OrderGroup, OrderStatus, OrderUpdate

Send = Callable[..., None]
"""Has commands (`framework.live.commands.Command`) carried out."""

_ENDS = {
    OrderStatus.FILLED: bt.Order.Completed,
    OrderStatus.CANCELED: bt.Order.Canceled,
    OrderStatus.EXPIRED: bt.Order.Expired,
    OrderStatus.REJECTED: bt.Order.Rejected,
    OrderStatus.REPLACED: bt.Order.Canceled,
}

_TRAILING = (bt.Order.StopTrail, bt.Order.StopTrailLimit)

_QUIET = (OrderStatus.PENDING_NEW,)
"""What a venue may say of an order that Backtrader has no word for."""


class LiveBroker(RuledBroker):
    """A `RuledBroker` whose orders go to a venue. `rules` are the venue's."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.age: Callable[[Any], float] = lambda data: 0.0
        """By how many seconds the prices are too old to open a position on; 0 where they are those of now."""
        self.halted: dict[str, str] = {}
        """The symbols that are halted, each with the reason."""
        self.splits: set[str] = set()
        """The names of the splits that the ledger has been through."""
        self.keeps_turns = False
        """Whether orders leave in the order in which they were made, exits too: in lock-step, as in a backtest."""
        self.changes = Changes()
        self.restraint = Restraint(self)
        self._orders: dict[str, Any] = {}
        self._ids: dict[int, str] = {}
        self._changes: dict[int, int] = {}
        self.say: Callable[[str], None] = lambda text: None
        """Tells the user and the strategy something."""
        self._unsaid: list[str] = []
        self._is_saying = False
        self._leaving: list[Any] = []
        self._together: dict[int, frozenset[int]] = {}
        self._is_valued, self._has_begun = True, False

    def connect(
        self,
        session: str,
        run: int,
        send: Send,
        records: Records,
        limits: Limits = NO_LIMITS,
        zone: tzinfo = UTC,
    ) -> None:
        """Say where orders go, what their ids are made of, and what they keep to; `zone` is the trading day's."""
        self._session, self._run, self._send, self._records = session, run, send, records
        self.restraint = Restraint(self, limits, zone)

    @property
    def run(self) -> int:
        """The how-manieth run of its session this is."""
        return self._run

    # -- what a strategy asks for

    def submit(self, order: Any, check: bool = True) -> Any:
        if order.parent is not None and order.parent.ref not in self._pchildren:
            self._refuse(order, _late_child(order.parent))
            return order
        return super().submit(order, check)

    def submit_accept(self, order: Any) -> None:
        """Let an order leave: it could be paid for. It is accepted when the venue says so."""
        order.pannotated = None
        self._leaving.append(order)

    def cancel(self, order: Any, bracket: bool = False) -> bool:
        """Ask for an order's end; the strategy hears of it when the venue says so."""
        if not bracket and self._is_withdrawn(order):
            return True
        client_order_id = self._ids.get(order.ref, "")
        if client_order_id not in self._orders:
            return False
        self._records.append(CANCEL, client_order_id, {})
        self.restraint.note_ending(order)
        self._send(Cancel(client_order_id))
        return True

    def _is_withdrawn(self, order: Any) -> bool:
        """Take back an order that has not left yet, also one that is paid for already."""
        if super()._is_withdrawn(order):
            return True
        parent = getattr(order.parent, "ref", order.ref)
        family = [each for each in self._leaving if getattr(each.parent, "ref", each.ref) == parent]
        if all(each.ref != order.ref for each in family):
            return False
        self._pchildren.pop(parent, None)
        for each in family:
            self._leaving.remove(each)
            each.cancel()
            self.notify(each)
        return True

    def replace(
        self, order: Any, *, size: float | None = None, price: float | None = None, plimit: float | None = None
    ) -> None:
        """Change an open order at the venue: its size, price or limit; it stays the same order for the strategy.

        Where a limit of the session is in the way it stays as it is, and a remark says why.
        """
        client_order_id = self._ids.get(order.ref, "")
        mine = self._orders.get(client_order_id)
        if mine is None:
            raise ConfigError(f"order {order.ref} is not open; it cannot be replaced")
        request = self._changed(mine, size, price, plimit)
        if why := self.restraint.change_refusal(mine, request, is_resized=size is not None):
            self._unsaid.append(f"order {client_order_id} stays as it is: {why}")
            return
        self.restraint.note_change(mine, request)
        self._records.commit([(REPLACE, client_order_id, {"request": request})])
        self._send(Replace(client_order_id, request))

    def unfinished(self) -> list[Any]:
        """Return the orders that are not over, those that have not left yet among them."""
        return [order for order in (*self.submitted, *self._leaving, *self._orders.values()) if order.alive()]

    def unanswered(self) -> frozenset[str]:
        """Return the names of orders that the venue has not answered to."""
        young = (order for order in self.unfinished() if order.status in (order.Created, order.Submitted))
        return frozenset(name for order in young if (name := order.info.get("name")))

    def get_orders_open(self, safe: bool = False) -> list[Any]:
        return [each.clone() if safe else each for each in self._orders.values()]

    def set_coc(self, coc: bool) -> None:
        if coc:
            raise Unsupported("cheat-on-close fills on a bar that is over; no venue does that live")

    def set_coo(self, coo: bool) -> None:
        if coo:
            raise Unsupported("cheat-on-open knows a bar before it trades; no venue does that live")

    # -- what leaves

    def depart(self) -> None:
        """Send what was asked for in this callback: journalled first, all of it in one write."""
        if self.submitted or self._leaving:  # `next` may have let them through already
            self._depart()
        if self._unsaid and not self._is_saying:
            self._say()

    def _depart(self) -> None:
        self.check_submitted()
        leaving, self._leaving = self._leaving, []
        groups = [self._made(orders) for orders in grouped(leaving, self._ocos)]
        if groups:
            groups = groups if self.keeps_turns else exits_first(groups)
            self._records.commit([self._intent(group, orders) for group, orders in groups])
            self._send(*(Submit(group) for group, _ in groups))
            self._records.tell()

    def _say(self) -> None:
        """Tell what came up in this callback; what its telling brings up is told after the next one."""
        unsaid, self._unsaid = self._unsaid, []
        self._is_saying = True
        try:
            for text in unsaid:
                self.say(text)
        finally:
            self._is_saying = False

    def _made(self, orders: Sequence[Any]) -> tuple[OrderGroup, Sequence[Any]]:
        requests = []
        for order in orders:
            client_order_id = self._order_id(order)
            self._orders[client_order_id], self._ids[order.ref] = order, client_order_id
            self._pchildren.pop(order.ref, None)
            requests.append(order_request(order, symbol_of(order.data), client_order_id))
        refs = frozenset(order.ref for order in orders)
        self._together.update(dict.fromkeys(refs, refs))
        self.restraint.note_sent(kind(orders), orders)
        return OrderGroup(tuple(requests), kind(orders), self.getposition(orders[0].data).size), orders

    def _order_id(self, order: Any) -> str:
        """Return an order's client order id: of the name that the strategy gave it, or of its number."""
        if name := order.info.get("name"):
            return str(NamedOrderId(self._session, name))
        return str(ClientOrderId(self._session, self._run, order.ref))

    def _intent(self, group: OrderGroup, orders: Sequence[Any]) -> Record:
        tickets = [Ticket.of(order, self._ids).body() for order in orders]
        return INTENT, group.orders[0].client_order_id, {"group": group, "tickets": tickets}

    def _changed(self, order: Any, size: float | None, price: float | None, plimit: float | None) -> Any:
        rules, symbol, buys = self.p.rules, symbol_of(order.data), order.isbuy()
        self._changes[order.ref] = change = self._changes.get(order.ref, 0) + 1
        name = str(ClientOrderId(self._session, self._run, order.ref, change))
        asked = self.restraint.last(order)  # a change of the price is none of the size that was changed before it
        request = order_request(order, symbol, name) if asked is None else replace(asked, client_order_id=name)
        if size is not None:
            request = replace(request, quantity=abs(size))
        limit = price if plimit is None and request.stop_price is None else plimit
        if limit is not None:
            request = replace(request, limit_price=round_price(limit, rules.tick(symbol, limit), down=buys))
        if price is not None and request.stop_price is not None:
            request = replace(request, stop_price=round_price(price, rules.tick(symbol, price), down=not buys))
        return request

    # -- what the venue says

    def take(self, update: OrderUpdate) -> None:
        """Take news of an order; what the strategy is to hear of it waits in `notifs`."""
        order = self._orders.get(update.client_order_id)
        if order is None:
            return
        self._records.append(UPDATE, update.client_order_id, {"update": update})
        self._tell(order, update)
        if update.fill is not None:
            self._watch()

    def _tell(self, order: Any, update: OrderUpdate) -> None:
        status = update.status
        if self.restraint.note_update(order, update):
            self.say(f"order {update.client_order_id} was changed at the venue, and goes on there as it is now")
        if status in _QUIET and update.fill is None:
            return
        if status is not OrderStatus.REJECTED and order.status in (order.Created, order.Submitted):
            self._accepted(order)
        if update.fill is not None:
            self._filled(order, update)
        if status.is_final and order.alive():
            self._ended(order, update)
        if not order.alive():
            self._gone(order, update.client_order_id)

    def _accepted(self, order: Any) -> None:
        """Tell that an order is accepted, and before it those of its bracket that were made before it.

        A venue takes a bracket in one piece, and may speak of its exits first.
        """
        together = self._together.get(order.ref, frozenset()) if order.parent is not None else frozenset()
        others = self._orders.values() if together else ()
        elder = [each for each in others if each.ref in together and each.ref < order.ref]
        for each in (*elder, order):
            if each.status in (each.Created, each.Submitted):
                each.accept(self)
                self.notify(each)

    def _filled(self, order: Any, update: OrderUpdate) -> None:
        fill = update.fill
        assert fill is not None
        whole = isinstance(order.created.size, int) and fill.quantity == int(fill.quantity)
        quantity = int(fill.quantity) if whole else fill.quantity
        book(self, order, quantity, fill.price, number(fill.at), commission=fill.commission)
        self.changes.traded(order.data, number(fill.at), quantity if order.isbuy() else -quantity)
        self._is_valued = False
        if update.status is OrderStatus.FILLED:
            order.executed.remsize = 0
            order.completed()
        elif order.status == order.Completed and not update.status.is_final:
            order.partial()  # by hand at the venue, it was made larger
        self.notify(order)

    def _ended(self, order: Any, update: OrderUpdate) -> None:
        if update.reason:
            order.addinfo(reason=update.reason)
        if update.status is OrderStatus.FILLED:
            order.executed.remsize = 0
        margin = update.status is OrderStatus.REJECTED and update.is_margin
        self._finish(order, order.Margin if margin else _ENDS[update.status], _dated(order, update))

    def _finish(self, order: Any, status: int, time: float | None = None) -> None:
        order.status = status
        order.executed.dt = max(last_time(order.data), order.created.dt) if time is None else time
        self.notify(order)

    def _gone(self, order: Any, client_order_id: str) -> None:
        """Forget an order that is over; the others of an OCO that was sent piece by piece end with it."""
        del self._orders[client_order_id]
        self.restraint.note_gone(order)
        self._ids.pop(order.ref, None)
        self._changes.pop(order.ref, None)
        leader, together = self._ocos.get(order.ref), self._together.pop(order.ref, frozenset())
        for each in [] if leader is None else list(self._orders.values()):
            if self._ocos.get(each.ref) == leader and each.ref not in together:
                self.cancel(each)

    def _ococheck(self, order: Any) -> None:
        """What goes with an order is cancelled when the venue has ended it, in `_gone`."""

    # -- what is refused here

    def notify(self, order: Any) -> None:
        """Tell of an order; one that ends without having left is a decision of ours, which the journal keeps."""
        super().notify(order)
        reason = str(order.info.get("reason", "")) or order.getstatusname()
        is_over = not order.alive() and order.status != order.Completed  # an earlier run's fills are none
        if is_over and order.ref not in self._ids and reason != WARMING_UP:
            what = f"{order.ordtypename().lower()} {abs(order.created.size):g} {order.getordername()}"
            self._records.append(REFUSED, symbol_of(order.data), {"order": what, "reason": reason, **_asked(order)})
        if not order.alive():
            self._forget(order)

    def _forget(self, order: Any) -> None:
        """Drop what Backtrader keeps for ever of an order that is over: a session has no end."""
        self._ocol.pop(order.ref, None)
        if order in self.orders:
            self.orders.remove(order)

    def _refusal(self, order: Any) -> str:
        why = super()._refusal(order)
        return why if why or self._is_overruled else self.restraint.refusal(order)

    def _is_warming_up(self, order: Any) -> bool:
        """Return whether the session has not begun; a signal may come before its first bar."""
        return not self._has_begun

    def _objection(self, order: Any) -> str:
        """Leave to the venue what only the venue can know."""
        return ""

    def next(self) -> None:
        """End an instant: trailing prices, interest, futures and the value. A feed without a bar has no value either.

        Where a trailing stop stands is for the venue to say; what the strategy reads in `created.price` is what a
        backtest would make of the bars.
        """
        for order in self._orders.values():
            if order.exectype in _TRAILING and order.alive():
                order.trailadjust(order.data.close[0])
        hidden = self._hidden()
        super().next()
        self.positions.update(hidden)
        self._is_valued = True
        self._watch()

    def begin(self) -> None:
        """Begin, when the warm-up is over and what an earlier run left is there."""
        self._has_begun = True
        self.revalue()
        self.restraint.begin()
        self._watch()

    def _watch(self) -> None:
        """See whether the day has lost too much."""
        if text := self.restraint.watch():
            self._unsaid.append(text)

    # -- what the session's limits ask

    def barred(self, order: Any) -> str:
        """Return why an order of the strategy's is not to be taken, whatever the limits say."""
        return self._barred(order)

    def now(self) -> datetime:
        """Return the session's time."""
        return self._records.now()

    def journal(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Write a record, and return when it is on the disk."""
        self._records.commit([(kind, key, body)])
        self._records.tell()

    def worth(self) -> float:
        """Return what the session is worth at the last prices; what a strategy sees of it is left as it is."""
        return self.get_value() if self._is_valued else worth(self)

    def leaving(self) -> Sequence[Any]:
        """Return the orders that are about to leave."""
        return [*self._leaving, *self.submitted]

    def gathering(self, parent: Any) -> Sequence[Any]:
        """Return what is there of a bracket that has not been sent yet."""
        return list(self._pchildren.get(parent.ref, ()))

    def pair(self, order: Any) -> int:
        """Return what orders that cancel each other have in common, 0 for one alone."""
        leader = int(self._ocos.get(order.ref, order.ref))
        return leader if leader != order.ref or self._leads(order) else 0

    # -- what an earlier run left

    def relive(self, order: Any, update: OrderUpdate) -> Any:
        """Take news of an earlier run into an order and the ledger; return the order as it was told of a fill."""
        told = None
        self._ids[order.ref] = update.client_order_id
        if update.fill is not None:
            self._filled(order, update)
            told = self.notifs.pop()
        if update.status.is_final:
            order.status = _ENDS[update.status]
        elif order.status == order.Submitted and update.status not in _QUIET:
            order.accept(self)
        return told

    def reopen(self, order: Any, client_order_id: str, versions: Versions | None = None) -> None:
        """Take an order of an earlier run for one of this run's, where it is open still; the strategy hears of it."""
        if order.alive():
            self._orders[client_order_id], self._ids[order.ref] = order, client_order_id
            self.restraint.note_versions(order, versions)
            self.notify(order)

    def get_value(self, datas: Any = None, mkt: bool = False, lever: bool = False) -> float:
        """Return what the session is worth: after a fill it is worked out when it is asked for, not before."""
        self._valued()
        return float(super().get_value(datas, mkt, lever))

    getvalue = get_value

    def get_fundvalue(self) -> float:
        self._valued()
        return float(super().get_fundvalue())

    fundvalue = property(get_fundvalue)

    def get_leverage(self) -> float:
        self._valued()
        return float(super().get_leverage())

    def revalue(self) -> None:
        """Work the value out again when it is asked for: a position is another one."""
        self._is_valued = False

    def _valued(self) -> None:
        if not self._is_valued:
            self._is_valued = True
            hidden = self._hidden()
            self._get_value()
            self.positions.update(hidden)

    def _hidden(self) -> dict[Any, Any]:
        """Take out the positions in feeds that have no bar yet."""
        return {data: self.positions.pop(data) for data in list(self.positions) if not len(data)}

    @property
    def open_ids(self) -> Mapping[str, Any]:
        """The open orders by their client order id."""
        return dict(self._orders)


def _asked(order: Any) -> dict[str, Any]:
    """Return what an order that was not sent was to be, as the journal keeps it; `created` is a date number."""
    return {
        "created": order.created.dt,
        "is_buy": order.isbuy(),
        "size": abs(order.created.size),
        "type": order.getordername(),
        "status": order.getstatusname(),
    }


def _late_child(parent: Any) -> str:
    """Return why an exit is not taken whose entry is not being made any more."""
    if reason := parent.info.get("reason", ""):
        return f"its entry was not sent: {reason}"
    return "its parent has been sent already; a bracket is sent in one piece"


def _dated(order: Any, update: OrderUpdate) -> float | None:
    """Return the time of an order's end as Backtrader dates it: what is asked for has the time of asking.

    None is that of the bar that is loaded.
    """
    if update.status is OrderStatus.CANCELED:
        return number(update.at)
    is_refused = update.status is OrderStatus.REJECTED and order.status in (order.Created, order.Submitted)
    return float(order.created.dt) if is_refused else None
