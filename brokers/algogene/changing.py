"""Changes of orders that are open: of what waits, and of a trade's levels. Owned by the I/O thread."""

from __future__ import annotations

from dataclasses import replace

from brokers.algogene.exchanges import Refused, Submitted, update_pending_order
from brokers.algogene.following import Following, Kind, Part
from brokers.algogene.line import CURABLE, Line
from brokers.algogene.orders import changes
from brokers.algogene.plans import price_of
from brokers.algogene.telling import Telling
from brokers.algogene.wishes import Wishes
from framework.errors import ConfigError, Unsupported
from framework.model import OrderRequest, OrderUpdate

NOWHERE = Refused("it is not at the venue in a way that could be changed")


class Changing:
    """Puts a new price or end in the place of an order's; it keeps its reference."""

    def __init__(self, line: Line, telling: Telling, wishes: Wishes) -> None:
        self._line, self._telling, self._wishes = line, telling, wishes

    async def replace(self, name: str, request: OrderRequest) -> None:
        """Change an order; where that cannot be, a remark says why. Raise `AuthenticationError`."""
        try:
            answer = await self._replaced(name, request)
        except (*CURABLE, ConfigError, Unsupported) as error:
            answer = Refused(str(error))
        if isinstance(answer, Refused):
            self._telling.remark(f"order {name} stays as it is: {answer.reason}", name)

    async def _replaced(self, name: str, request: OrderRequest) -> Submitted | Refused:
        order, was = self._telling.followed.get(name), self._telling.requests.get(name)
        part = order.parts[-1] if order is not None else None
        if order is None or was is None or part is None or not part.trade_id or part.kind is Kind.CLOSE:
            return NOWHERE
        changed, answer = await self._asked(order, part, was, request)
        if isinstance(answer, Submitted):
            self._telling.requests[name] = replace(request, client_order_id=name)
            self._telling.change(changed)
            now = self._line.clock.now()
            self._telling.tell(OrderUpdate(name, part.trade_id, changed.status, now, replaces=part.trade_id))
        return answer

    async def _asked(
        self, order: Following, part: Part, was: OrderRequest, request: OrderRequest
    ) -> tuple[Following, Submitted | Refused]:
        """Ask for a change; return the order as it is then, and the answer."""
        name, told = order.client_order_id, changes(request, was, self._line.clock.now())
        if part.kind is Kind.OPEN:
            exchange = update_pending_order(self._line.endpoint, part.trade_id, {**told, "orderRef": name})
            return replace(order, expires_at=request.expires_at), await self._line.ask(exchange)
        price = price_of(request)
        levels = self._wishes.levels(part, but=name) | self._wishes.level(part.kind, price)
        answer = await self._line.ask(self._wishes.relevelled(part, levels))
        return replace(order, parts=(replace(part, level=price),)), answer
