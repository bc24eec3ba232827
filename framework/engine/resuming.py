"""A session that goes on: its earlier runs' orders, cash, positions and open trades, made again from the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from framework.columns import Columns
from framework.engine.live_broker import LiveBroker
from framework.engine.live_data import LiveData
from framework.engine.silent import settle, take_in
from framework.engine.splitting import split_ledger
from framework.engine.tickets import Ticket
from framework.errors import ConfigError
from framework.live.identity import NamedOrderId, parsed
from framework.live.past import Past, Step
from framework.model import MINUTE


def resume(broker: LiveBroker, strategy: Any, datas: Iterable[LiveData], past: Past) -> None:
    """Play an earlier run's fills into the ledger and the strategy's trades; its open orders are open again.

    The strategy hears of each open order, as it stands, and of nothing that is over.
    """
    feeds = {data._name: data for data in datas}
    feeds |= {symbol: _over(symbol, broker) for symbol in past.added if symbol not in feeds}
    orders: dict[str, Any] = {}
    groups = []
    for intent in past.intents:
        tickets = [Ticket(**each) for each in intent.tickets]
        made = [ticket.order(_feed(feeds, ticket.data), strategy) for ticket in tickets]
        for ticket, order in zip(tickets, made, strict=True):
            orders[ticket.client_order_id] = order
            if isinstance(name := parsed(ticket.client_order_id), NamedOrderId):
                order.addinfo(name=name.name)
                broker.named[name.name] = order.ref
            if ticket.holdtime:
                order.addinfo(holdtime=ticket.holdtime)
                broker.resume_hold(order, ticket.client_order_id)
            order.submit(broker)
        groups.append((intent.group.kind, made))
    for step in past.steps:
        _again(broker, strategy, feeds, orders, step)
    _free_names(broker, orders.values())
    for kind, made in groups:
        if any(order.alive() for order in made):
            broker.restraint.note_group(kind, made)
    for client_order_id, order in orders.items():
        broker.reopen(order, client_order_id, past.versions.get(client_order_id))
    broker.restraint.resume(past)


def _over(symbol: str, broker: LiveBroker) -> LiveData:
    """Return a feed for a symbol that was added once and is done with: its trades are booked, no bar comes."""
    data = LiveData(dataname=Columns.empty(), symbol=symbol, unit=MINUTE)
    data._name = symbol
    data.setenvironment(broker.cerebro)
    data.reset()
    data._start()
    return data


def _free_names(broker: LiveBroker, orders: Iterable[Any]) -> None:
    """Give back the names of orders that came to nothing."""
    for order in orders:
        if order.status in (order.Rejected, order.Margin):
            broker.named.pop(order.info.get("name"), None)


def _again(
    broker: LiveBroker, strategy: Any, feeds: Mapping[str, LiveData], orders: Mapping[str, Any], step: Step
) -> None:
    if step.split is not None:
        split_ledger(broker, strategy, feeds.values(), step.split)
    elif step.update is None:
        settle(broker, strategy, _feed(feeds, step.symbol), step.quantity, step.price, step.at)
    elif (order := orders.get(step.update.client_order_id)) is not None:
        told = broker.relive(order, step.update)
        if told is not None:
            take_in(strategy, told)


def _feed(feeds: Mapping[str, LiveData], name: str) -> LiveData:
    if name not in feeds:
        raise ConfigError(
            f"the session's journal has orders or a position of {name}, which is not among the feeds of this run "
            f"({', '.join(feeds)}); run it with the symbols that it had, or give the session another name"
        )
    return feeds[name]
