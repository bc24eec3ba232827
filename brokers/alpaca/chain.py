"""One of our orders, followed through all that Alpaca makes of it: fills as increments, each status once.

Alpaca gives a replaced order a new id, so that one order of ours is a chain of theirs. What it had filled
is told per id, cumulatively, and whether a replacement counts on or begins at nothing differs (Alpaca-API
issue 165; orders as they are shown). Both are covered: the total is never less than what is known
and never counts a fill twice.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from brokers.alpaca.reports import Execution, Report
from feeds.alpaca.protocol import NAME
from framework.errors import ProtocolError
from framework.model import Fill, OrderStatus, OrderUpdate

Told = OrderUpdate | ProtocolError
"""What is handed on: news of an order, or something that was said and is not understood."""

NOISE = 1e-9
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_RANK = {OrderStatus.PENDING_NEW: 0, OrderStatus.HELD: 1, OrderStatus.NEW: 2}
"""How far an order is; what is not named is 3, an end 4. In one instant an order does not go back."""


def rank(status: OrderStatus) -> int:
    return 4 if status.is_final else _RANK.get(status, 3)


@dataclass(slots=True, eq=False)
class Link:
    """What is known of one of the venue's ids. `seen` is (when, filled) of each report."""

    id: str
    status: OrderStatus | None = None
    at: datetime = _LONG_AGO
    filled: float = 0.0
    paid: float = 0.0
    replaces: str | None = None
    replaced_by: str | None = None
    replaced_at: datetime | None = None
    executions: dict[float, Execution] = field(default_factory=dict)
    seen: list[tuple[datetime, float]] = field(default_factory=list)

    def take(self, report: Report, execution: Execution | None) -> None:
        at = report.at or self.at
        self.replaces = self.replaces or report.replaces
        self.replaced_by = report.replaced_by or self.replaced_by
        self.replaced_at = report.replaced_at or self.replaced_at
        self.count(report.filled, report.paid, execution)
        if not self.seen or self.seen[-1] != (at, report.filled):
            self.seen.append((at, report.filled))
        if report.status is not None and self._is_news(report.status, at):
            self.status = report.status
        self.at = max(self.at, at)

    def count(self, filled: float, paid: float, execution: Execution | None) -> None:
        """Take over a total; an execution is known by the total that it made, so that a second one is none."""
        if execution is not None:
            self.executions.setdefault(round(execution.total, 9), execution)
        if filled > self.filled + NOISE:
            self.filled, self.paid = filled, paid

    def fill(self, execution: Execution) -> None:
        """Take over what an execution says of the order: else its last would be told as one in part, then as NEW."""
        if execution.is_last and not (self.status and self.status.is_final):
            self.status = OrderStatus.FILLED
        elif self.status is None or rank(self.status) < rank(PARTIAL):
            self.status = PARTIAL

    def _is_news(self, status: OrderStatus, at: datetime) -> bool:
        if self.status is None or self.status.is_final:
            return self.status is None
        return status.is_final or at > self.at or (at == self.at and rank(status) >= rank(self.status))

    @property
    def executed(self) -> tuple[float, float]:
        """The size and the value of the executions that are known one by one."""
        found = self.executions.values()
        return math.fsum(each.quantity for each in found), math.fsum(each.quantity * each.price for each in found)


