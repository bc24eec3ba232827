"""The pieces of `benchmarks/soak.py`: what is played, what is looked at, and what is found wrong."""

from __future__ import annotations

import importlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from brokers import AlpacaVenue
from feeds import AlpacaBars, SampleBars
from framework import Live, run
from framework.app.sandbox import Sandbox

OPEN = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
BESIDE = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def soak(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The benchmark, as if it ran in its own folder."""
    monkeypatch.syspath_prepend(str(BESIDE))
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    return importlib.import_module("soak")


@pytest.fixture
def traded(soak: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A quarter of an hour of one symbol, in lock-step: the sandbox, the result, and the last look."""
    session = importlib.import_module("soak_session")
    bars = SampleBars(["S00"], "2026-10-05", OPEN + timedelta(minutes=15))
    with Sandbox(bars) as sandbox:
        source = AlpacaBars(["S00"], **sandbox.access)
        live, every = Live(session="soak", durable="OFF"), {"every": 3}
        found = run(session.Trader, source=source, venue=AlpacaVenue(**sandbox.access), live=live, params=every)
        yield soak.Sandbox(sandbox.url, sandbox.key, sandbox.secret), found, session.looked(found.strategy)


def test_the_week_has_what_befalls_a_week(soak: Any) -> None:
    """A weekend with the end of summer time, a holiday, an early close; a split between, a halt within its days."""
    tape = importlib.import_module("soak_tape")
    autumn, holidays = (stretch.days for stretch in tape.WHOLE)
    assert {opens.hour for opens, _ in autumn} == {13, 14}
    assert sorted(closes.hour for _, closes in holidays) == [18, 21, 21, 21]
    for stretch in (*tape.WHOLE, *tape.QUICK):
        assert not any(opens <= stretch.shares_split.at <= closes for opens, closes in stretch.days)
        assert sum(fault is not None for _, fault in stretch.faults()) == 3 * len(stretch.days)
        assert all(any(opens < at < closes for opens, closes in stretch.days) for at, _ in stretch.faults())


def test_the_tape_has_the_halt_and_a_last_night(soak: Any) -> None:
    """The symbol that is halted lacks three quarters of an hour; the clock runs on after the last close."""
    quick = importlib.import_module("soak_tape").QUICK[0]
    tape = quick.tape()
    (halted,) = tape.halts
    between = tape.bars[halted.symbol].between(halted.since, halted.until)
    assert len(between) == 0
    assert tape.next_at(quick.ends - timedelta(minutes=1)) == quick.ends


def test_a_session_is_looked_at_from_inside(soak: Any, traded: Any) -> None:
    """What it holds, what its result is made of, and what it says of its book."""
    _, found, told = traded
    assert len(found.orders) > 2
    assert told["needed"] > len(found.bars["S00"]) * 7 * 8
    assert told["cash"] == found.strategy.broker.getcash()


def test_book_and_venue_are_compared(soak: Any, traded: Any) -> None:
    """They agree, but for shares that the test says are another program's, and cash that it made up."""
    venue, _, told = traded
    held = {each["symbol"]: float(each["qty"]) for each in venue.ask("/v2/positions")}
    agreed = soak.differences(venue, told | {"positions": {}, "open": 0}, held)
    assert [each for each in agreed if each != "orders are open"] == []
    wrong = soak.differences(venue, told | {"cash": 0.0, "positions": {"S00": 1}}, held | {"S00": 1e6})
    assert [each.split()[0] for each in wrong if each != "orders are open"] == ["the", "the", "cash"]


def test_the_journal_is_counted(soak: Any, traded: Any, tmp_path: Path) -> None:
    """Its bytes, its records, the orders that left and the bars that were fetched."""
    _, found, _ = traded
    counted = soak.journal(tmp_path / "soak.sqlite")
    assert counted["orders"] == len(found.orders)
    assert counted["of bars"] == len(found.bars["S00"])
    assert counted["journal"] > 4_096


def test_bars_are_compared_with_the_tape(soak: Any, tmp_path: Path) -> None:
    """All of them are right; one that is left out is found."""
    session, tape = importlib.import_module("soak_session"), importlib.import_module("soak_tape")
    stretch = tape.Stretch("one", "2026-10-05", "2026-10-06", "2026-10-06", "2026-10-06", 60.0, symbols=2)
    played = stretch.tape()
    bars = {each: played.bars[each].between(stretch.days[0][0], None) for each in stretch.names}
    session.written(tmp_path / "bars.npz", bars)
    assert soak.bars_wrong(tmp_path / "bars.npz", stretch) == []
    session.written(tmp_path / "bars.npz", bars | {"S01": bars["S01"][1:]})
    assert soak.bars_wrong(tmp_path / "bars.npz", stretch) == ["S01: 1 bars are missing, 0 too many"]


def test_growth_leaves_the_first_day_out(soak: Any) -> None:
    """By least squares through the others; what grows is named, most first."""
    assert soak.growth([0.0, 10.0, 12.0, 14.0]) == pytest.approx(2.0)
    days = [Counter(orders=count, trades=count // 2) for count in (5, 100, 200, 300)]
    nights = [soak.Night(OPEN, {"threads": 5}, each, Counter()) for each in days]
    assert [name for name, *_ in soak.named(nights, "kept")] == ["orders", "trades"]
    assert soak.grown(nights, {"sockets": 61}) == ["61 sockets"]


def test_what_is_reported_is_one_table(soak: Any) -> None:
    """A night a column, then growth and the most that was seen."""
    stretch = importlib.import_module("soak_tape").QUICK[0]
    figures = {key: 2.0 * scale**-1 for _, key, scale in soak.FIGURES} | {"of bars": 3.0}
    nights = [soak.Night(opens, figures, Counter(), Counter()) for opens, _ in stretch.days]
    result = {"orders": {}, "fills": 1, "trades": 0, "nexts": 3, "told": {}, "notes": ["1 a"]}
    told = soak.report(soak.Found(stretch, nights, Counter(threads=5), result, {"drop": 1}, ["cash is 1"]))
    assert "Fri 27 Nov  Mon 30 Nov  Tue 01 Dec" in told
    assert told.endswith("WRONG  cash is 1")
