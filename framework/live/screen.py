"""A session's status as a picture: for a terminal that shows it while it runs, a notebook, `switchback status`.

It is made for a width: from `WIDE` on two columns, below one under the other. Where a height is given,
each part has its share of the lines and says how much is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from framework.live.columns import Cell, Column, table
from framework.live.status import CLOSING, HALTED, OVER, RUNNING, Status
from framework.live.story import short
from framework.live.wording import money

WIDE = 120
OLD = 10.0
"""Seconds without a newer status after which it is said."""

FILLS, MESSAGES = 10, 10
"""How many of the last are shown where no height is given."""

_STATES = {RUNNING: "green", HALTED: "bold red", CLOSING: "yellow", OVER: "dim"}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the picture: a title, how many rows it has, and what shows the first so many of them."""

    title: str
    count: int
    drawn: Callable[[int, int], RenderableType]
    has_header: bool = True

    @property
    def lines(self) -> int:
        """How many lines it takes beside its rows: the blank one before it, title, header."""
        return 2 + (self.has_header and self.count > 0)

    def shown(self, rows: int, width: int) -> RenderableType:
        """Return it with so many of its rows."""
        left = self.count - rows
        more = f" ({rows} of {self.count})" if left > 0 else ""
        head = Text(f"{self.title}{more}", style="bold cyan", no_wrap=True, overflow="ellipsis")
        body = self.drawn(rows, width) if self.count else Text("none", style="dim")
        return Group("", head, body)


def screen(
    status: Status, width: int = 80, height: int | None = None, age: float = 0.0, only: Collection[str] = ()
) -> RenderableType:
    """Return the picture; `age` is how many seconds ago the status was made, `only` which of its parts are wanted."""
    head = [*_head(status, width, age), _lines(status, width)]
    parts = [_positions(status), _orders(status), _fills(status)]
    messages = _messages(status)
    if only:
        return Group(*head, *(part.shown(part.count, width) for part in parts if part.title in only))
    if width < WIDE:
        all_parts = [*parts, messages]
        shares = _shares(all_parts, height, len(head))
        return Group(*head, *(part.shown(rows, width) for part, rows in zip(all_parts, shares, strict=True)))
    return Group(*head, *_side_by_side(parts, messages, width, None if height is None else height - len(head)))