class Chain:
    """One order of ours. Owned by the thread that owns its `Reports`."""

    def __init__(self, client_order_id: str, now: datetime, booked: float = 0.0, paid: float = 0.0) -> None:
        self.client_order_id = client_order_id
        self.links: dict[str, Link] = {}
        self.quantity, self.paid = booked, paid
        self.heard_at = now
        self._told: tuple[OrderStatus, str] | None = None
        self.ended: OrderStatus | None = None
        self._answered: set[tuple[str, datetime]] = set()

    def take(self, report: Report, now: datetime, execution: Execution | None = None, reason: str = "") -> list[Told]:
        """Take in a report of one of the chain's ids; return what is new."""
        link = self._link(report.venue_order_id)
        link.take(report, execution)
        self.heard_at = now
        strange = [] if report.is_known else [_unknown(report)]
        return [*strange, *self._news(link.at if report.at is None else report.at, execution, reason or report.reason)]

    def execute(self, venue_order_id: str, execution: Execution, now: datetime) -> list[Told]:
        """Take in an execution that the account's activities tell of."""
        link = self._link(venue_order_id)
        link.count(0.0, 0.0, execution)
        size, value = link.executed
        if math.isclose(size, max(link.executions), abs_tol=NOISE):  # all of them are known
            link.count(size, value, None)
            link.fill(execution)
        return self._news(execution.at or now, execution, "")

    def answer(self, event: str, at: datetime, reason: str) -> list[Told]:
        """Tell that a cancel or a replacement was not carried out: the order stays as it is."""
        if self.ended is not None or (event, at) in self._answered:
            return []
        self._answered.add((event, at))
        tail = self.tail
        status = (tail.status if tail else None) or OrderStatus.NEW
        return [self._update(status, at, reason=reason or event.replace("_", " "))]

    def end(self, status: OrderStatus, at: datetime, reason: str, *, is_margin: bool = False) -> list[Told]:
        """Take an order as ended without a report of it: refused, or known by what it depended on."""
        if self.ended is not None:
            return []
        self.ended = status
        return [self._update(status, at, reason=reason, is_margin=is_margin)]

    @property
    def tail(self) -> Link | None:
        """The id that carries the order now; a replacement that was rejected never did."""
        if len(self.links) == 1:  # as nearly always
            return next(iter(self.links.values()))
        walked = list(self._walk())
        return walked[-1] if walked else None

    @property
    def is_lost(self) -> bool:
        """True where the order goes on under an id that nobody has told us."""
        return self.ended is None and self.tail is not None and self.tail.status is OrderStatus.REPLACED

    # Inside

    def _link(self, venue_order_id: str) -> Link:
        return self.links.setdefault(venue_order_id, Link(venue_order_id))

    def _walk(self) -> Iterator[Link]:
        """Yield the ids that carried the order, in their order."""
        named = {each.replaced_by for each in self.links.values()}
        first = (each for each in self.links.values() if each.replaces not in self.links and each.id not in named)
        link = next(first, None)
        walked: set[str] = set()
        while link is not None and link.id not in walked:
            walked.add(link.id)
            yield link
            link = self._successor(link)

    def _successor(self, link: Link) -> Link | None:
        after = [each for each in self.links.values() if each.replaces == link.id or each.id == link.replaced_by]
        carrying = [each for each in after if each.status is not OrderStatus.REJECTED]
        if carrying:
            return carrying[-1]
        return after[-1] if after and link.status is OrderStatus.REPLACED else None

    def _total(self) -> tuple[float, float]:
        """Return the size and the value of all fills."""
        links = list(self.links.values()) if len(self.links) == 1 else list(self._walk())
        if self._begins_anew(links):
            return math.fsum(each.filled for each in links), math.fsum(each.paid for each in links)
        most = max(links, key=lambda each: each.filled)
        further = [each.executed for each in links[1:]]
        known = links[0].filled + math.fsum(size for size, _ in further)
        if known > most.filled + NOISE:
            return known, links[0].paid + math.fsum(value for _, value in further)
        return most.filled, most.paid

    def _begins_anew(self, links: list[Link]) -> bool:
        """Return whether a replacement was seen with less than what its forerunner had filled in the end."""
        return any(
            old.status is OrderStatus.REPLACED
            and old.replaced_at is not None
            and any(at >= old.replaced_at and filled < old.filled - NOISE for at, filled in new.seen)
            for old, new in itertools.pairwise(links)
        )

    def _news(self, at: datetime, execution: Execution | None, reason: str) -> list[Told]:
        tail = self.tail
        if tail is None:
            return []
        fill = self._fill(at, execution)
        status = tail.status
        if self.ended is not None:
            return [] if fill is None else [self._late(tail, fill), self._update(PARTIAL, at, fill=fill)]
        told: list[Told] = []
        if fill is not None:
            shown = OrderStatus.FILLED if status is OrderStatus.FILLED else PARTIAL
            told.append(self._say(shown, tail, at, fill=fill))
        if status is not None and self._is_news(status, tail):
            margin = status is OrderStatus.REJECTED and "buying power" in reason
            told.append(self._say(status, tail, at, reason=_why(status, reason), is_margin=margin))
        return told

    def _is_news(self, status: OrderStatus, tail: Link) -> bool:
        if status is OrderStatus.REPLACED or self.ended is not None:
            return False  # the order goes on; as what, its next id tells
        if self._told is None:
            return True
        return status is not OrderStatus.PENDING_NEW and (status, tail.id) != self._told

    def _fill(self, at: datetime, execution: Execution | None) -> Fill | None:
        """Return what is filled beyond what was told, at the price that keeps the value of all fills right."""
        total, value = self._total()
        more = round(total - self.quantity, 9)
        if more <= NOISE:
            return None
        name, price = f"{self.client_order_id}/{total:.9g}", round((value - self.paid) / more, 9)
        if execution is not None and _is_that(execution, more, price):
            name, price, at = execution.id, execution.price, execution.at or at
        if price <= 0:  # what was told before was wrong; the average is the best that is known
            price = round(value / total, 9)
        self.quantity, self.paid = round(self.quantity + more, 9), self.paid + more * price
        return Fill(name, more, price, at)

    def _say(
        self,
        status: OrderStatus,
        tail: Link,
        at: datetime,
        *,
        fill: Fill | None = None,
        reason: str = "",
        is_margin: bool = False,
    ) -> OrderUpdate:
        update = self._update(status, at, fill=fill, reason=reason, is_margin=is_margin)
        self._told = status, tail.id
        if status.is_final:
            self.ended = status
        return update

    def _update(
        self,
        status: OrderStatus,
        at: datetime,
        *,
        fill: Fill | None = None,
        reason: str = "",
        is_margin: bool = False,
    ) -> OrderUpdate:
        tail = self.tail
        name = tail.id if tail else ""
        is_moved = tail is not None and self._told is not None and self._told[1] != tail.id
        replaces = self._told[1] if is_moved and self._told else None
        return OrderUpdate(self.client_order_id, name, status, at, fill, reason, replaces, is_margin)

    def _late(self, tail: Link, fill: Fill) -> ProtocolError:
        ended = self.ended.value if self.ended else ""
        return ProtocolError(
            NAME, f"order {self.client_order_id} filled {fill.quantity:g} more after it was {ended}", tail.id
        )  # fmt: skip


PARTIAL = OrderStatus.PARTIALLY_FILLED
CENT = 0.01


def _is_that(execution: Execution, quantity: float, price: float) -> bool:
    """Return whether what is new is this execution: its own price has not the noise of a rounded average."""
    is_as_large = math.isclose(execution.quantity, quantity, abs_tol=NOISE)
    return is_as_large and math.isclose(execution.price * quantity, price * quantity, rel_tol=1e-6, abs_tol=CENT)


def _why(status: OrderStatus, reason: str) -> str:
    return reason or ("rejected by the venue, without a reason" if status is OrderStatus.REJECTED else "")


def _unknown(report: Report) -> ProtocolError:
    return ProtocolError(
        NAME, f"order {report.client_order_id} is {report.said!r}, which is not a known status; it goes on", report.said
    )
