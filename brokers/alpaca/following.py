"""All orders of a session, followed: each message and each answer in, what is new out.

It does not matter in which order, how often, and by which way something is told. What comes before the
order that it belongs to is known (a bracket's exits have ids of the venue's) waits for it. What
belongs to nobody here is a stranger's, and changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from brokers.alpaca.answers import Ground, Refused
from brokers.alpaca.chain import Chain, Told
from brokers.alpaca.exits import STOPS
from brokers.alpaca.groups import Post
from brokers.alpaca.reports import TAKEN_BACK, News, Report, read_activity, read_news, read_order
from feeds.alpaca.protocol import NAME
from framework.errors import ProtocolError
from framework.model import GroupKind, OrderRequest, OrderStatus

WAITING = 2_000
"""How many messages of orders that are not ours, or not yet, are kept."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """An order to be looked up: by the venue's id, or, where that is empty, by ours."""

    venue_order_id: str = ""
    client_order_id: str = ""


ANSWERS = ("order_cancel_rejected", "order_replace_rejected")


class Reports:
    """What is known of the orders of a session. Owned by one thread; `now` is venue time, aware UTC."""

    def __init__(self) -> None:
        self._chains: dict[str, Chain] = {}
        self._open: dict[str, Chain] = {}
        self._owners: dict[str, str] = {}
        self._names: dict[str, list[str]] = {}
        self._posts: dict[str, Post] = {}
        self._early: deque[News] = deque(maxlen=WAITING)
        self._has_grown = False

    # What we do

    def expect(self, post: Post, now: datetime, booked: Mapping[str, tuple[float, float]] | None = None) -> None:
        """Know the orders of a POST before it is sent: their news may come before its answer.

        `booked` is the size and the value of the fills that an order had before a restart.
        """
        for each in post.orders:
            size, paid = (booked or {}).get(each.client_order_id, (0.0, 0.0))
            chain = self._chains.setdefault(each.client_order_id, Chain(each.client_order_id, now, size, paid))
            self._open[each.client_order_id] = chain
            self._posts[each.client_order_id] = post

    def expect_change(self, client_order_id: str, new_client_order_id: str) -> None:
        """Know a replacement's id before the PATCH is sent."""
        self._name(new_client_order_id, client_order_id)

    def refuse(self, post: Post, why: Refused, now: datetime) -> list[Told]:
        """End all orders of a POST that was refused."""
        is_margin = why.ground is Ground.MARGIN
        return [
            told
            for each in post.orders
            for told in self._chains[each.client_order_id].end(
                OrderStatus.REJECTED, now, why.reason, is_margin=is_margin
            )
        ]

    def withdraw(self, post: Post, now: datetime) -> list[Told]:
        """End all orders of a POST that was cancelled before it was sent."""
        why = "cancelled before it was sent"
        chains = (self._chains[each.client_order_id] for each in post.orders)
        return [told for chain in chains for told in chain.end(OrderStatus.CANCELED, now, why)]

    def forget(self, client_order_id: str, before: datetime) -> bool:
        """Forget an order that is over, and its group; return whether it is not known any more.

        It stays for as long as an order of its group is open, or was heard of since a time: what is said of it
        afterwards is a stranger's.
        """
        post = self._posts.get(client_order_id)
        names = [each.client_order_id for each in post.orders] if post else []
        chains = [self._chains[each] for each in names if each in self._chains]
        if any(each.ended is None or each.heard_at >= before for each in chains):
            return False
        for each in names:
            for known in (self._chains, self._open, self._posts):
                known.pop(each, None)
            for other in self._names.pop(each, ()):
                self._owners.pop(other, None)
        return True

    # What the venue says

    def hear(self, data: Any, now: datetime) -> list[Told]:
        """Take in the `data` of a trade_updates message."""
        if data is None:
            return []  # seen in the wild: a message about nothing
        try:
            news = read_news(data)
        except ProtocolError as strange:
            return [strange]
        told = self._learn(news, now)
        if told is None:
            self._early.append(news)
            return []
        return [*told, *self._settled(news.report, now)]

    def see(self, body: Any, now: datetime) -> list[Told]:
        """Take in an order of an answer: with its legs where the request was for nested ones."""
        try:
            report = read_order(body)
        except ProtocolError as strange:
            return [strange]
        told = self._learn(News("", report, report.at, None, ""), now)
        return [] if told is None else [*told, *self._settled(report, now)]

    def execute(self, body: Any, now: datetime) -> list[Told]:
        """Take in a FILL of the account's activities."""
        try:
            venue_order_id, execution = read_activity(body)
        except ProtocolError as strange:
            return [strange]
        owner = self._owners.get(venue_order_id)
        return [] if owner is None else self._chains[owner].execute(venue_order_id, execution, now)

    # What is known

    def venue_order_id(self, client_order_id: str) -> str | None:
        """Return the venue's present id for an order of ours, None where it has not told it yet."""
        chain = self._chains.get(client_order_id)
        tail = chain.tail if chain else None
        return tail.id if tail else None

    def post(self, client_order_id: str) -> Post | None:
        """Return the POST that carries an order of ours, None where it is not expected."""
        return self._posts.get(client_order_id)

    def owner(self, venue_order_id: str) -> str | None:
        """Return our id for an order of the venue's, None where it is a stranger's."""
        return self._owners.get(venue_order_id)

    def filled(self, client_order_id: str) -> tuple[float, float]:
        """Return the size and the value of the fills that were told of an order."""
        chain = self._chains[client_order_id]
        return chain.quantity, chain.paid

    def status(self, client_order_id: str) -> OrderStatus | None:
        """Return an order's status, None where nothing has been said of it."""
        chain = self._chains[client_order_id]
        return chain.ended or (chain.tail.status if chain.tail else None)

    def obstacle(self, client_order_id: str) -> str:
        """Return why an order cannot be replaced as things are, or an empty string."""
        status = self.status(client_order_id)
        if status is None or status in (OrderStatus.PENDING_NEW, OrderStatus.PENDING_CANCEL, _PENDING_REPLACE):
            return "it is on its way; try again when its next news has come"
        if status.is_final:
            return f"it is {status.value}"
        if self._chains[client_order_id].quantity:
            # Alpaca-API issue 165: the new order may fill the whole size again.
            return "it has filled in part, and Alpaca may fill its replacement in whole; cancel it and send the rest"
        return ""

    def unheard(self, before: datetime) -> tuple[str, ...]:
        """Return the orders that are open, as far as we know, and of which nothing was heard since: to be looked up.

        What was replaced by an id that nobody told is among them at once.
        """
        for each in [each for each in self._open.values() if each.ended is not None]:
            del self._open[each.client_order_id]  # a session has thousands that are over
        return tuple(each.client_order_id for each in self._open.values() if _is_stale(each, before))

    def inquiries(self, before: datetime) -> tuple[Inquiry, ...]:
        """Return how to look up what is `unheard`: each answer goes to `see`, and may raise a further question."""
        asked = (self._inquiry(self._chains[each]) for each in self.unheard(before))
        return tuple(dict.fromkeys(asked))

    def _inquiry(self, chain: Chain) -> Inquiry:
        """The venue does not know our ids of exits: these are asked for by its own, or by their parent."""
        tail = chain.tail
        if tail is not None and tail.status is OrderStatus.REPLACED and tail.replaced_by:
            return Inquiry(tail.replaced_by)
        if tail is not None and tail.status is not OrderStatus.REPLACED:
            return Inquiry(tail.id)
        parent = self._posts[chain.client_order_id].client_order_id
        known = self.venue_order_id(parent)
        return Inquiry(known) if known else Inquiry(client_order_id=parent)

    # Inside

    def _learn(self, news: News, now: datetime) -> list[Told] | None:
        """Take in news of an order and its legs; return None where it is nobody's here."""
        report, owner = news.report, self._owner(news.report)
        if owner is None:
            return None
        chain = self._chains[owner]
        self._own(report, owner)
        told: list[Told] = []
        if news.event in TAKEN_BACK:
            told.append(_taken_back(owner, news))
        told += chain.take(report, now, news.execution, news.reason)
        if news.event in ANSWERS:
            told += chain.answer(news.event, news.at or now, news.reason)
        for leg in report.legs:
            told += self._leg(leg, owner, now)
        return told

    def _leg(self, leg: Report, parent: str, now: datetime) -> list[Told]:
        owner = self._owner(leg)
        if owner is None:
            owner = self._role(leg, parent)
            if owner is None:
                return []
            leg = self._carrying_on(leg, owner)
        self._own(leg, owner)
        return self._chains[owner].take(leg, now)

    def _carrying_on(self, leg: Report, owner: str) -> Report:
        """Return a leg that no known id leads to as what carries on from the last one that was known."""
        tail = self._chains[owner].tail
        if tail is None or leg.replaced_by is not None or leg.status is OrderStatus.REPLACED:
            return leg
        is_older = leg.at is not None and leg.at < tail.at  # out of a message that was held up
        return leg if is_older else replace(leg, replaces=tail.id)

    def _owner(self, report: Report) -> str | None:
        """Return whose an order is: by our id, by the venue's, by the id that it replaces."""
        client_id = report.client_order_id
        if client_id in self._chains:
            return client_id
        known = (client_id, report.venue_order_id, report.replaces, report.replaced_by)
        return next((self._owners[each] for each in known if each and each in self._owners), None)

    def _role(self, leg: Report, parent: str) -> str | None:
        """Return which exit of its group a leg is, by its type: the venue's ids for legs are not ours."""
        post = self._posts.get(parent)
        exits = post.orders[1:] if post else ()
        return next((each.client_order_id for each in exits if _is_stop(each) == leg.kind.startswith("stop")), None)

    def _own(self, report: Report, owner: str) -> None:
        for each in (report.venue_order_id, report.replaced_by, report.replaces):
            if each and each not in self._owners:
                self._name(each, owner)
                self._has_grown = True

    def _name(self, name: str, owner: str) -> None:
        self._owners[name] = owner
        self._names.setdefault(owner, []).append(name)

    def _settled(self, report: Report, now: datetime) -> list[Told]:
        """Return what follows from news: messages that had waited for it, and ends that nobody tells."""
        told = [each for news in self._woken() for each in self._learn(news, now) or ()]
        if told:
            return [*told, *self._settled(report, now)]
        owner = self._owner(report)
        return [] if owner is None else list(self._silent_ends(owner, report.at or now))

    def _woken(self) -> list[News]:
        """Take out the messages whose order is known by now; only an id that is new can make it so."""
        if not self._has_grown:
            return []
        self._has_grown = False
        woken = [each for each in self._early if self._owner(each.report) is not None]
        for each in woken:
            self._early.remove(each)
        return woken

    def _silent_ends(self, owner: str, at: datetime) -> Iterator[Told]:
        """Yield the ends of exits that have been seen to come without a word (alpaca-py issue 198)."""
        post = self._posts.get(owner)
        if post is None or post.kind is GroupKind.LIST:
            return
        entry = None if post.kind is GroupKind.OCO else self._chains[post.orders[0].client_order_id]
        exits = [self._chains[each.client_order_id] for each in post.orders[0 if entry is None else 1 :]]
        if entry is not None and entry.ended not in (None, OrderStatus.FILLED) and not entry.quantity:
            for each in exits:
                if _waits(each) or not each.links:
                    yield from each.end(OrderStatus.CANCELED, at, "its entry has ended unfilled")
        if any(each.ended is OrderStatus.FILLED for each in exits):
            for each in exits:
                if _waits(each):
                    yield from each.end(OrderStatus.CANCELED, at, "the other exit has filled")


_PENDING_REPLACE = OrderStatus.PENDING_REPLACE


def _waits(chain: Chain) -> bool:
    """Return whether an exit is held: it cannot trade, so that it ends with what it waits for."""
    return chain.tail is not None and chain.tail.status is OrderStatus.HELD


def _is_stop(request: OrderRequest) -> bool:
    return request.order_type in STOPS


def _is_stale(chain: Chain, before: datetime) -> bool:
    return chain.ended is None and (chain.is_lost or chain.heard_at < before)


def _taken_back(owner: str, news: News) -> ProtocolError:
    what = news.event.replace("_", " ")
    return ProtocolError(NAME, f"order {owner}: {what}, a fill was changed afterwards; compare the positions", news)
