"""Signals of earlier days, from a file: each at the time at which it was received, and once."""

from __future__ import annotations

import csv
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from feeds import AlphaHubSignals
from feeds.alphahub.file_past import of_json
from feeds.alphahub.intake import FOUND, PAST, PUSHED, Batch
from feeds.alphahub.parsing import Reading, Unreadable
from framework.errors import ConfigError
from framework.live.clock import WallClock
from framework.live.journal import SqliteJournal
from framework.live.records import CHECKED, SIGNALS
from framework.model import Side, Signal, SignalAction, Signals

AT = datetime(2026, 10, 5, 14, 30, 1, tzinfo=UTC)
BUY = {"symbol": "SPY", "side": "buy", "price": 1.5, "timestamp": "2026-10-05T14:30:00"}
SELL = {"symbol": "IBM", "side": "sell", "price": 2.5, "timestamp": "2026-10-05T14:30:00"}


def line(minutes: float = 0, algorithm: Any = 16, **lists: Any) -> dict[str, Any]:
    return {"received": (AT + timedelta(minutes=minutes)).isoformat(), "algorithm": algorithm, **lists}


def wrote(folder: Path, *lines: Any, name: str = "past.jsonl") -> Path:
    """Write lines, those that are no texts as JSON."""
    path = folder / name
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in lines))
    return path


def told(path: Path, *algorithms: int, tz: str = "UTC", **more: Any) -> list[Signals]:
    return list(AlphaHubSignals(algorithms or (16,), tz=tz, past=path, **more).history())


def shown(batches: list[Signals]) -> list[list[str]]:
    """Return signals as words."""
    return [[_words(each) for each in batch.signals] for batch in batches]


def _words(signal: Signal) -> str:
    side = signal.side.value if signal.side else "hold"
    return f"{signal.algorithm} {signal.action.value} {side} {signal.symbol}"


# Lines of JSON


def test_each_line_is_told_at_its_receipt_closes_first(tmp_path: Path) -> None:
    """Whatever is written on the signals, and in whatever order the lines are."""
    path = wrote(tmp_path, line(5, close=[SELL]), line(0, open=[BUY], close=[SELL | {"price": 3}]))
    found = told(path)
    assert shown(found) == [["16 close sell IBM", "16 open buy SPY"], ["16 close sell IBM"]]
    assert [each.at for each in found] == [AT, AT + timedelta(minutes=5)]


@pytest.mark.parametrize(("tz", "hour"), [("UTC", 14), ("America/New_York", 18)])
def test_receipt_without_a_zone_is_in_tz(tmp_path: Path, tz: str, hour: int) -> None:
    """As the times on the signals are; a stray space does no harm."""
    path = wrote(tmp_path, {"Received": "2026-10-05 T14:30:01", " algorithm": "16", "open": [BUY]})
    [batch] = told(path, tz=tz)
    assert (batch.at.hour, batch.signals[0].published) == (hour, AT.replace(hour=hour, second=0))


def test_signals_of_other_algorithms_are_left_out(tmp_path: Path) -> None:
    """Each keeps its own."""
    path = wrote(tmp_path, line(open=[BUY]), line(1, 14, open=[SELL]), line(2, "17", open=[SELL]))
    assert shown(told(path, 14, 17)) == [["14 open sell IBM"], ["17 open sell IBM"]]


def test_same_signal_is_told_once_when_it_came_first(tmp_path: Path) -> None:
    """Two files were put into one, say; what else a line has is told."""
    path = wrote(tmp_path, line(1, open=[BUY, SELL]), line(0, open=[BUY]), line(2, open=[SELL]))
    found = told(path)
    assert shown(found) == [["16 open buy SPY"], ["16 open sell IBM"]]
    assert [each.at for each in found] == [AT, AT + timedelta(minutes=1)]


def test_names_of_signals_are_those_of_a_session(tmp_path: Path) -> None:
    """By content and day: an order that is named after one has the same name in a backtest."""
    from feeds.alphahub.intake import Intake, Push

    [pushed], _ = Intake("16", Reading(UTC), timedelta(60)).pushed(Push(json.dumps({"open": [BUY, BUY]}), AT))
    assert told(wrote(tmp_path, line(open=[BUY, BUY]))) == [pushed.news]