def _side_by_side(parts: Sequence[Part], messages: Part, width: int, height: int | None) -> list[RenderableType]:
    """Return positions and orders on the left, fills on the right, and messages below."""
    positions, orders, fills = parts
    left, right = (width - 3) // 2, width - 3 - (width - 3) // 2
    upper = None if height is None else height - min(messages.count, max(height // 4, 3)) - messages.lines
    mine = _shares([positions, orders], upper, 0)
    theirs = _shares([fills], upper, 0)
    grid = Table.grid(padding=(0, 3, 0, 0), pad_edge=False)
    grid.add_column(width=left)
    grid.add_column(width=right)
    grid.add_row(
        Group(*(part.shown(rows, left) for part, rows in zip([positions, orders], mine, strict=True))),
        fills.shown(theirs[0], right),
    )
    if height is None:
        rows = messages.count
    else:
        used = max(
            sum(part.lines + n for part, n in zip([positions, orders], mine, strict=True)), fills.lines + theirs[0]
        )
        rows = max(min(messages.count, height - used - messages.lines), 0)
    return [grid, messages.shown(rows, width)]


def _shares(parts: Sequence[Part], height: int | None, taken: int) -> list[int]:
    """Return how many rows each part shows: all, or by turns as many as there are lines for."""
    if height is None:
        return [part.count for part in parts]
    room = height - taken - sum(max(part.lines, 3) for part in parts)
    shares = [0] * len(parts)
    for number in cycle(range(len(parts))):
        open_ones = [each for each, part in enumerate(parts) if shares[each] < part.count]
        if room <= 0 or not open_ones:
            break
        if number in open_ones:
            shares[number] += 1
            room -= 1
    return shares


# -- the parts


def _head(status: Status, width: int, age: float) -> list[RenderableType]:
    at = _local(status, status.at)
    state = Text(status.state, style=_STATES.get(status.state, "yellow"))
    if status.reason:
        state.append(f": {_clean(status.reason)}")
    if age >= OLD and status.state != OVER:
        state.append(f"  no news for {span(age)}", style="bold red")
    account = f"{status.money} ...{status.account}" if status.account else ""
    left = Text.assemble((status.session, "bold"), f"  run {status.run}  " if status.run else "  ", state)
    right = f"{account}  {at:%a %H:%M:%S} {_place(status)}"
    return [*_spread(left, Text(right), width), *_spread(_who(status), _sums(status), width)]


def _who(status: Status) -> Text:
    since = "" if status.started is None else f" since {_when(status, status.started)}"
    return Text(f"{status.strategy}{since}", style="dim")


def _sums(status: Status) -> Text:
    """Return value, cash and what was made, as far as they are known."""
    found = []
    for name, amount in (("value", status.value), ("cash", status.cash)):
        if amount is not None:
            found.append(Text.assemble((f"{name} ", "dim"), f"{amount:,.2f}"))
    for name, amount in (("day", status.day), ("session", status.total)):
        if amount is not None:
            found.append(Text.assemble((f"{name} ", "dim"), _gain(amount)))
    return Text("  ").join(found)


def _lines(status: Status, width: int) -> Text:
    """Return the streams and the request budget in a line."""
    found = []
    for each in status.connections:
        since = _when(status, each.since)
        word = Text(f"{each.stream} up" if each.is_up else f"{each.stream} DOWN since {since}: {_clean(each.reason)}")
        word.stylize("green" if each.is_up else "bold red")
        found.append(word)
    if (oldest := status.oldest_bar) is not None:
        found.append(Text(f"last bar {_when(status, oldest.at)} {oldest.symbol}"))
    if (requests := status.requests) is not None:
        wait = f", {requests.waiting} wait" if requests.waiting else ""
        used = Text(f"requests {requests.used}/{requests.limit}{wait}")
        used.stylize("bold red" if wait else "")
        found.append(used)
    line = Text("  ", no_wrap=True, overflow="ellipsis").join(found)
    line.truncate(width, overflow="ellipsis")
    return line


def _positions(status: Status) -> Part:
    held = (*status.held, *(each for each in status.holdings if not each.quantity))

    def drawn(rows: int, width: int) -> RenderableType:
        shown = held[:rows]
        return table(
            [
                Column("symbol", [each.symbol for each in shown]),
                Column("quantity", [f"{each.quantity:,g}" for each in shown], is_right=True),
                Column("average", [money(each.average_price) if each.quantity else "" for each in shown], 2, True),
                Column("last", [_price(each.last_price) for each in shown], 1, True),
                Column("value", [_amount(each.value) for each in shown], 3, True),
                Column("P&L", [_gain(each.unrealised) for each in shown], is_right=True),
                Column("%", [_share(each.return_) for each in shown], 5, True),
                Column("realised", [_gain(each.realised) for each in shown], 4, True),
            ],
            width,
        )

    return Part("Positions", len(held), drawn)


def _orders(status: Status) -> Part:
    def drawn(rows: int, width: int) -> RenderableType:
        shown = status.orders[:rows]
        return table(
            [
                Column("order", [each.name for each in shown]),
                Column("symbol", [each.symbol for each in shown]),
                Column("asked for", [each.asked for each in shown], is_text=True),
                Column("filled", [f"{each.filled:,g}" for each in shown], 1, True),
                Column("status", [each.status for each in shown], 2),
                Column("sent", [_when(status, each.at) for each in shown], 3),
            ],
            width,
        )

    return Part("Open orders", len(status.orders), drawn)


def _fills(status: Status) -> Part:
    latest = status.fills[:FILLS]

    def drawn(rows: int, width: int) -> RenderableType:
        shown = latest[:rows]
        return table(
            [
                Column("filled", [_when(status, each.at) for each in shown]),
                Column("symbol", [each.symbol for each in shown]),
                Column("side", [each.side for each in shown]),
                Column("quantity", [f"{each.quantity:,g}" for each in shown], is_right=True),
                Column("price", [money(each.price) for each in shown], is_right=True),
                Column("realised", [_gain(each.realised or None) for each in shown], 1, True),
                Column("order", [short(each.client_order_id) for each in shown], 2),
            ],
            width,
        )

    return Part("Last fills", len(latest), drawn)


def _messages(status: Status) -> Part:
    latest = status.messages[-MESSAGES:]

    def drawn(rows: int, width: int) -> RenderableType:
        shown = latest[-rows:] if rows else ()
        lines = []
        for each in shown:
            line = Text(
                f"{_when(status, each.at)}  {each.subject:<8} {_clean(each.text)}",
                style="yellow" if each.is_warning else "", no_wrap=True, overflow="ellipsis",
            )  # fmt: skip
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        return Group(*lines)

    return Part("Messages", len(latest), drawn, has_header=False)


# -- words and figures


def _spread(left: Text, right: Text, width: int) -> list[RenderableType]:
    """Return two texts at both ends of a line; where there is no room for both, in two lines."""
    for each in (left, right):
        each.no_wrap, each.overflow = True, "ellipsis"
    room = width - left.cell_len - right.cell_len
    if room >= 2:
        return [Text.assemble(left, " " * room, right, no_wrap=True)]
    left.truncate(width, overflow="ellipsis")
    right.truncate(width, overflow="ellipsis")
    return [left, right]


def _local(status: Status, at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(status.zone))


def _when(status: Status, at: datetime) -> str:
    """Return a time of the status's own day, else its day too."""
    local, now = _local(status, at), _local(status, status.at)
    return f"{local:%H:%M:%S}" if local.date() == now.date() else f"{local:%b %d %H:%M}"


def _clean(text: str) -> str:
    """Return a text that may be a venue's without what would move the cursor."""
    return "".join(each if each.isprintable() else " " for each in text)


def _place(status: Status) -> str:
    return status.zone.rpartition("/")[2].replace("_", " ")


def span(seconds: float) -> str:
    """Return a span of time in words: `40 s`, `12 min`, `3 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _gain(amount: float | None) -> Cell:
    if amount is None:
        return ""
    rounded = round(amount, 2) + 0.0  # no minus before a nought
    return Text(f"{rounded:+,.2f}" if rounded else "0.00", style="green" if rounded > 0 else "red" if rounded else "")


def _share(share: float | None) -> Cell:
    return "" if share is None else f"{100 * share:+.2f}"


def _price(price: float | None) -> str:
    return "" if price is None else money(price)


def _amount(amount: float | None) -> str:
    return "" if amount is None else f"{amount:,.2f}"
