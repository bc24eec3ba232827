"""What must be true after any session, whatever went wrong: each check returns what is not, in sentences."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from drills.drill_stage import Played, whole
from drills.drill_strategies import Story

from brokers.alpaca.book import Book
from brokers.alpaca.entries import Entry
from framework.columns import Columns, instant, moment
from framework.live.identity import ClientOrderId
from framework.live.records import INTENT, REVISION
from framework.model import OrderGroup

NOISE = 1e-6

WORD = re.compile(r"(S?R|S?M|SA?X|SAP*[CXERM]|SE|SA?P*)?")
"""Submitted, Accepted, Partial..., one end; each once."""

ENDS = {"filled": "C", "canceled": "X", "expired": "E", "rejected": "R"}


def broken(played: Played) -> list[str]:
    """Return every invariant that does not hold, in a sentence each."""
    checks = (twice, lost, orphaned, positions, cash, bars, words, truths, totals)
    return [text for check in checks for text in check(played)]


def groups(played: Played) -> list[OrderGroup]:
    """Return what was journalled before it was sent."""
    return [each.body["group"] for each in played.journal if each.kind == INTENT]


def chain(book: Book, group: OrderGroup, client_order_id: str) -> list[Entry]:
    """Return the venue's entries that are one order of ours: under its id, as a leg, and what replaced it."""
    place = next(at for at, each in enumerate(group.orders) if each.client_order_id == client_order_id)
    found = [entry for entry in book.entries.values() if _is_named(entry.client_order_id, client_order_id)]
    if not found:
        found = [entry for entry in _legs(book, group) if _is_like(entry, group.orders[place])]
    ids = {entry.id for entry in found}
    while more := [
        each
        for each in book.entries.values()
        if each.id not in ids and (each.replaces in ids or each.replaced_by in ids)
    ]:
        ids |= {each.id for each in more}
    return [each for each in book.entries.values() if each.id in ids]


def _is_named(name: str, client_order_id: str) -> bool:
    return name == client_order_id or re.fullmatch(re.escape(client_order_id) + r"\.\d+", name) is not None


def _legs(book: Book, group: OrderGroup) -> Iterator[Entry]:
    for each in group.orders:
        if each.client_order_id in book.by_client_id:
            entry = book.entries[book.by_client_id[each.client_order_id]]
            yield from (book.entries[leg] for leg in entry.legs)


def _is_like(entry: Entry, request: Any) -> bool:
    is_stop = request.stop_price is not None or request.trail_amount is not None
    return (entry.type != "limit") == is_stop and entry.side == request.side.value


# The checks


def twice(played: Played) -> Iterator[str]:
    """No order twice: the venue saw each id once, and has it once."""
    yield from (f"order {name} reached the venue {count} times" for name, count in played.posts.items() if count > 1)
    owners: dict[str, str] = {}
    for group in groups(played):
        for each in group.orders:
            for entry in chain(played.book, group, each.client_order_id):
                if owners.setdefault(entry.id, each.client_order_id) != each.client_order_id:
                    yield f"{entry.id} is both {owners[entry.id]} and {each.client_order_id}"
    strangers = [entry for entry in played.book.entries.values() if entry.id not in owners]
    yield from (f"the venue has {entry.client_order_id}, of which no intent was written" for entry in strangers)


def lost(played: Played) -> Iterator[str]:
    """None lost: what was to be sent is at the venue, was told as over, or is told as open."""
    for group in groups(played):
        for each in group.orders:
            name = each.client_order_id
            if not chain(played.book, group, name) and not _is_told(played, name):
                yield f"order {name} is not at the venue, and nobody was told"


def _is_told(played: Played, name: str) -> bool:
    story = stories(played).get(name)
    return (story is not None and story.is_over) or any(f"order {name} " in note for note in played.result.notes)


def orphaned(played: Played) -> Iterator[str]:
    """None orphaned: what is open at the venue belongs to an open order, and the result says so."""
    for group in groups(played):
        for each in group.orders:
            name = each.client_order_id
            is_live = any(entry.is_live for entry in chain(played.book, group, name))
            if is_live and name not in played.broker.open_ids:
                yield f"order {name} is open at the venue, and over for us"
            if is_live and not any(f"order {name} is still open" in note for note in played.result.notes):
                yield f"order {name} is open at the venue, and no note says so"


def positions(played: Played) -> Iterator[str]:
    """The session holds what the venue holds."""
    for data in played.strategy.datas:
        ours, theirs = played.broker.getposition(data).size, played.book.account.holding(data._name).size
        if abs(ours - theirs) > NOISE:
            yield f"{data._name}: the session holds {ours:g}, the venue {theirs:g}"