def test_late_lines_are_skipped(tmp_path: Path) -> None:
    """As `switchback signals --json` prints what was not handed on."""
    path = wrote(tmp_path, line(open=[BUY], late="a newer one was told before it"), line(1, close=[SELL]))
    assert shown(told(path)) == [["16 close sell IBM"]]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("{", "no JSON"), ("[]", "no object"), ({"algorithm": 16, "open": []}, "received"),
        (line(0, "x", open=[]), "is no id"), (line(0, True, open=[]), "is no id"), (line(), "neither open"),
        ({**line(open=[]), "received": "soon"}, "is no time"), (line(open={}), "no list"),
        (line(open=[{**BUY, "side": "up"}]), "side up"), (line(open=[{**BUY, "price": -1}]), "price"),
    ],
)  # fmt: skip
def test_line_that_cannot_be_read_is_told_and_stops_nothing(
    tmp_path: Path, broken: Any, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted, with an example; the others are there."""
    path = wrote(tmp_path, line(open=[BUY]), "", broken, line(1, close=[SELL]))
    with caplog.at_level(logging.WARNING):
        assert len(told(path)) == 2
    [record] = caplog.records
    assert "past.jsonl: 1 of its lines" in record.getMessage()
    assert why in record.getMessage()


def test_bytes_that_are_no_text_cost_their_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And the mark that some editors begin a file with costs nothing."""
    path = tmp_path / "past.jsonl"
    good = json.dumps(line(open=[BUY])).encode()
    path.write_bytes(b"\xef\xbb\xbf" + good + b'\r\n{"received": "\xff"}\r\n')
    assert len(told(path)) == 1
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("lines", "found"),
    [((), "it is empty"), (("hello", "[]"), "line 1: no JSON"), ((line(open=[{}]),), "side None"),
     ((line(open=[BUY], late="x"),), "all in it were late")],
)  # fmt: skip
def test_file_in_which_nothing_can_be_read_is_refused(tmp_path: Path, lines: tuple[Any, ...], found: str) -> None:
    """In one line that shows what is there."""
    with pytest.raises(ConfigError, match=found) as raised:
        told(wrote(tmp_path, *lines))
    assert "\n" not in str(raised.value)


def test_day_on_which_nothing_was_to_be_done_is_no_signal(tmp_path: Path) -> None:
    """It was received, and is not asked after either."""
    assert told(wrote(tmp_path, line(open=[], close=[]))) == []


