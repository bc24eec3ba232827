"""A burst of orders on a bad line: each is looked up by its client id, and the venue has it once."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from desk_session import Trader
from desk_tape import spy, trading

from framework.model import OrderGroup, OrderRequest, OrderStatus, OrderUpdate

POST = {"method": "POST"}
COUNT = 40


def burst(trader: Trader) -> list[OrderRequest]:
    """Send forty orders together, and hear of them."""
    orders = [spy(f"run-1-{number}") for number in range(10, 10 + COUNT)]

    async def sent() -> None:
        await asyncio.gather(*(trader.desk.submit(OrderGroup((each,))) for each in orders))

    trader._run(sent())
    trader.settle()
    return orders


def at_the_venue(trader: Trader) -> Counter[str]:
    """Return how many orders bear each client id."""
    book = trader.rest.get("/v2/orders", status="all", limit="500")
    return Counter(each["client_order_id"] for each in book)


def rejected(trader: Trader) -> list[str]:
    told = [each for each in trader.told if isinstance(each, OrderUpdate)]
    return [each.client_order_id for each in told if each.status is OrderStatus.REJECTED]


@pytest.mark.parametrize("name", ["gateway_timeout", "bad_gateway", "cut_answer"])
def test_each_order_of_a_burst_is_one_order_whatever_became_of_its_answer(name: str) -> None:
    """Half of the answers are lost, of orders that were taken or were not: each is there once, none is refused."""
    with trading(*[100.0] * 8) as trader:
        trader.sandbox.fault(name, count=COUNT // 2, match=POST)
        asked = [each.client_order_id for each in burst(trader)]
        assert at_the_venue(trader) == Counter(asked)
        assert rejected(trader) == []


def test_an_entry_over_the_limit_is_rejected_aloud_and_never_at_the_venue() -> None:
    """429 says that it was not taken: the function is told of each, and the others are there once."""
    with trading(*[100.0] * 8) as trader:
        trader.sandbox.fault("rate_limited", count=COUNT // 2, match=POST)
        asked = [each.client_order_id for each in burst(trader)]
        there, refused = at_the_venue(trader), rejected(trader)
        assert there + Counter(refused) == Counter(asked)
        assert len(refused) == COUNT // 2
