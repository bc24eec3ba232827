"""The picture of a trading function's session: who and with what money, sums, positions, messages, trade updates.

It is made for a width; where a height is given too, each part has its share of the lines and says how much is left
out. Columns go before a figure is cut. Pure, but for the zone of the times, which is the machine's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from framework.app.functions.board import Board, Held, TradeUpdate
from framework.live.columns import Cell, Column, clean, table
from framework.live.screen import LEAST, gain, shares, spread
from framework.live.wording import money

WIDE = 150
"""From how many columns on the updates are beside the positions."""

FEWEST = 2
"""How many rows a part has at the least, where it has so many; with fewer it is left out."""

LONGEST = 21
"""How much of a ticker is shown: an option's has so many characters."""

_BADGES = {
    "sandbox": "bold black on cyan",
    "paper": "bold black on yellow",
    "real-money": "bold white on red",
    "backtest": "bold black on white",
}

_WAITS, _REFUSED = ("◌", "yellow"), ("✗", "bold red")
_MARKS = {
    "filled": ("✓", "bold green"),
    "partially_filled": ("◐", "green"),
    **dict.fromkeys(("pending_new", "new", "accepted", "accepted_for_bidding", "held"), _WAITS),
    **dict.fromkeys(("pending_cancel", "pending_replace"), _WAITS),
    **dict.fromkeys(("rejected", "error", "suspended"), _REFUSED),
}
_OTHERS = ("•", "dim")
"""What is over without a fill: canceled, expired, replaced."""


def drawn(board: Board, width: int = 80, height: int | None = None, most: int = 15) -> RenderableType:
    """Return the picture, with at most so many trade updates."""
    head = _head(board, width)
    updates = _updates(board, most)
    others = [each for each in (_positions(board), _messages(board, most, height)) if each]
    room = None if height is None else height - len(head)
    if width < WIDE:  # below, the updates would have no room for their times
        return Group(*head, *_stacked([*others, updates], width, room))
    left = width * 3 // 5
    grid = Table.grid(padding=0)
    grid.add_column(width=left)
    grid.add_column(width=width - left)
    grid.add_row(Group(*_stacked(others, left, room)), Group(*_stacked([updates], width - left, room)))
    return Group(*head, grid)


