"""What a journal says of a run, and which runs a backtest cannot play again: each is refused in one line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest

from framework.errors import ConfigError
from framework.live.clock import VirtualClock
from framework.live.journal import SqliteJournal
from framework.live.records import ADDED, BARS, HISTORY, POSITION, REFUSED, REVISION, SPLIT, START
from framework.model import Bar, Split
from framework.research.recorded import STEP
from framework.research.rereading import read

AT = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
RECIPE = {"module": "m", "class": "C", "venue": "alpaca", "before_close": None}
BEGUN = {
    "run": 1, "cash": 1_000.0, "commission": 0.0, "params": {"fast": "3", "on": "<object>"}, "algorithms": [],
    "recipe": RECIPE, "account": "PA1", "symbols": ["A"], "strategy": "C", "currency": "USD",
}  # fmt: skip
NOTHING: dict[str, list[float]] = {name: [] for name in ("end", "open", "high", "low", "close", "volume")}
FED = {"timeframe": "1Min", "calendar": "XNYS", "hours": "regular", "opens_at": AT, "bars": NOTHING}


def heard(minute: int, *closes: float, symbols: str = "A") -> tuple[str, str, Mapping[str, Any]]:
    """Return the record of an instant, so many minutes after the open."""
    bars = [[close, close, close, close, 100.0] for close in closes]
    return BARS, (AT + timedelta(minutes=minute)).isoformat(), {"symbols": list(symbols), "bars": bars}


def written(folder: Path, *records: tuple[str, str, Mapping[str, Any]], **begun: Any) -> Path:
    """Write the journal of a run over two symbols."""
    path = folder / "s.sqlite"
    start = (START, "s", {name: each for name, each in {**BEGUN, **begun}.items() if each != "left out"})
    with SqliteJournal(path, VirtualClock(AT), synchronous="OFF") as journal:
        journal.append_many([start, (HISTORY, "A", FED), (HISTORY, "B", FED), *records])
    return path


def test_bars_are_as_they_came(tmp_path: Path) -> None:
    """One that comes behind its instant is played behind it; one of a feed that is further already is none."""
    late = heard(1, 51.0, symbols="B")
    found = read(written(tmp_path, heard(1, 10.0), late, heard(2, 11.0, 52.0, symbols="AB"), heard(1, 9.0)))
    one, two = AT + timedelta(minutes=1), AT + timedelta(minutes=2)
    assert {key: bar.close for key, bar in found.seen.items()} == {
        ("A", one): 10.0, ("B", one): 51.0, ("A", two): 11.0, ("B", two): 52.0,
    }  # fmt: skip
    assert found.played == {("B", one): one + STEP}
    assert (found.until, found.ledger.marks) == (two, {"A": 11.0, "B": 52.0})


def test_a_revision_is_what_the_bar_is_in_the_end(tmp_path: Path) -> None:
    """The session's own bar stays as it came."""
    end = AT + timedelta(minutes=1)
    bar = Bar("A", end, 10.0, 12.0, 10.0, 10.0, 200.0)
    found = read(written(tmp_path, heard(1, 10.0), (REVISION, "A", {"bar": bar, "was": None})))
    assert (found.seen["A", end].high, found.revised["A", end].high) == (10.0, 12.0)


def test_parameters_are_read_where_their_text_is_a_value(tmp_path: Path) -> None:
    """Of the others the names are known, so that they can be asked for."""
    found = read(written(tmp_path, heard(1, 10.0)))
    assert (found.params, found.strange) == ({"fast": 3}, {"on"})


def test_what_was_not_sent_is_an_order_too(tmp_path: Path) -> None:
    """With what it was to be, and why it was refused; earlier journals told the reason only."""
    made = {
        "created": bt.date2num(AT + timedelta(minutes=1)),
        "is_buy": False,
        "size": 3.0,
        "type": "Limit",
        "status": "Rejected",
    }
    told = (REFUSED, "A", {"order": "sell 3 Limit", "reason": "why", **made})
    (order,) = read(written(tmp_path, heard(1, 10.0), told, (REFUSED, "A", {"order": "", "reason": ""}))).ledger.orders
    assert (order.symbol, order.sign, order.size, order.kind, order.is_refused) == ("A", -1, 3.0, "Limit", True)
    assert order.decided == AT + timedelta(minutes=1)


def test_a_session_that_still_runs_is_read_up_to_its_last_record(tmp_path: Path) -> None:
    """And it is known that it runs."""
    path = written(tmp_path, heard(1, 10.0))
    assert not read(path).is_running
    with SqliteJournal(path, VirtualClock(AT), synchronous="OFF"):
        assert read(path).is_running


CANNOT = {
    "an earlier version's": ((), {"recipe": "left out"}, "before journals kept the prices"),
    "signals": ((), {"algorithms": ["AlphaHub 16"]}, r"followed signals \(AlphaHub 16\)"),
    "a commission of one's own": ((), {"commission": None}, "commission that is no fraction"),
    "a position taken over": (((POSITION, "A", {"quantity": 5.0, "price": 9.0}),), {}, "A was taken over"),
    "a split": (((SPLIT, "A", {"split": Split("A", AT, 2.0, "x"), "before": 5.0, "after": 10.0}),), {}, "A was split"),
    "a symbol that was added": (((ADDED, "C", {"timeframe": "1Min"}),), {}, "C was added"),
    "too long a history": (((HISTORY, "A", {**FED, "bars": None}),), {}, "more bars of history than a journal keeps"),
    "no bar": ((), {}, "no bar came in that run"),
}


@pytest.mark.parametrize("what", CANNOT)
def test_what_cannot_be_played_again_is_refused(what: str, tmp_path: Path) -> None:
    """In one line that says why; nothing is left out in silence."""
    records, begun, why = CANNOT[what]
    with pytest.raises(ConfigError, match=why) as error:
        read(written(tmp_path, *records, **begun))
    assert "\n" not in str(error.value)


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With those that are; a journal without a run has nothing to compare."""
    path = written(tmp_path, heard(1, 10.0))
    with pytest.raises(ConfigError, match="no run 3; it has 1 to 1"):
        read(path, 3)
    empty = tmp_path / "empty.sqlite"
    with SqliteJournal(empty, VirtualClock(AT), synchronous="OFF"):
        pass
    with pytest.raises(ConfigError, match="empty has not begun"):
        read(empty)
