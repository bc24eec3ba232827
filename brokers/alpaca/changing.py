"""One order in the place of another: what is asked for, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brokers.alpaca.answers import Ground, Refused
from brokers.alpaca.duties import Step, Tell
from brokers.alpaca.exchanges import Taken, find, replace
from brokers.alpaca.exits import check_held
from brokers.alpaca.hours import closes_at
from brokers.alpaca.line import Line
from brokers.alpaca.orders import changes
from brokers.alpaca.telling import Telling
from brokers.alpaca.validity import Validity, end_of, validity
from framework.errors import ConfigError, ConnectionLost, ProtocolError, RateLimited, Unsupported
from framework.model import OrderRequest, OrderStatus, OrderUpdate


class Changing:
    """Sends replacements. Owned by the I/O thread."""

    def __init__(self, line: Line, telling: Telling) -> None:
        self._line, self._telling = line, telling

    async def replace(self, name: str, request: OrderRequest) -> None:
        """Put a new order in the place of one, or say why it stays as it is; raise `AuthenticationError`."""
        telling = self._telling
        why = telling.reports.obstacle(name) if telling.is_expected(name) else "Alpaca does not have it yet"
        venue_order_id = telling.reports.venue_order_id(name)
        if why or venue_order_id is None:
            return self._stays(name, why)
        try:
            told, life = self._changes(name, request)
        except (Unsupported, ConfigError) as error:
            return self._stays(name, str(error))
        telling.reports.expect_change(name, request.client_order_id)
        answer = await self._answer(name, venue_order_id, told)
        if isinstance(answer, Refused):
            return self._stays(name, answer.reason)
        if answer is not None:
            telling.see(answer.order)
            telling.requests[name] = request
            telling.duties.ends_at(name, life.ends_at)
        return None

    def held(self, name: str, request: OrderRequest) -> list[Step]:
        """Change an order that is held here, or say why it stays as it is; return what follows."""
        telling, now = self._telling, self._telling.now()
        try:
            check_held(request)
        except (Unsupported, ConfigError) as error:
            self._stays(name, str(error))
            return []
        why, steps = telling.duties.replace(name, request, now)
        if why:
            self._stays(name, why)
            return []
        telling.requests[name] = request
        telling.duties.ends_at(name, end_of(request, closes_at(request.symbol, now)))
        return [Tell(OrderUpdate(name, "", OrderStatus.HELD, now, reason="changed")), *steps]

    async def _answer(self, name: str, venue_order_id: str, told: Mapping[str, Any]) -> Taken | Refused | None:
        """Send the change; where its answer is lost, look both orders up for as long as it takes."""
        try:
            return await self._line.ask(replace(self._line.endpoint, venue_order_id, told))
        except RateLimited as limited:
            return Refused(Ground.FORBIDDEN, str(limited), 429)
        except (ConnectionLost, ProtocolError) as error:
            self._telling.remark(f"{error}; it is being looked up", name)
        new = str(told["client_order_id"])
        found = await self._line.insist(lambda: find(self._line.endpoint, new))
        if found is not None:
            return Taken(found, is_adopted=True)
        return Refused(Ground.NOT_FOUND, "the change never reached Alpaca", 404)

    def _changes(self, name: str, request: OrderRequest) -> tuple[Mapping[str, Any], Validity]:
        """Return what is asked for, and how long it then lives; the time in force is told where it is another."""
        now = self._line.clock.now()
        life = validity(request, closes_at(request.symbol, now))
        before = self._telling.requests.get(name)
        is_same = before is not None and before.time_in_force is request.time_in_force
        return changes(request, None if is_same else life.time_in_force), life

    def _stays(self, name: str, why: str) -> None:
        self._telling.remark(f"order {name} stays as it is: {why}", name)
