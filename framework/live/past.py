"""What a session's journal says of its earlier runs: the fold of its records. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from framework.live.day import Day
from framework.live.journal import Entry
from framework.live.records import ADDED, DAY, INTENT, POSITION, REPLACE, SPLIT, START, UPDATE
from framework.live.versions import Versions
from framework.model import OrderGroup, OrderRequest, OrderUpdate, Split
from framework.ports import Resumed

NOISE = 1e-9


@dataclass(slots=True)
class Intent:
    """A group that was sent, or was about to be. `tickets` are what Backtrader's orders were made of."""

    group: OrderGroup
    tickets: tuple[Mapping[str, Any], ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """Something that changed the ledger: news of an order, a split, or a position taken over from the account."""

    at: datetime
    update: OrderUpdate | None = None
    symbol: str = ""
    quantity: float = 0.0
    price: float = 0.0
    split: Split | None = None

    @property
    def order(self) -> str:
        """The order that it is news of, by its client order id; empty where it is none."""
        return "" if self.update is None else self.update.client_order_id


@dataclass(slots=True)
class Past:
    """Earlier runs of a session: `run` is the last one's number, `start` the first record, `latest` the last's time.

    `changed` are the orders that were changed, as they were asked to be last, and `versions` as what each of them
    may stand. `sent` is when each order or change was sent, `day` the last trading day, `added` the symbols that were
    added while it ran.
    """

    run: int = 0
    latest: datetime | None = None
    start: Mapping[str, Any] = field(default_factory=dict)
    intents: list[Intent] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    changed: dict[str, OrderRequest] = field(default_factory=dict)
    versions: dict[str, Versions] = field(default_factory=dict)
    sent: list[datetime] = field(default_factory=list)
    added: set[str] = field(default_factory=set)
    day: Day = Day()  # noqa: RUF009  (it is frozen)
    _asked: dict[str, OrderRequest] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Past:
        """Fold a journal's records, oldest first."""
        past = cls()
        for entry in entries:
            past._take(entry)
        return past

    def _take(self, entry: Entry) -> None:
        body = entry.body
        self.latest = entry.at
        match entry.kind:
            case k if k == START:
                self.run = int(body["run"])
                self.start = self.start or body
            case k if k == INTENT:
                self._departed(Intent(body["group"], tuple(body["tickets"]), entry.at))
            case k if k == REPLACE:
                self._replaced(entry.key, body["request"], entry.at)
            case k if k == UPDATE:
                self.steps.append(Step(entry.at, body["update"]))
                if (changed := self.versions.get(entry.key)) is not None:
                    changed.hear(body["update"])
            case k if k == ADDED:
                self.added.add(entry.key)
            case k if k == DAY:
                self.day = Day(entry.key, body["value"], body.get("lost", 0.0))
            case k if k == POSITION:
                self.steps.append(Step(entry.at, None, entry.key, body["quantity"], body["price"]))
            case k if k == SPLIT:
                self.steps.append(Step(entry.at, split=body["split"]))

    def _departed(self, intent: Intent) -> None:
        self._make_anew(_names(intent.group))
        self.intents.append(intent)
        self._asked.update((each.client_order_id, each) for each in intent.group.orders)
        self.sent.extend([intent.at] * len(intent.group.orders))

    def _make_anew(self, asked: Iterable[str]) -> None:
        """Forget orders that were rejected, where others have their names now: nothing came of them."""
        again = {each for each in asked if each in self._asked}
        if again:
            self.intents = [each for each in self.intents if again.isdisjoint(_names(each.group))]
            self.steps = [
                each for each in self.steps if each.update is None or each.update.client_order_id not in again
            ]

    def _replaced(self, client_order_id: str, request: OrderRequest, at: datetime) -> None:
        self.changed[client_order_id] = request
        self.sent.append(at)
        if (was := self._asked.get(client_order_id)) is not None:
            self.versions.setdefault(client_order_id, Versions(was)).ask(request)

    @property
    def ended(self) -> frozenset[str]:
        """The orders that are over, by client order id."""
        updates = (step.update for step in self.steps)
        return frozenset(each.client_order_id for each in updates if each is not None and each.status.is_final)

    def in_use(self) -> frozenset[str]:
        """Return the symbols that were added and of which something is held or ordered still."""
        ended, held = self.ended, self._held()
        ordered = {each.symbol for order, each in self._asked.items() if order not in ended}
        return frozenset(each for each in self.added if each in ordered or abs(held.get(each, 0.0)) > NOISE)

    def _held(self) -> Mapping[str, float]:
        held: defaultdict[str, float] = defaultdict(float)
        for step in self.steps:
            if step.split is not None:
                held[step.split.symbol] *= step.split.ratio
            elif step.update is None:
                held[step.symbol] = step.quantity
            elif step.update.fill is not None and (asked := self._asked.get(step.update.client_order_id)) is not None:
                held[asked.symbol] += asked.side.sign * step.update.fill.quantity
        return held

    def booked(self) -> Mapping[str, tuple[float, float]]:
        """Return the size and the value of the fills of each order that has any."""
        found: dict[str, tuple[float, float]] = {}
        for step in self.steps:
            if step.update is not None and (fill := step.update.fill) is not None:
                size, value = found.get(step.update.client_order_id, (0.0, 0.0))
                found[step.update.client_order_id] = size + fill.quantity, value + fill.quantity * fill.price
        return found

    def resumed(self) -> list[Resumed]:
        """Return the groups that are not over, as a desk is told of them."""
        booked, ended = self.booked(), self.ended
        groups = []
        for each in self.intents:
            ids = [request.client_order_id for request in each.group.orders]
            if not ended.issuperset(ids):
                known = {order: booked[order] for order in ids if order in booked}
                changed = {order: self.changed[order] for order in ids if order in self.changed}
                groups.append(Resumed(each.group, each.at, known, ended.intersection(ids), changed))
        return groups


def _names(group: OrderGroup) -> list[str]:
    return [each.client_order_id for each in group.orders]
