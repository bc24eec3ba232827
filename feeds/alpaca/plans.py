"""What a market data plan at Alpaca includes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

RECENT = timedelta(minutes=15)
"""How old data of all exchanges must be for a plan without them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`requests` a minute; how many `channels` of trades and quotes a stream may have (0: any); whether SIP is live."""

    name: str
    requests: int
    channels: int
    has_sip: bool


FREE = Plan("free", 200, 30, has_sip=False)
PAID = Plan("paid", 10_000, 0, has_sip=True)
