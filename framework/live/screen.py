"""A session's status as a picture: for a terminal that shows it while it runs, a notebook, `switchback status`.

It is made for a width: from `WIDE` on two columns, below one under the other. Where a height is given,
each part has its share of the lines and says how much is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from framework.live.columns import Cell, Column, clean, table
from framework.live.standing import FILLS, MESSAGES
from framework.live.status import CLOSING, HALTED, OVER, RUNNING, Status
from framework.live.story import short
from framework.live.wording import money

WIDE = 120
OLD = 10.0
"""Seconds without a newer status after which it is said."""

LEAST = 3
"""How many rows of a part are shown at the least, where it has so many."""

LAST = 10
"""How many of the last fills and messages are shown where no height is given."""

_STATES = {RUNNING: "green", HALTED: "bold red", CLOSING: "yellow", OVER: "dim"}


class Sharing(Protocol):
    """What has its share of the lines: how many rows, how many lines beside them, and its rank."""

    @property
    def count(self) -> int: ...
    @property
    def rank(self) -> int: ...
    @property
    def lines(self) -> int: ...


P = TypeVar("P", bound=Sharing)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the picture: a title, how many rows it has, and what shows the first so many of them.

    The highest rank goes first where there is no room for all parts.
    """

    title: str
    count: int
    drawn: Callable[[int, int], RenderableType]
    rank: int
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
    last = LAST if height is None else max(FILLS, MESSAGES)
    parts = [_positions(status), _orders(status), _fills(status, last)]
    messages = _messages(status, last)
    if only:
        return Group(*head, *(part.shown(part.count, width) for part in parts if part.title in only))
    room = None if height is None else height - len(head)
    if width < WIDE:
        return Group(*head, *_stacked([*parts, messages], width, room))
    return Group(*head, *_side_by_side(parts, messages, width, room))


def _stacked(parts: Sequence[Part], width: int, room: int | None) -> list[RenderableType]:
    """Return parts one under the other; what no lines are left for is left out."""
    return [part.shown(rows, width) for part, rows in shares(parts, room)]