def _stacked(boxes: Sequence[Box], width: int, room: int | None) -> list[RenderableType]:
    return [each.drawn(rows, width) for each, rows in shares(boxes, room, FEWEST)]


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the picture in a frame: `more` lines beside its rows; the highest rank goes first where room lacks."""

    title: str
    colour: str
    count: int
    inside: Callable[[int, int], RenderableType]
    rank: int
    more: int = 0
    none: str = "none"

    @property
    def lines(self) -> int:
        """How many lines it takes beside its rows: the frame, and what else there is."""
        return 2 + (self.more if self.count else 0)

    def drawn(self, rows: int, width: int) -> Panel:
        """Return it with the first so many of its rows."""
        part = f" ({rows} of {self.count})" if rows < self.count else ""
        body = self.inside(rows, width - 4) if self.count else Text(self.none, style="dim italic")
        title = Text(f"{self.title}{part}", style=f"bold {self.colour}")
        return Panel(
            body, box=box.ROUNDED, width=width, title=title, title_align="left", border_style=self.colour,
        )  # fmt: skip


# -- the parts


def _head(board: Board, width: int) -> list[Text]:
    badge = Text(f" {board.money.replace('-', ' ').upper()} ", style=_BADGES.get(board.money, "bold"))
    name = Text(f" {clean(board.name)}", style="bold cyan", no_wrap=True)
    name.truncate(max(width - badge.cell_len - 2, 1), overflow="ellipsis")
    sums = Text.assemble(
        (" Available ", "dim"), (f"{board.capital:,.2f}", "bold"),
        ("   Realized P&L ", "dim"), gain(board.realised), " ",
    )  # fmt: skip
    status = Text(f" {standing(board)}", style="italic cyan")
    bars = [(line, "on grey19") for line in spread(name, badge, width)]
    bars += [(line, "on grey11") for line in spread(status, sums, width)]
    return [_bar(line, style, width) for line, style in bars]


def _bar(line: Text, style: str, width: int) -> Text:
    """Return a line as wide as the picture, on a ground of its own."""
    bar = Text.assemble(line, style=style, no_wrap=True)
    bar.truncate(width, overflow="ellipsis", pad=True)
    return bar


def _positions(board: Board) -> Box:
    def inside(rows: int, width: int) -> RenderableType:
        held = board.held[:rows]
        return table(
            [
                Column("Asset", [*(Text(clipped(each.ticker), "bold") for each in held), Text("TOTAL", "bold yellow")]),
                Column("Qty", _all(held, board, lambda each: quantity(each.quantity)), is_right=True),
                Column("Cost Basis", _all(held, board, lambda each: _amount(each.cost_basis)), 4, True),
                Column("Last Px", [*(_price(each.last) for each in held), ""], 2, True),
                Column("Mkt Value", _all(held, board, lambda each: _amount(each.market_value)), 3, True),
                Column("Unrealized P&L", _all(held, board, lambda each: _gain(each.unrealised)), 0, True),
                Column("% Change", _all(held, board, lambda each: _percent(each.percent)), 1, True),
            ],
            width,
        )

    return Box("Portfolio Positions", "cyan", len(board.held), inside, 0, 2, "No positions")


def _all(held: Sequence[Held], board: Board, shown: Callable[[Held | Board], Cell]) -> list[Cell]:
    """Return a column: what each row shows, and the total."""
    total = shown(board)
    style = "bold yellow" if isinstance(total, str) else "bold"
    return [*map(shown, held), Text.assemble(total, style=style)]


def _messages(board: Board, most: int, height: int | None) -> Box | None:
    rejections = [told(each) for each in reversed(board.updates[:most]) if each.reason]
    messages = [*rejections, *map(clean, board.messages)]
    if height is not None:  # the latest of both, where there are many of one
        messages = [*rejections[-LEAST:], *map(clean, board.messages[-LEAST * 2 :])]

    def inside(rows: int, width: int) -> RenderableType:
        lines = [Text(each, style="yellow", no_wrap=height is not None, overflow="ellipsis") for each in messages]
        return Group(*lines[len(lines) - rows :])

    return Box("Messages", "yellow", len(messages), inside, 1) if messages else None


def _updates(board: Board, most: int) -> Box:
    latest = board.updates[: max(most, 0)]

    def inside(rows: int, width: int) -> RenderableType:
        shown = latest[:rows]
        marks = [mark(each.status) for each in shown]
        made = table(
            [
                Column("", [Text(clock(each.timestamp), "dim") for each in shown], 2),
                Column("", [Text(*each) for each in marks]),
                Column("", [Text(clipped(each.side).upper(), _side(each)) for each in shown]),
                Column("", [Text(clipped(each.ticker), "bold") for each in shown]),
                Column("", [executed(each) for each in shown], is_right=True),
                Column("", [price(each) for each in shown], 1, True),
                Column("", [Text(clipped(each.status), style) for each, (_, style) in zip(shown, marks, strict=True)]),
                Column("", [Text(clipped(each.action), "dim") for each in shown], 3),
            ],
            width,
        )
        made.show_header = False
        return made

    return Box("Trade Updates", "magenta", len(latest), inside, 2, none="Waiting for trades...")


# -- words and figures


def standing(board: Board) -> str:
    """Return how the session is: `Running... 42s remaining`."""
    if board.remaining is None:
        return clean(board.status)
    return f"{clean(board.status)} {_span(max(board.remaining, 0.0))} remaining"


def told(update: TradeUpdate) -> str:
    """Return a trade update in a line: `10:15:02 BUY SPY x10 @ 484.74 filled`, a rejection with its reason."""
    words = [clock(update.timestamp), update.side.upper(), update.ticker, executed(update), price(update)]
    reason = f": {update.reason}" if update.reason else ""
    return clean(f"{' '.join(each for each in words if each)} {update.status}{reason}")


def mark(status: str) -> tuple[str, str]:
    """Return what marks a status, and its colour."""
    return _MARKS.get(status, _OTHERS)


def clock(timestamp: float) -> str:
    """Return the time of day of the machine's own zone."""
    try:
        return f"{datetime.fromtimestamp(timestamp).astimezone():%H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "--:--:--"


def executed(update: TradeUpdate) -> str:
    """Return how much was filled so far, nothing where nothing was."""
    return f"x{quantity(update.executed_qty)}" if update.executed_qty else ""


def price(update: TradeUpdate) -> str:
    """Return what was paid on average so far, nothing where nothing was."""
    return f"@ {_price(update.executed_price)}" if update.executed_qty else ""


def clipped(text: str) -> str:
    """Return a word from outside, such as a ticker, safe to show and no longer than any real one."""
    word = clean(text)
    return word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…"


def _side(update: TradeUpdate) -> str:
    return "cyan" if update.side == "buy" else "magenta"


def quantity(units: float) -> str:
    return f"{units:,.8f}".rstrip("0").rstrip(".")


def _span(seconds: float) -> str:
    whole = round(seconds)
    if whole < 120:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m {rest:02}s" if minutes < 120 else f"{minutes // 60}h {minutes % 60:02}m"


def _price(amount: float | None) -> str:
    return "-" if amount is None else money(round(amount, 4) if abs(amount) >= 1 else amount)


def _amount(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:,.2f}"


def _gain(amount: float | None) -> Cell:
    return "-" if amount is None else gain(amount)


def _percent(share: float | None) -> Cell:
    if share is None:
        return "-"
    rounded = round(share, 2) + 0.0
    return Text(f"{rounded:+.2f}%" if rounded else "0.00%", "green" if rounded > 0 else "red" if rounded else "")
