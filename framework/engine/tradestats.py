"""`TradeAnalyzer`'s statistics of many trades at once: 3 µs a trade where its nested dictionaries take 75.

The first closed trade is left to the analyzer itself, which thereby lays out its dictionaries in its own
order; the others are added up in plain variables, in the same order, and written back.
"""

from __future__ import annotations

from typing import Any

from backtrader.utils.py3 import MAXINT

_SIDES = ("won", "lost")


def counted(analyzer: Any, trades: list[Any]) -> None:
    """Let an analyzer hear of trades it has been told of in the meantime (copies, in order)."""
    rest = iter(trades)
    for trade in rest:
        analyzer.notify_trade(trade)
        if trade.status == trade.Closed and not trade.justopened:
            break
    opened, closed = 0, []
    for trade in rest:
        if trade.justopened:
            opened += 1
        elif trade.status == trade.Closed:
            closed.append((float(trade.pnl), float(trade.pnlcomm), bool(trade.long), trade.barlen))
    found = analyzer.rets
    if opened:
        found.total.total += opened
        found.total.open += opened
    if closed:
        found.total.open -= len(closed)
        found.total.closed += len(closed)
        _add(found, closed)


def _add(found: Any, closed: list[tuple[float, float, bool, int]]) -> None:
    _streaks(found.streak, closed)
    number = found.total.closed
    found.pnl.gross.total = _total(found.pnl.gross.total, (gross for gross, _, _, _ in closed))
    found.pnl.gross.average = found.pnl.gross.total / number
    found.pnl.net.total = _total(found.pnl.net.total, (net for _, net, _, _ in closed))
    found.pnl.net.average = found.pnl.net.total / number
    for side in _SIDES:
        mine = [net for _, net, _, _ in closed if (net >= 0.0) == (side == "won")]
        found[side].total += len(mine)
        _earned(found[side].pnl, mine, found[side].total, side)
    for way in ("long", "short"):
        _one_way(found[way], [each for each in closed if each[2] == (way == "long")])
    _lengths(found, closed)


def _one_way(found: Any, closed: list[tuple[float, float, bool, int]]) -> None:
    found.total += len(closed)
    found.pnl.total = _total(found.pnl.total, (net for _, net, _, _ in closed))
    found.pnl.average = found.pnl.total / (found.total or 1.0)
    for side in _SIDES:
        mine = [net for _, net, _, _ in closed if (net >= 0.0) == (side == "won")]
        found[side] += len(mine)
        _earned(found.pnl[side], mine, found[side], side)


def _earned(found: Any, nets: list[float], count: int, side: str) -> None:
    found.total = _total(found.total, nets)
    found.average = found.total / (count or 1.0)
    best = found.max or 0.0
    for net in nets:
        best = max(best, net) if side == "won" else min(best, net)
    found.max = best


def _streaks(found: Any, closed: list[tuple[float, float, bool, int]]) -> None:
    for side in _SIDES:
        current, longest = found[side].current, found[side].longest or 0
        for _, net, _, _ in closed:
            current = current + 1 if (net >= 0.0) == (side == "won") else 0
            longest = max(longest, current)
        found[side].current, found[side].longest = current, longest


def _lengths(found: Any, closed: list[tuple[float, float, bool, int]]) -> None:
    lengths = [length for _, _, _, length in closed]
    stats = found.len
    stats.total += sum(lengths)
    stats.average = stats.total / found.total.closed
    stats.max = max(stats.max or 0, *lengths)
    stats.min = _least(stats.min, lengths)
    for side in _SIDES:
        mine = [length for _, net, _, length in closed if (net >= 0.0) == (side == "won")]
        one = stats[side]
        one.total += sum(mine)
        one.average = one.total / (found[side].total or 1.0)
        one.max = max([one.max or 0, *mine])
        if any(mine):
            one.min = _least(one.min, [length for length in mine if length])
    for way in ("long", "short"):
        _way_lengths(stats[way], found[way], [each for each in closed if each[2] == (way == "long")], len(closed))


def _way_lengths(stats: Any, counts: Any, closed: list[tuple[float, float, bool, int]], times: int) -> None:
    lengths = [length for _, _, _, length in closed]
    stats.total += sum(lengths)
    stats.average = stats.total / (counts.total or 1.0)
    stats.max = max([stats.max or 0, *lengths])
    stats.min = min([stats.min or MAXINT, *(length for length in lengths if length)])
    for side in _SIDES:
        mine = [length for _, net, _, length in closed if (net >= 0.0) == (side == "won")]
        one = stats[side]
        one.total += sum(mine)
        one.average = one.total / (counts[side] or 1.0)
        one.max = max([one.max or 0, *mine])
        one.min = min([one.min or MAXINT, *(length for length in mine if length)])


def _least(known: Any, lengths: list[int]) -> Any:
    """Return the least length as the analyzer keeps it: a length of 0 is forgotten at the next trade."""
    for length in lengths:
        known = min(known or MAXINT, length)
    return known


def _total(total: float, parts: Any) -> float:
    for part in parts:
        total += part
    return total