def _side_by_side(parts: Sequence[Part], messages: Part, width: int, room: int | None) -> list[RenderableType]:
    """Return positions and orders on the left, fills on the right, and messages below."""
    left, fills = parts[:-1], parts[-1]
    wide = (width - 3) // 2
    upper = None if room is None else room - min(messages.count, max(room // 4, LEAST)) - messages.lines
    ours, theirs = shares(left, upper), shares([fills], upper)
    grid = Table.grid(padding=(0, 3, 0, 0), pad_edge=False)
    grid.add_column(width=wide)
    grid.add_column(width=width - 3 - wide)
    grid.add_row(
        Group(*(part.shown(rows, wide) for part, rows in ours)),
        Group(*(part.shown(rows, width - 3 - wide) for part, rows in theirs)),
    )
    used = max(sum(part.lines + max(rows, 1) for part, rows in each) for each in (ours, theirs))
    return [grid, *_stacked([messages], width, None if room is None else room - used)]


def shares(parts: Sequence[P], room: int | None, least: int = LEAST) -> list[tuple[P, int]]:
    """Return which parts there are lines for, and how many rows of each: all, or by turns as many as go."""
    if room is None:
        return [(part, part.count) for part in parts]
    kept = list(parts)
    while len(kept) > 1 and sum(part.lines + min(max(part.count, 1), least) for part in kept) > room:
        kept.remove(max(kept, key=lambda part: part.rank))
    left = room - sum(part.lines + (part.count == 0) for part in kept)
    rows = [0] * len(kept)
    while left > 0 and any(n < part.count for n, part in zip(rows, kept, strict=True)):
        for number, part in enumerate(kept):
            if left > 0 and rows[number] < part.count:
                rows[number] += 1
                left -= 1
    return list(zip(kept, rows, strict=True))


# -- the parts


def _head(status: Status, width: int, age: float) -> list[RenderableType]:
    at = _local(status, status.at)
    state = Text(status.state, style=_STATES.get(status.state, "yellow"))
    if status.reason:
        state.append(f": {clean(status.reason)}")
    if age >= OLD and status.state != OVER:
        state.append(f"  no news for {span(age)}", style="bold red")
    account = f"{status.money} ...{status.account}" if status.account else ""
    left = Text.assemble((status.session, "bold"), f"  run {status.run}  " if status.run else "  ", state)
    right = f"{account}  {at:%a %H:%M:%S} {_place(status)}"
    return [*spread(left, Text(right), width), *spread(_who(status), _sums(status, width), width)]


def _who(status: Status) -> Text:
    since = "" if status.started is None else f" since {_when(status, status.started)}"
    return Text(f"{status.strategy}{since}", style="dim")


def _sums(status: Status, width: int) -> Text:
    """Return value, cash and what was made, as far as they are known and there is room for them."""
    sums = {"value": status.value, "cash": status.cash}
    gains = {"day": status.day, "session": status.total}
    shown = {name: Text(f"{amount:,.2f}") for name, amount in sums.items() if amount is not None}
    shown |= {name: Text.assemble(gain(amount)) for name, amount in gains.items() if amount is not None}
    words = {name: Text.assemble((f"{name} ", "dim"), amount) for name, amount in shown.items()}
    for name in ("cash", "session", "value"):
        if sum(each.cell_len + 2 for each in words.values()) - 2 > width:
            words.pop(name, None)
    return Text("  ").join(words.values())


def _lines(status: Status, width: int) -> Text:
    """Return the streams and the request budget in a line."""
    found = []
    for each in status.connections:
        word = Text(f"{each.stream} up" if each.is_up else f"{each.stream} DOWN since {_when(status, each.since)}")
        word.stylize("green" if each.is_up else "bold red")
        found.append(word)
    if (requests := status.requests) is not None:
        wait = f", {requests.waiting} wait" if requests.waiting else ""
        used = Text(f"requests {requests.used}/{requests.limit}{wait}")
        used.stylize("bold red" if wait else "")
        found.append(used)
    if (oldest := status.oldest_bar) is not None:
        found.append(Text(f"last bar {_when(status, oldest.at)} {oldest.symbol}"))
    # The reasons come last: of what does not go into the line, the messages have them too.
    found += [Text(clean(each.reason), style="red") for each in status.connections if each.reason and not each.is_up]
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
                Column("P&L", [gain(each.unrealised) for each in shown], is_right=True),
                Column("%", [_share(each.return_) for each in shown], 5, True),
                Column("realised", [gain(each.realised) for each in shown], 4, True),
            ],
            width,
        )

    return Part("Positions", len(held), drawn, 0)


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

    return Part("Open orders", len(status.orders), drawn, 1)


def _fills(status: Status, last: int) -> Part:
    latest = status.fills[:last]

    def drawn(rows: int, width: int) -> RenderableType:
        shown = latest[:rows]
        return table(
            [
                Column("filled", [_when(status, each.at) for each in shown]),
                Column("symbol", [each.symbol for each in shown]),
                Column("side", [each.side for each in shown]),
                Column("quantity", [f"{each.quantity:,g}" for each in shown], is_right=True),
                Column("price", [money(each.price) for each in shown], is_right=True),
                Column("realised", [gain(each.realised or None) for each in shown], 1, True),
                Column("order", [short(each.client_order_id) for each in shown], 2),
            ],
            width,
        )

    return Part("Last fills", len(latest), drawn, 3)


def _messages(status: Status, last: int) -> Part:
    latest = status.messages[-last:]

    def drawn(rows: int, width: int) -> RenderableType:
        shown = latest[-rows:] if rows else ()
        lines = []
        for each in shown:
            line = Text(
                f"{_when(status, each.at)}  {each.subject:<8} {clean(each.text)}",
                style="yellow" if each.is_warning else "", no_wrap=True, overflow="ellipsis",
            )  # fmt: skip
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        return Group(*lines)

    return Part("Messages", len(latest), drawn, 2, has_header=False)


# -- words and figures


def spread(left: Text, right: Text, width: int) -> list[Text]:
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


def _place(status: Status) -> str:
    return status.zone.rpartition("/")[2].replace("_", " ")


def span(seconds: float) -> str:
    """Return a span of time in words: `40 s`, `12 min`, `3 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def gain(amount: float | None) -> Cell:
    """Return a gain in green, a loss in red."""
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
