"""The pure exchanges, driven over real HTTP against a sandbox, and what the venue counts meanwhile."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from asked import order
from sandbox_client import Rest

from brokers.alpaca.endpoint import Endpoint
from brokers.alpaca.exchanges import Taken, find, submit
from brokers.alpaca.groups import Post, plan
from framework.app.sandbox import Sandbox
from framework.config import Credentials
from framework.http import Http, Patience
from framework.model import GroupKind, OrderGroup, OrderRequest
from framework.wire import Exchange

T = TypeVar("T")

IMPATIENT = Patience(attempts=3, connect=5.0, read=0.4, whole=5.0, first_wait=0.0, longest_wait=0.0, longest_limit=0.0)


class Desk:
    """A client of a sandbox: it sends exchanges, and looks at the venue's own lists."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.rest = sandbox, Rest(sandbox)
        self.endpoint = Endpoint(sandbox.url, Credentials(sandbox.key, sandbox.secret))
        self.http = Http("Alpaca", IMPATIENT, sleep=lambda _: None)

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.http.close()

    @property
    def now(self) -> datetime:
        return self.sandbox.market.now()

    def send(self, exchange: Exchange[T]) -> T:
        return self.http.send(exchange)

    def post(self, *orders: OrderRequest, kind: GroupKind = GroupKind.LIST, position: float = 0.0) -> Post:
        """Return the one POST of orders."""
        closes_at = self.sandbox.market.tape.session(self.now)[1]
        (post,) = plan(OrderGroup(orders, kind), at=self.now, closes_at=closes_at, position=position).posts
        return post

    def submit(self, *orders: OrderRequest, kind: GroupKind = GroupKind.LIST) -> Any:
        return self.send(submit(self.endpoint, self.post(*orders, kind=kind), since=self.now))

    def taken(self, *orders: OrderRequest, kind: GroupKind = GroupKind.LIST) -> Taken:
        answer = self.submit(*orders, kind=kind)
        assert isinstance(answer, Taken), answer
        return answer

    def send_group(self, *exits: OrderRequest) -> Taken:
        """Send an OCO that closes what was bought."""
        answer = self.send(submit(self.endpoint, self.post(*exits, kind=GroupKind.OCO, position=10.0)))
        assert isinstance(answer, Taken), answer
        return answer

    def found(self, name: str) -> Any:
        return self.send(find(self.endpoint, name))

    @property
    def made(self) -> int:
        """How many orders the venue has ever taken."""
        return len(self.rest.get("/v2/orders", status="all", limit=500))

    @property
    def asked(self) -> int:
        """How many POSTs it has carried out or refused."""
        return int(self.sandbox.state()["requests"].get("orders", 0))


def spy(name: str = "run-1-1", side: str = "buy", quantity: float | None = 10, **more: Any) -> OrderRequest:
    return order(name, side, quantity, **{"symbol": "SPY", **more})
