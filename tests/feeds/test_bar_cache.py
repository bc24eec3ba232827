"""The bars on disk: what was written is read, damage and crashes lose nothing but themselves."""

import json
import logging
import multiprocessing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from feeds.cache import BarCache, read_bars
from feeds.spans import Span
from framework.columns import Columns, joined

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOVEMBER = Span(date(2025, 11, 1), date(2025, 11, 30))
WINTER = Span(date(2025, 12, 1), date(2026, 1, 31))
ALL = Span(date(2025, 1, 1), date(2026, 12, 31))


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def bars_of(span: Span, price: float = 10.0) -> Columns:
    """A bar at noon of each day."""
    days = np.arange(span.first, span.last + timedelta(days=1), dtype="datetime64[D]")
    flat = np.full(len(days), price)
    return Columns.of(days + np.timedelta64(12, "h"), flat, flat, flat, flat, flat)


@pytest.fixture
def cache(tmp_path: Path) -> BarCache:
    return BarCache(tmp_path, midnight)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "SPY"


def filled(cache: BarCache) -> str | None:
    return cache.write("SPY", WINTER, bars_of(WINTER), None, AT)[1]


def same(left: Columns, right: Columns) -> bool:
    return all(np.array_equal(getattr(left, n), getattr(right, n)) for n in ("end", "open", "close", "volume"))


def test_nothing_is_held_at_first(cache):
    """An unknown symbol has no days and no edition."""
    assert cache.held("SPY").spans == ()
    assert cache.held("SPY").edition is None


def test_what_was_written_is_read(cache):
    """The bars of two years come back as one run, whose days are on record."""
    edition = filled(cache)
    held, bars = cache.read("SPY", ALL)
    assert same(bars, bars_of(WINTER))
    assert held.edition == edition
    assert held.spans == tuple(WINTER.by_year())


def test_each_year_has_a_file(cache, place):
    """Parquet, by year: other tools can read it."""
    filled(cache)
    files = sorted(place.glob("*.parquet"))
    assert [file.name[:4] for file in files] == ["2025", "2026"]
    assert parquet.read_table(files[0]).num_rows == 31


def test_read_gives_only_the_days_asked_for(cache):
    """Days outside of the span stay where they are."""
    filled(cache)
    _, bars = cache.read("SPY", Span(date(2025, 12, 30), date(2026, 1, 2)))
    assert len(bars) == 4


def test_earlier_days_join_the_later_ones(cache):
    """A range before the one that is held goes in front of it."""
    edition = filled(cache)
    assert cache.write("SPY", NOVEMBER, bars_of(NOVEMBER), edition, AT) == (True, edition)
    assert same(cache.read("SPY", ALL)[1], joined([bars_of(NOVEMBER), bars_of(WINTER)]))


def test_days_without_bars_are_on_record(cache):
    """A range that has no bars is not asked for again."""
    cache.write("SPY", NOVEMBER, Columns.empty(), None, AT)
    assert cache.held("SPY").spans == (NOVEMBER,)
    assert cache.held("SPY").edition is None


def test_each_range_knows_when_it_was_fetched(cache, place):
    """The index pairs days with the instant of their download; the newer one wins."""
    edition = filled(cache)
    later = Span(date(2026, 1, 30), date(2026, 2, 2))
    cache.write("SPY", later, bars_of(later), edition, AT + timedelta(days=2))
    days = json.loads((place / "index.json").read_text())["years"]["2026"]["days"]
    assert days == [
        ["2026-01-01", "2026-01-29", "2026-03-01T12:00:00+00:00"],
        ["2026-01-30", "2026-02-02", "2026-03-03T12:00:00+00:00"],
    ]


def test_bars_of_another_edition_are_not_written(cache):
    """Who fetched before a split was noticed cannot add to what was fetched after it."""
    filled(cache)
    written, edition = cache.write("SPY", NOVEMBER, bars_of(NOVEMBER, 20.0), None, AT)
    assert not written
    assert edition == cache.held("SPY").edition
    assert same(cache.read("SPY", ALL)[1], bars_of(WINTER))


def test_first_bars_make_an_edition(cache):
    """Two who both saw a symbol without bars cannot both add: the second would not know what it adds to."""
    cache.write("SPY", NOVEMBER, Columns.empty(), None, AT)
    filled(cache)
    assert cache.write("SPY", NOVEMBER, bars_of(NOVEMBER), None, AT)[0] is False