def test_algorithms_that_a_file_does_not_have(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """All of them is a mistake, one of them is said."""
    path = wrote(tmp_path, line(open=[BUY]))
    with pytest.raises(ConfigError, match="no signals of algorithm 14 or 17; it has those of 16"):
        told(path, 14, 17)
    assert len(told(path, 14, 16)) == 1
    assert "no signals of algorithm 14" in caplog.text


def test_map_of_names_is_that_of_the_parser(tmp_path: Path) -> None:
    """Symbols that are out of date."""
    path = wrote(tmp_path, line(open=[{**BUY, "symbol": "MYL"}]))
    assert shown(told(path, names={"MYL": "VTRS"})) == [["16 open buy VTRS"]]


# Tables


def table(folder: Path, header: str, *rows: str) -> Path:
    path = folder / "past.csv"
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


HEADER = "received,algorithm,action,symbol,side"


def test_rows_of_one_receipt_and_algorithm_came_together(tmp_path: Path) -> None:
    """Closes first, and those without a weight share it: as if it had been pushed so."""
    when = "2026-10-05T14:30:01"
    path = table(
        tmp_path, f"{HEADER},price,weight,published",
        f"{when},16,open,SPY,buy,1.5,,{when}", f"{when},14,open,SPY,buy,,1,", f"{when},16,open,IBM,sell,,,",
        f"{when}Z,16.0,close,C,hold,,,",
    )  # fmt: skip
    ours, theirs = told(path, 16, 14)
    assert shown([ours, theirs]) == [["16 close hold C", "16 open buy SPY", "16 open sell IBM"], ["14 open buy SPY"]]
    assert [(each.weight, each.price) for each in ours.signals] == [(0, None), (0.5, 1.5), (0.5, None)]
    assert [each.published for each in ours.signals] == [None, AT, None]


def test_names_of_columns_are_read_kindly(tmp_path: Path) -> None:
    """In any case, with space, in any order, beside others; one without a name numbers the rows."""
    path = table(tmp_path, ", Side,SYMBOL ,Action,Algorithm,Received ,Note", "0,BUY,spy,Open,16,2026-10-05T14:30:01,x")
    [batch] = told(path)
    assert shown([batch]) == [["16 open buy SPY"]]
    assert batch.signals[0].extra == {"note": "x"}


@pytest.mark.parametrize("row", ["x,16,open,SPY,buy", "{},x,open,SPY,buy", "{},16,up,SPY,buy", "{},16,open,,buy",
                                 "{},16,open,SPY,up", "{},16,open,SPY,buy,more", "{},16"])  # fmt: skip
def test_row_that_cannot_be_read_costs_itself(tmp_path: Path, row: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted, and the others are there."""
    path = table(tmp_path, HEADER, "2026-10-05T14:30:01,16,open,SPY,buy", row.format("2026-10-05T15:30"))
    assert shown(told(path)) == [["16 open buy SPY"]]
    assert "past.csv: 1 of its lines" in caplog.text


@pytest.mark.parametrize(
    ("header", "why"),
    [("recieved,algorithm,action,symbol,side", "no column 'received'.*did you mean recieved"),
     ("received,algorithm,symbol,side", "no column 'action'"), (f"{HEADER},Side", "2 columns 'side'"), ("", "none")],
)  # fmt: skip
def test_columns_that_are_missing_are_named(tmp_path: Path, header: str, why: str) -> None:
    """Before any row is read."""
    with pytest.raises(ConfigError, match=why):
        told(table(tmp_path, header, "1,2,3,4,5,6"))


# Journals


def journal(folder: Path, *records: tuple[str, str, Any]) -> Path:
    path = folder / "signals.sqlite"
    kept = SqliteJournal(path, WallClock())
    kept.append_many(records)
    kept.close()
    return path


def received(minutes: float, came: str = PUSHED, why_late: str = "", algorithm: str = "16", **more: Any) -> Any:
    fields = {"symbol": "SPY", "action": SignalAction.OPEN, "side": Side.BUY, "weight": 1.0, **more}
    signal = Signal(algorithm=algorithm, at=AT + timedelta(minutes=minutes), **fields)
    return SIGNALS, algorithm, Batch(algorithm, (signal,), (f"{minutes:064}",), came, why_late).body()


def test_journal_tells_what_was_handed_on(tmp_path: Path) -> None:
    """At its receipt and by its names: what was late, or past, is left out, as are other algorithms."""
    path = journal(
        tmp_path, received(0, PAST, "before"), received(1), received(2, FOUND), received(3, FOUND, "late"),
        received(4, algorithm="14"), received(5, PUSHED, "asleep"),
    )  # fmt: skip
    found = told(path)
    assert [each.at for each in found] == [AT + timedelta(minutes=1), AT + timedelta(minutes=2)]
    assert [each.name for each in found] == [f"{1:064}", f"{2:064}"]
    assert found[0].signals[0].key == f"{1:064}"[:24]


def test_journal_may_have_any_name_and_be_of_a_session(tmp_path: Path) -> None:
    """It is known by what it is; stale symbols are renamed here too."""
    path = journal(tmp_path, ("start", "", {}), received(0, symbol="MYL")).rename(tmp_path / "session")
    assert shown(told(path, names={"MYL": "VTRS"})) == [["16 open buy VTRS"]]


def test_journal_of_an_algorithm_that_published_nothing_is_empty(tmp_path: Path) -> None:
    """It was listened to; one that never was is asked after."""
    path = journal(tmp_path, (CHECKED, "16", {"whole_at": AT}))
    assert told(path) == []
    with pytest.raises(ConfigError, match="journal without signals"):
        told(path, 14)


# What all have in common


def test_file_of_other_days_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Else a run in which nothing happens would look like an algorithm that published nothing."""
    signals = AlphaHubSignals([16], tz="UTC", past=wrote(tmp_path, line(open=[BUY]), line(9, open=[SELL])))
    assert len(signals.history(AT - timedelta(days=1), AT)) == 1
    assert caplog.text == ""
    assert signals.history(AT + timedelta(days=1)) == ()
    assert "they are from 2026-10-05 14:30 to 2026-10-05 14:39 UTC" in caplog.text


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere.jsonl", "is no file"),
        ("bars.parquet", "of no kind that is known"),
        ("empty.sqlite", "is no journal, or one that is broken"),
    ],
)
def test_file_that_is_none_is_refused_at_once(tmp_path: Path, name: str, why: str) -> None:
    """When the source is made, not when the run begins."""
    (tmp_path / "bars.parquet").write_bytes(b"PAR1")
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(ConfigError, match=why):
        AlphaHubSignals([16], tz="UTC", past=tmp_path / name)


