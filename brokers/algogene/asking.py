"""One poll: what became of orders, asked for in an order in which nothing slips through."""

from __future__ import annotations

import logging

from brokers.algogene.following import Poll, Questions
from brokers.algogene.line import Line
from brokers.algogene.lookups import opened_trades, pending_trades, query_order, strategy_trade
from brokers.algogene.reports import Query
from framework.errors import ProtocolError

log = logging.getLogger("switchback.algogene")


async def polled(line: Line, asked: Questions) -> Poll:
    """Ask; what leaves one list is in a later one. Raise `VenueError`."""
    queries: dict[str, Query] = {}
    for trade_id in asked.queries:
        try:
            queries[trade_id] = await line.ask(query_order(line.endpoint, trade_id))
        except ProtocolError as error:  # one order that is not told of does not hide the others
            log.warning("%s", error)
    pending = await line.ask(pending_trades(line.endpoint))
    opened = await line.ask(opened_trades(line.endpoint))
    deals = await line.ask(strategy_trade(line.endpoint)) if asked.deals else None
    return Poll(line.clock.now(), queries, pending, opened, deals)