def cash(played: Played) -> Iterator[str]:
    """Cash is what it was at the start, less what the fills cost."""
    spent = 0.0
    for each in played.book.executions:
        entry = played.book.entries[each.entry]
        spent += (1 if entry.side == "buy" else -1) * each.quantity * each.price
    ours = played.broker.getcash()
    if abs(played.result.cash - spent - ours) > 1e-4:
        yield f"the session has {ours:.4f} in cash, by the venue's fills {played.result.cash - spent:.4f}"


def bars(played: Played) -> Iterator[str]:
    """Every bar that was traded reached the strategy once and in order, or was counted as revised."""
    revised = {(each.key, each.body["bar"].end) for each in played.journal if each.kind == REVISION}
    for symbol, tape in whole(played.scene.tape).items():
        known, got = played.data.known(symbol, moment(tape.end[-1])), played.result.bars[symbol]
        missing = known.end[~np.isin(known.end, got.end)]
        missing = missing[missing > instant(played.up_at)]
        if lacking := [end for end in missing if (symbol, moment(end)) not in revised]:
            yield f"{symbol}: {len(lacking)} bars never came, such as {lacking[0]}"
        if not np.all(np.diff(got.end) > np.timedelta64(0)):
            yield f"{symbol}: bars came twice or out of order"
        if not np.all(np.isin(got.end, known.end)):
            yield f"{symbol}: bars that were never traded"
        elif not np.all(_same(got, tape) | _same(got, known)):  # as it was first, or with what was reported late
            yield f"{symbol}: other prices than the tape's"


def _same(got: Columns, told: Columns) -> Any:
    told = told[np.isin(told.end, got.end)]
    return np.all([getattr(told, name) == getattr(got, name) for name in ("open", "high", "low", "close")], axis=0)


def stories(played: Played) -> Mapping[str, Story]:
    """Return what the strategy was told of each order, by client order id."""
    broker, ids = played.broker, played.strategy.ids
    own = {ref: str(ClientOrderId(broker._session, broker._run, ref)) for ref in played.strategy.stories}
    return {ids.get(ref, own[ref]): story for ref, story in played.strategy.stories.items()}


def words(played: Played) -> Iterator[str]:
    """Each status came once and in its order."""
    for story in played.strategy.stories.values():
        if not WORD.fullmatch(story.word):
            yield f"order {story.ref} went through {story.word}"


def truths(played: Played) -> Iterator[str]:
    """What the strategy was told of each order is so at the venue: how much, at what price, what became of it."""
    told = stories(played)
    for group in groups(played):
        for each in group.orders:
            story, found = told.get(each.client_order_id), chain(played.book, group, each.client_order_id)
            if story is not None and found:
                yield from _differences(each, story, found)


def _differences(request: Any, story: Story, found: Sequence[Entry]) -> Iterator[str]:
    name, last = request.client_order_id, found[-1]
    filled, paid = sum(each.filled_qty for each in found), sum(each.paid for each in found)
    if abs(abs(story.size) - filled) > NOISE:
        yield f"order {name}: told {abs(story.size):g} filled, at the venue {filled:g}"
    elif filled and abs(story.price - paid / filled) > 1e-4:
        yield f"order {name}: told a price of {story.price:.5f}, at the venue {paid / filled:.5f}"
    if last.is_live == story.is_over:
        yield f"order {name}: told {story.word}, at the venue {last.status}"
    elif not last.is_live and story.word[-1] != ENDS.get(last.status):
        is_our_end = (last.status, story.word[-1]) == ("canceled", "E") and request.expires_at is not None
        if not is_our_end:
            yield f"order {name}: told {story.word}, at the venue {last.status}"


def totals(played: Played) -> Iterator[str]:
    """All fills together, by symbol and side, are the venue's: whoever's they were."""
    ours: defaultdict[tuple[str, bool], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for story in played.strategy.stories.values():
        if story.size:
            one = ours[story.symbol, story.size > 0]
            one[0] += abs(story.size)
            one[1] += abs(story.size) * story.price
    theirs: defaultdict[tuple[str, bool], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for each in played.book.executions:
        entry = played.book.entries[each.entry]
        two = theirs[entry.symbol, entry.side == "buy"]
        two[0] += each.quantity
        two[1] += each.quantity * each.price
    for key in {*ours, *theirs}:
        if abs(ours[key][0] - theirs[key][0]) > NOISE or abs(ours[key][1] - theirs[key][1]) > 1e-3:
            yield f"{key}: told fills of {ours[key]}, at the venue {theirs[key]}"