def test_drop_forgets_the_edition_that_is_meant(cache):
    """A drop that comes late, after another process fetched anew, does nothing."""
    edition = filled(cache)
    cache.drop("SPY", "another")
    assert len(cache.read("SPY", ALL)[1]) == 62
    cache.drop("SPY", edition)
    assert len(cache.read("SPY", ALL)[1]) == 0
    assert cache.held("SPY").spans == ()


@pytest.mark.parametrize("damage", [b"", b"PAR1 and then nothing", None])
def test_damaged_file_is_reported_and_set_aside(cache, place, caplog, damage):
    """Its year is missing from then on, the other year stays, and the file is kept for whoever wants to look."""
    edition = filled(cache)
    file = next(place.glob("2025-*.parquet"))
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0xFF
    file.write_bytes(content if damage is None else damage)
    with caplog.at_level(logging.WARNING, "switchback.cache"):
        held, bars = cache.read("SPY", ALL)
    assert file.name in caplog.text
    assert file.with_name(file.name + ".corrupt").exists()
    assert held.spans == (Span(date(2026, 1, 1), date(2026, 1, 31)),)
    assert (held.edition, len(bars)) == (edition, 31)


def test_missing_file_is_missing_days(cache, place, caplog):
    """A file that somebody removed is fetched again."""
    filled(cache)
    next(place.glob("2026-*.parquet")).unlink()
    assert cache.read("SPY", ALL)[0].spans == (Span(date(2025, 12, 1), date(2025, 12, 31)),)
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"version": 99}', b'{"version": 1, "edition": null}'])
def test_damaged_index_is_set_aside(cache, place, caplog, damage):
    """Without its index a symbol is as if it had never been fetched, and can be written anew."""
    filled(cache)
    (place / "index.json").write_bytes(damage)
    assert cache.held("SPY").spans == ()
    assert "index.json" in caplog.text
    filled(cache)
    assert len(cache.read("SPY", ALL)[1]) == 62


def test_crash_before_the_index_leaves_the_old_state(cache, place, monkeypatch):
    """The new file is there, but nothing names it: the next write takes it away."""
    edition = filled(cache)
    with monkeypatch.context() as patch:
        patch.setattr("feeds.cache._put", lambda path, content: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            cache.write("SPY", NOVEMBER, bars_of(NOVEMBER), edition, AT)
    assert len(list(place.glob("2025-*.parquet"))) == 2
    assert same(cache.read("SPY", ALL)[1], bars_of(WINTER))
    cache.write("SPY", NOVEMBER, bars_of(NOVEMBER), edition, AT)
    assert len(list(place.glob("2025-*.parquet"))) == 1
    assert len(cache.read("SPY", ALL)[1]) == 92


def test_pair_with_a_slash_has_a_folder_of_its_own(cache, tmp_path):
    """BTC/USD is one folder, inside of the cache's."""
    cache.write("BTC/USD", NOVEMBER, bars_of(NOVEMBER), None, AT)
    assert [each.name for each in tmp_path.iterdir()] == ["BTC%2FUSD"]


def test_file_with_other_columns_is_refused(tmp_path):
    """What is not a file of bars is not taken for one."""
    import pyarrow as pa

    parquet.write_table(pa.table({"end": [1]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="6 bars expected"):
        read_bars(tmp_path / "x.parquet", 6)


def add_days(folder: Path, offsets: list[int]) -> None:
    """Add one day after another, as a process does that holds what it reads."""
    cache = BarCache(folder, midnight)
    for offset in offsets:
        day = date(2026, 1, 1) + timedelta(days=offset)
        span, done = Span(day, day), False
        while not done:
            done, _ = cache.write("SPY", span, bars_of(span), cache.held("SPY").edition, AT)


def test_two_processes_write_at_once(tmp_path):
    """No bar is lost and no file broken."""
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=add_days, args=(tmp_path, list(range(n, 40, 2)))) for n in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    span = Span(date(2026, 1, 1), date(2026, 2, 9))
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert same(BarCache(tmp_path, midnight).read("SPY", ALL)[1], bars_of(span))
