"""The session that `soak.py` looks at: a strategy over many symbols, in a process of its own.

The first line that it reads is its job. For each further line it prints one of JSON: {"objects", "garbage",
"kept": {name: items}, "needed": bytes of bars, orders, fills, trades and equity, which the result is made of,
"types", "cash", "positions", "open"}. The last line is what came of it, under "result".
"""

from __future__ import annotations

import gc
import json
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
from backtrader.linebuffer import LineBuffer

from framework.columns import Columns
from framework.engine.recorder import EquityCurve, Recorder

FEWEST = 200
"""Containers of fewer items are not looked at one by one."""

OURS = ("framework", "feeds", "brokers", "backtrader")


@dataclass(frozen=True)
class Job:
    """What the session is: `every` so many minutes each symbol is looked at, `before_close` is in minutes."""

    url: str
    key: str
    secret: str
    symbols: list[str]
    name: str
    bars: str
    every: int = 30
    before_close: float = 90.0
    grace: float = 0.08


class Trader(bt.Strategy):  # type: ignore[misc]
    """Trades each symbol now and then: brackets, pairs of exits, limits that expire; it remembers what is open only."""

    params = (("every", 30), ("lot", 2_000))

    def __init__(self) -> None:
        self.averages = [bt.ind.SMA(data, period=20) for data in self.datas]
        self.mine: dict[Any, list[Any]] = {data: [] for data in self.datas}
        self.looked_at = dict.fromkeys(self.datas, 0.0)
        self.nexts = 0
        self.told: Counter[str] = Counter()

    def notify_store(self, text: str, *_: Any, **__: Any) -> None:
        self.told[text.split(":")[0]] += 1

    def next(self) -> None:
        self.nexts += 1
        now = self.datetime[0]
        minute = round(now * 24 * 60)
        for number, data in enumerate(self.datas):
            # A bar that comes late has a `next` of its own at the same time: each of ours is looked at once.
            if self.looked_at[data] < data.datetime[0] == now and (minute + number) % self.p.every == 0:
                self.looked_at[data] = now
                self._look(data, minute // self.p.every + number)

    def _look(self, data: Any, turn: int) -> None:
        mine = self.mine[data] = [each for each in self.mine[data] if each.alive()]
        size = self.getposition(data).size
        if mine:
            for each in mine:
                self.cancel(each)
        elif size:
            self._leave(data, size, turn)
        else:
            self._enter(data, turn)

    def _leave(self, data: Any, size: float, turn: int) -> None:
        """Close, or let one of two exits do it."""
        price = data.close[0]
        if turn % 2:
            self.mine[data] = [self.sell(data, size=size)]
            return
        first = self.sell(data, size=size, exectype=bt.Order.Limit, price=price * 1.002)
        self.mine[data] = [first, self.sell(data, size=size, exectype=bt.Order.Stop, price=price * 0.998, oco=first)]

    def _enter(self, data: Any, turn: int) -> None:
        price = data.close[0]
        size = max(int(self.p.lot / price), 1)
        if turn % 3 == 0:
            self.mine[data] = self.buy_bracket(
                data=data, size=size, price=price * 1.001, stopprice=price * 0.997, limitprice=price * 1.003
            )
        elif turn % 3 == 1:
            self.mine[data] = [self.buy(data, size=size)]
        else:
            limit, soon = price * 0.999, timedelta(minutes=self.p.every // 2)
            self.mine[data] = [self.buy(data, size=size, exectype=bt.Order.Limit, price=limit, valid=soon)]


def looked(strategy: Any) -> dict[str, Any]:
    """Return what the process holds, after a collection."""
    garbage = gc.collect()
    found = gc.get_objects()
    kept, needed = Counter[str](), 0
    for each in found:
        kind = type(each)
        if not str(getattr(kind, "__module__", "")).startswith(OURS):
            continue
        if isinstance(each, LineBuffer):
            needed += sys.getsizeof(getattr(each, "array", ()))
        elif isinstance(each, Recorder | EquityCurve):
            rows = ("orders", "fills", "trades", "times", "values")
            needed += sum(_size(getattr(each, name, ())) for name in rows)
        kept.update(dict(_large(kind, each)))
    types = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in found)
    broker = strategy.broker
    return {
        "objects": len(found),
        "garbage": garbage,
        "kept": kept,
        "needed": needed,
        "types": {name: count for name, count in types.items() if count >= FEWEST},
        "cash": broker.getcash(),
        "positions": {data.p.symbol: each.size for data, each in broker.positions.items() if each.size},
        "open": len(broker.open_ids),
    }


def _large(kind: type, each: Any) -> list[tuple[str, int]]:
    """Return the names and the sizes of an object's large containers."""
    slots = (name for base in kind.__mro__ for name in _slots(base) if not issubclass(kind, dict))
    named = dict(vars(each)) if hasattr(kind, "__dictoffset__") and kind.__dictoffset__ else {}
    named |= {name: getattr(each, name, None) for name in slots}
    containers = (dict, list, set, tuple)
    return [
        (f"{kind.__name__}.{name}", count)
        for name, value in named.items()
        if isinstance(value, containers) or type(value).__name__ == "deque"
        for count in [_items(value)]
        if count >= FEWEST
    ]


def _slots(base: type) -> tuple[str, ...]:
    slots = vars(base).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _size(value: Any) -> int:
    """Return the bytes of a value and of what lies in it; names of fields are shared by all rows."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return sys.getsizeof(value) + sum(_size(each) for each in inner)


def _items(value: Any) -> int:
    """Count the items of a container, and of what lies in it."""
    inner = value.values() if isinstance(value, dict) else value
    return len(value) + sum(_items(each) for each in inner if isinstance(each, dict | list | set))


class Looks(threading.Thread):
    """Answers each line of standard input with a look."""

    def __init__(self) -> None:
        super().__init__(name="looks", daemon=True)
        self.strategy: Any = None

    def run(self) -> None:
        for _ in sys.stdin:
            print(json.dumps(looked(self.strategy)), flush=True)


def session(job: Job) -> dict[str, Any]:
    """Trade until the tape is over, and return what came of it; the bars go to a file."""
    from brokers import AlpacaVenue
    from feeds import AlpacaBars
    from framework import Live, run

    looks = Looks()

    class Soaked(Trader):
        def start(self) -> None:
            looks.strategy = self
            looks.start()

    access = {"base_url": job.url, "key": job.key, "secret": job.secret}
    live = Live(session=job.name, grace=job.grace, requests=1_000_000)
    found = run(
        Soaked, source=AlpacaBars(job.symbols, **access), venue=AlpacaVenue(**access), live=live,
        at_close="liquidate", before_close=job.before_close, params={"every": job.every},
    )  # fmt: skip
    written(Path(job.bars), found.bars)
    last = looked(looks.strategy)
    return last | {
        "nexts": found.strategy.nexts,
        "told": found.strategy.told,
        "notes": list(found.notes),
        "not_flat": list(found.not_flat),
        "orders": found.orders.groupby("status").size().to_dict(),
        "fills": len(found.fills),
        "trades": len(found.trades),
    }


def written(path: Path, bars: Any) -> None:
    """Write each symbol's ends and closes."""
    np.savez(
        path, **{f"{name} {what}": getattr(each, what) for name, each in bars.items() for what in ("end", "close")}
    )


def read(path: Path, symbols: list[str]) -> dict[str, Columns]:
    """Read what `written` wrote; all prices are the close."""
    with np.load(path) as found:
        return {
            each: Columns.of(found[f"{each} end"], *[found[f"{each} close"]] * 4, np.zeros(len(found[f"{each} end"])))
            for each in symbols
        }


if __name__ == "__main__":
    asked = Job(**json.loads(sys.stdin.readline()))
    print(json.dumps({"result": session(asked)}), flush=True)