@pytest.mark.parametrize("name", ["after", "until"])
def test_times_without_a_zone_are_refused(tmp_path: Path, name: str) -> None:
    """They are not guessed at."""
    source = AlphaHubSignals([16], tz="UTC", past=wrote(tmp_path, line(open=[BUY])))
    with pytest.raises(ConfigError, match=f"{name} .* has no time zone"):
        source.history(**{name: AT.replace(tzinfo=None)})


_items = some.fixed_dictionaries({
    "symbol": some.sampled_from(["SPY", "IBM", "C", ""]), "side": some.sampled_from(["buy", "sell", "hold", "?"]),
    "timestamp": some.sampled_from(["2026-10-05T14:30:00", "2027-01-01T00:00:00", None]),
})  # fmt: skip
_lines = some.tuples(some.integers(0, 20), some.sampled_from([14, 16]), some.lists(_items, max_size=3), some.booleans())


@given(some.lists(_lines, max_size=8), some.integers(0, 20))
def test_signals_are_seen_only_from_the_moment_they_were_received(rows: list[Any], cut: int) -> None:
    """Whatever times are written on them; what was received by an instant and what came after it are the whole."""
    from feeds.alphahub.batches import batch_of, between, once

    texts = [json.dumps(line(at, who, **{"open" if opens else "close": items})) for at, who, items, opens in rows]
    pieces = [each for each in of_json(texts, Reading(UTC)) if not isinstance(each, Unreadable)]
    whole = once(batch_of(read) for each in pieces if (read := each.read(Reading(UTC))[0]))
    at = AT + timedelta(minutes=cut)
    assert between(whole, None, at) + between(whole, at, None) == whole
    assert [each.at for each in whole] == sorted(each.at for each in whole)
    assert all(signal.at == batch.at for batch in whole for signal in batch.signals)
    assert len({each.key for batch in whole for each in batch.signals}) == sum(len(each.signals) for each in whole)
    seen = {(signal.at, signal.symbol, signal.side) for batch in whole for signal in batch.signals}
    assert seen <= {(each.at, one.symbol, one.side) for each in pieces for one in each.read(Reading(UTC))[0]}


def test_table_and_lines_of_the_same_signals_are_the_same(tmp_path: Path) -> None:
    """To the last field: they go through one parser."""
    items = [("open", BUY), ("open", SELL | {"weight": 0.25}), ("close", SELL)]
    lists: dict[str, list[Any]] = {"open": [], "close": []}
    with (tmp_path / "past.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, [*HEADER.split(","), "price", "weight", "published"])
        rows.writeheader()
        for action, item in items:
            lists[action].append(item)
            rest = {name: value for name, value in item.items() if name != "timestamp"}
            rows.writerow({"received": AT, "algorithm": 16, "action": action, "published": item["timestamp"], **rest})
    assert told(tmp_path / "past.csv") == told(wrote(tmp_path, line(**lists)))
