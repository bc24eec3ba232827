"""`AlpacaBars` against a loopback server that speaks Alpaca's dialect, faults included."""

import inspect
import itertools
import logging
import pickle
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from alpaca_server import (
    KEY,
    NEW_YORK,
    SECRET,
    AlpacaServer,
    Market,
    Row,
    Split,
    cut_short,
    hang_up,
    minutes,
    serving,
    status,
)

from feeds.alpaca.source import AlpacaBars
from feeds.splits import SplitWarning
from framework.calendar import Calendar, Hours
from framework.errors import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    ProtocolError,
    RateLimited,
    Unsupported,
)
from framework.http import Http, Patience
from framework.ports import Source

MON, TUE, WED, THU, FRI = (date(2026, 1, n) for n in range(5, 10))
NOW = datetime(2026, 2, 2, 17, tzinfo=UTC)
BAD_GATEWAY = status(502, "<html><h1>502 Bad Gateway</h1></html>")


@pytest.fixture(autouse=True)
def no_keys_around(monkeypatch, tmp_path):
    """The machine's own keys and cache are out of reach."""
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "SWITCHBACK_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SWITCHBACK_CACHE", str(tmp_path / "default-cache"))


@pytest.fixture
def market() -> Market:
    week = [minutes(day, price=100.0 + n) for n, day in enumerate((MON, TUE, WED, THU, FRI))]
    aapl = [row for day in week for row in day]
    return Market({"AAPL": aapl, "IBM": [row for row in aapl if row.start.minute != 32]})


@pytest.fixture
def server(market):
    with serving(market) as it:
        yield it


@pytest.fixture
def waits():
    return []


@pytest.fixture
def bars(server: AlpacaServer, waits, tmp_path):
    """Make an AlpacaBars of the loopback server, whose waits take no time."""

    def make(symbols="AAPL", start=MON, end=FRI, **other) -> AlpacaBars:
        def http():
            return Http("Alpaca", Patience(attempts=3, read=5), wall=NOW.timestamp, sleep=waits.append)

        given = {"key": KEY, "secret": SECRET, "base_url": server.url, "cache": tmp_path / "cache", "now": lambda: NOW}
        return AlpacaBars(symbols, start, end, http=http, **(given | other))

    return make


def stamps(columns) -> list[str]:
    """The bars' ends in New York."""
    ends = (end.astype(datetime).replace(tzinfo=UTC).astimezone(NEW_YORK) for end in columns.end)
    return [f"{end:%d %H:%M}" for end in ends]


def test_it_is_a_source_without_keys_or_network():
    """A constructor asks nobody for anything."""
    source = AlpacaBars(["AAPL", "IBM"], "2026-01-05", "2026-01-09")
    assert isinstance(source, Source)
    assert source.symbols == ("AAPL", "IBM")
    assert str(source.timeframe) == "1Min"
    assert source.calendar == Calendar("XNYS", Hours.REGULAR)
    assert source.start == datetime(2026, 1, 5, 5, tzinfo=UTC)


def test_history_has_each_symbol_in_order(bars):
    """Stamped with their ends, a bar's minute after its start; missing minutes stay missing."""
    found = bars(["IBM", "AAPL"], TUE, TUE).history()
    assert list(found) == ["IBM", "AAPL"]
    assert stamps(found["AAPL"]) == ["06 09:31", "06 09:32", "06 09:33", "06 09:34", "06 09:35"]
    assert stamps(found["IBM"]) == ["06 09:31", "06 09:32", "06 09:34", "06 09:35"]


@pytest.mark.parametrize("empty_pages", [False, True])
def test_short_pages_make_one_history(server, bars, empty_pages):
    """Pages of seven bars, with or without null ones between, give what one page gives."""
    whole = bars(["AAPL", "IBM"], cache=False).history()
    server.page_size, server.empty_pages = 7, empty_pages
    paged = bars(["AAPL", "IBM"], cache=False).history()
    assert all(np.array_equal(whole[s].end, paged[s].end) for s in whole)
    assert all(np.array_equal(whole[s].close, paged[s].close) for s in whole)
    assert len(server.requests) > 7


def test_regular_hours_are_the_session(market, bars):
    """What begins before 09:30 or ends after 16:00 is left out; extended keeps 04:00 to 20:00."""
    market.rows["AAPL"] = sorted(
        (row for first in ("03:58", "09:28", "15:58", "19:58") for row in minutes(MON, first, 4)),
        key=lambda row: row.start,
    )
    regular, extended = ["05 09:31", "05 09:32", "05 15:59", "05 16:00"], ["05 04:01", "05 04:02"]
    assert stamps(bars(end=MON).history()["AAPL"]) == regular
    found = stamps(bars(end=MON, hours="extended").history()["AAPL"])
    assert found[:2] == extended
    assert found[-2:] == ["05 19:59", "05 20:00"]
    assert len(found) == 12


def test_hours_are_chosen_after_the_cache(server, market, bars):
    """Asking for other hours of the same days downloads nothing."""
    market.rows["AAPL"] = minutes(MON, "09:28", 4)
    bars(end=MON).history()
    assert len(bars(end=MON, hours="extended").history()["AAPL"]) == 4
    assert len(server.requests) == 1


def test_early_close_ends_the_session(market, bars):
    """On the day after Thanksgiving the last bar ends at 13:00."""
    friday = date(2025, 11, 28)
    market.rows["AAPL"] = minutes(friday, "12:58", 5)
    assert stamps(bars(start=friday, end=friday).history()["AAPL"]) == ["28 12:59", "28 13:00"]


def test_plain_dates_are_days_in_new_york(market, bars):
    """A bar at 19:59 of the day belongs to it, though in UTC it is the next day."""
    market.rows["AAPL"] = minutes(MON, "19:58", 2) + minutes(TUE, "04:00", 2)
    assert stamps(bars(start="2026-01-05", end="2026-01-05", hours="extended").history()["AAPL"]) == [
        "05 19:59",
        "05 20:00",
    ]


def test_instants_cut_to_the_bar(bars):
    """A bar that ends with `start` is before it; one that ends with `end` is in."""
    found = bars(start="2026-01-06T09:32-05:00", end="2026-01-06T09:34-05:00").history()["AAPL"]
    assert stamps(found) == ["06 09:33", "06 09:34"]


def test_day_bars_end_when_the_session_closes(market, bars):
    """Stamped by Alpaca with New York's midnight, known at 16:00."""
    market.timeframe = "1Day"
    market.rows["AAPL"] = [row for day in (MON, TUE) for row in minutes(day, "00:00", 1)]
    assert stamps(bars(end=TUE, timeframe="1Day").history()["AAPL"]) == ["05 16:00", "06 16:00"]


@pytest.mark.parametrize("end", [None, NOW.date(), "2027-01-01"])
def test_bar_that_is_not_over_is_not_returned(market, bars, end):
    """At noon the day's bar does not exist yet, nor does the minute that is running."""
    market.timeframe = "1Day"
    market.rows["AAPL"] = [row for day in (date(2026, 1, 30), NOW.date()) for row in minutes(day, "00:00", 1)]
    assert stamps(bars(start="2026-01-30", end=end, timeframe="1Day").history()["AAPL"]) == ["30 16:00"]
    market.timeframe = "1Min"
    market.rows["AAPL"] = minutes(NOW.date(), "11:58", 5)
    assert stamps(bars(start=NOW.date(), end=end).history()["AAPL"]) == ["02 11:59", "02 12:00"]


def test_crypto_needs_no_keys_and_has_no_hours(server, market, bars):
    """Its own path, its own calendar, bars round the clock."""
    begin = datetime(2026, 1, 4, 23, 58, tzinfo=UTC)  # a Sunday
    market.rows["BTC/USD"] = [Row(begin + timedelta(minutes=n), 90_000.0, 0.25) for n in range(4)]
    source = bars("BTC/USD", "2026-01-04", "2026-01-05", key=None, secret=None)
    assert len(source.history()["BTC/USD"]) == 4
    assert source.history()["BTC/USD"].volume.tolist() == [0.25] * 4
    assert source.calendar == Calendar("24/7")
    assert set(server.paths) == {"/v1beta3/crypto/us/bars"}


def test_days_of_crypto_are_utc(market, bars):
    """The bar that ends at midnight is the day's last."""
    begin = datetime(2026, 1, 4, 23, 58, tzinfo=UTC)
    market.rows["BTC/USD"] = [Row(begin + timedelta(minutes=n), 90_000.0) for n in range(4)]
    assert stamps(bars("BTC/USD", "2026-01-04", "2026-01-04").history()["BTC/USD"]) == ["04 18:59", "04 19:00"]


def test_second_history_needs_neither_network_nor_keys(server, bars):
    """A backtest over cached bars runs where there is no Alpaca, also one over less of them."""
    first = bars(["AAPL", "IBM"]).history()
    server.shutdown()
    server.server_close()
    again = bars(["IBM"], TUE, WED, key=None, secret=None).history()
    assert len(again["IBM"]) == 8
    assert np.array_equal(bars(["AAPL", "IBM"], key=None, secret=None).history()["AAPL"].close, first["AAPL"].close)


def test_only_the_missing_days_are_downloaded(server, bars):
    """Days on both sides of what is held are asked for, and those within are not."""
    bars(start=TUE, end=WED, adjustment="raw").history()
    server.requests.clear()
    assert len(bars(adjustment="raw").history()["AAPL"]) == 25
    assert [(query["start"][:10], query["end"][:10]) for query in server.requests] == [
        ("2026-01-05", "2026-01-06"),
        ("2026-01-08", "2026-01-10"),
    ]


def test_today_is_downloaded_each_time(server, market, bars):
    """Until eight hours after its end a day is not final, so a correction comes through."""
    market.rows["AAPL"] = minutes(NOW.date(), "11:00", 5)
    source = bars(start=NOW.date(), end=None)
    assert source.history()["AAPL"].close[0] == 100.0
    market.rows["AAPL"] = minutes(NOW.date(), "11:00", 5, price=101.0)
    assert source.history()["AAPL"].close[0] == 101.0


def test_end_in_the_past_is_asked_for_exactly(server, bars):
    """A free account may not ask for the last 15 minutes of SIP bars: what is not wanted is not asked for."""
    end = NOW - timedelta(minutes=20)
    with pytest.raises(ConfigError, match="no bars"):
        bars(start=NOW.date(), end=end, feed="sip").history()
    assert server.requests[0]["end"] == (end - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_end_left_out_is_left_to_alpaca(server, market, bars):
    """It knows whether the account may see the last 15 minutes."""
    market.rows["AAPL"] = minutes(NOW.date(), "11:00", 5)
    bars(start=NOW.date(), end=None, feed="sip").history()
    assert "end" not in server.requests[0]


@pytest.mark.parametrize(
    "kind", [{"adjustment": "raw"}, {"feed": "sip"}, {"asof": "2026-01-05"}, {"asof": "-"}, {"adjustment": "all"}]
)
def test_other_kinds_of_bars_are_another_series(server, bars, kind):
    """Adjustment, feed and asof are part of what is cached."""
    bars().history()
    server.requests.clear()
    bars(**kind).history()
    assert server.requests


def test_bars_of_another_server_are_another_series(server, market, bars):
    """What a sandbox served is never taken for Alpaca's."""
    bars().history()
    with serving(market) as other:
        bars(base_url=other.url).history()
        assert other.requests


def test_without_a_cache_each_history_downloads(server, bars, tmp_path):
    """cache=False leaves nothing behind."""
    source = bars(cache=False)
    assert len(source.history()["AAPL"]) == len(source.history()["AAPL"]) == 25
    assert len(server.requests) == 2
    assert not (tmp_path / "cache").exists()


def test_usual_cache_is_the_configured_folder(bars, tmp_path):
    """cache=None is SWITCHBACK_CACHE, or the platform's folder."""
    bars(cache=None).history()
    assert list((tmp_path / "default-cache").rglob("*.parquet"))


def test_cache_that_cannot_be_written_says_so(bars, tmp_path):
    """One line names the folder and the ways out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"bar cache in .* cannot be used .* cache=False"):
        bars(cache=tmp_path / "file").history()


def test_corrupt_file_is_reported_and_fetched_again(server, bars, tmp_path, caplog):
    """The damaged file is kept aside, the bars come from Alpaca."""
    bars().history()
    file = next((tmp_path / "cache").rglob("*.parquet"))
    file.write_bytes(b"not a file of bars")
    assert len(bars().history()["AAPL"]) == 25
    assert file.with_name(file.name + ".corrupt").exists()
    assert "set aside" in caplog.text


def test_split_never_leaves_two_prices_in_one_history(market, bars):
    """Bars fetched before a split are fetched again when more are added after it."""
    before = bars(end=WED).history()["AAPL"]
    market.splits["AAPL"] = [Split(FRI, 4.0)]
    after = bars().history()["AAPL"]
    assert np.allclose(after.close[: len(before)], before.close / 4.0)
    assert abs(after.close[1:] / after.close[:-1] - 1).max() > 2  # the price after it, whole again


def test_split_while_pages_come_is_noticed(server, market, bars):
    """A download that has the split between two of its pages is made again."""
    server.page_size = 10

    def work_in(number: int) -> None:
        if number == 2:
            market.splits["AAPL"] = [Split(date(2026, 1, 20), 2.0)]

    server.before_page = work_in
    assert bars().history()["AAPL"].close[0] == 50.0
    assert bars(start=TUE).history()["AAPL"].close[0] == 50.5


def test_many_at_once_never_mix_prices(market, bars):
    """Four readers of one cache, while a split is worked in: each history is of one state of the prices."""
    ranges = list(itertools.combinations_with_replacement((MON, TUE, WED, THU, FRI), 2))
    whole = market.served("AAPL", "raw")
    turn = itertools.count()

    def read(span: tuple[date, date]) -> set[float]:
        if next(turn) == 6:
            market.splits["AAPL"] = [Split(date(2026, 1, 20), 4.0)]
        found = bars(start=span[0], end=span[1]).history()["AAPL"]
        raw = {bar["t"]: bar["c"] for bar in whole}
        starts = (found.end - np.timedelta64(1, "m")).astype("datetime64[s]")
        return {round(raw[f"{start}Z"] / close, 3) for start, close in zip(starts, found.close, strict=True)}

    bars()  # loads the calendar, which catches warnings: not for several threads at once
    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(read, ranges * 2))
    assert all(len(state) == 1 for state in states)
    assert {1.0} in states
    assert bars(start=MON, end=date(2026, 1, 12)).history()["AAPL"].close[0] == 25.0


@pytest.mark.parametrize("fault", [BAD_GATEWAY, cut_short, hang_up, status(503, ""), status(500, {"message": "oops"})])
def test_faults_are_survived(server, bars, waits, fault):
    """A gateway's HTML, a body cut short, a dropped connection: the page is asked for again."""
    server.page_size = 10
    server.faults = [None, fault, None, fault]
    assert len(bars().history()["AAPL"]) == 25
    assert len(waits) == 2


def test_throttled_download_waits_for_the_window(server, bars, waits):
    """429 is waited out, as long as its header says."""
    throttled = status(429, {"message": "too many requests."}, X_RateLimit_Reset=str(int(NOW.timestamp()) + 20))
    server.faults = [throttled]
    assert len(bars().history()["AAPL"]) == 25
    assert 20 <= waits[0] <= 21


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        (BAD_GATEWAY, ConnectionLost, "HTTP 502, after several attempts"),
        (hang_up, ConnectionLost, "no whole answer from 127.0.0.1"),
        (cut_short, ConnectionLost, "after 3 attempts"),
        (status(429, {"message": "too many requests."}, Retry_After="7"), RateLimited, "try again in 7 s"),
        (status(401, {"message": "unauthorized."}), AuthenticationError, "APCA_API_KEY_ID"),
        (
            status(403, {"message": "subscription does not permit querying recent SIP data"}),
            AuthenticationError,
            'use feed="iex"',
        ),
        (status(422, {"code": 42210000, "message": "invalid timeframe"}), ConfigError, "invalid timeframe"),
        (status(200, "<html>"), ProtocolError, "not JSON"),
        (status(302, "", Location="http://elsewhere.invalid"), ProtocolError, "HTTP 302"),
    ],
)
def test_fault_that_stays_has_its_error(server, bars, tmp_path, fault, kind, says):
    """Each in one line without a secret, and the cache stays as it was."""
    bars(end=TUE).history()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    server.faults = [fault] * 3
    with pytest.raises(kind, match=says) as raised:
        bars().history()
    assert SECRET not in str(raised.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_wrong_keys_are_told_without_showing_them(bars):
    """The server quotes the key in its answer; the error does not."""
    with pytest.raises(AuthenticationError, match="not authorized") as raised:
        bars(key="PKWRONG", secret="wr0ng").history()
    assert "PKWRONG" not in str(raised.value)
    assert "wr0ng" not in str(raised.value)


def test_missing_keys_name_both_variables(bars):
    """Where Alpaca itself is asked, one line says what to set, before anything is sent."""
    with pytest.raises(ConfigError, match="no credentials for alpaca; set APCA_API_KEY_ID and APCA_API_SECRET_KEY"):
        bars(key=None, secret=None, base_url=None).history()


def test_keys_of_the_environment_are_used(bars, monkeypatch):
    """Read when they are needed, not before."""
    source = bars(key=None, secret=None)
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    assert len(source.history()["AAPL"]) == 25


def test_secret_shows_nowhere(bars, caplog, tmp_path):
    """Not in a repr, a log at debug level, or a cached file."""
    caplog.set_level(logging.DEBUG)
    source = bars()
    source.history()
    assert "> GET http://127.0.0.1" in caplog.text
    assert SECRET not in f"{source!r} {caplog.text}"
    assert KEY not in f"{source!r} {caplog.text}"
    assert not any(SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_unknown_symbol_is_an_error_and_leaves_nothing(bars, tmp_path):
    """Alpaca answers as if it had not traded: the error names it, the other symbol's bars are kept."""
    with pytest.raises(ConfigError, match=r"no bars for APPL .*check the spelling"):
        bars(["AAPL", "APPL"]).history()
    assert {path.parent.name for path in tmp_path.rglob("index.json")} == {"AAPL"}


@pytest.mark.parametrize("warmup", [0, 3, 5, 7, 12])
def test_warmup_bars_come_before_the_start(bars, warmup):
    """Just as many, and just the ones before; each symbol has its own."""
    found = bars(["AAPL", "IBM"], THU, THU).history(warmup)
    assert len(found["AAPL"]) == warmup + 5
    assert len(found["IBM"]) == warmup + 4
    assert stamps(found["AAPL"])[warmup] == "08 09:31"


def test_warmup_looks_back_until_it_has_enough(market, bars):
    """A thinly traded symbol's bars lie far back."""
    days = [date(2025, 12, 1) + timedelta(days=n) for n in range(30)]
    thin = [row for day in days if day.weekday() == 2 for row in minutes(day, count=2)]
    market.rows["IBM"] = thin + minutes(FRI)
    assert len(bars("IBM", FRI, FRI).history(8)["IBM"]) == 8 + 5


def test_warmup_takes_what_there_is(server, bars):
    """A symbol that was listed on Monday has no more, and the search ends."""
    assert len(bars("AAPL", TUE, TUE).history(1000)["AAPL"]) == 10
    assert len(server.requests) <= 12


def test_warmup_as_a_span_of_time(bars):
    """A day before the start is a day's bars."""
    found = bars(start=THU, end=THU).history(timedelta(days=1))["AAPL"]
    assert stamps(found)[0] == "07 09:31"
    assert len(found) == 10


def test_warmup_of_day_bars(market, bars):
    """One a session: weekends and holidays are no sessions."""
    market.timeframe = "1Day"
    days = [date(2025, 12, 1) + timedelta(days=n) for n in range(60)]
    market.rows["AAPL"] = [row for day in days if day.weekday() < 5 for row in minutes(day, "00:00", 1)]
    assert len(bars(start=MON, end=MON, timeframe="1Day").history(10)["AAPL"]) == 11


def test_raw_bars_across_a_split_warn(market, bars):
    """The warning names symbol, day and ratio, and points at the caller."""
    market.rows["AAPL"] = minutes(MON, price=400.0) + minutes(TUE, price=101.0)
    with pytest.warns(SplitWarning, match=r'AAPL: .* on 2026-01-06 as in a 4:1 split.* adjustment="split"') as caught:
        bars(adjustment="raw").history()
    assert caught[0].filename == __file__


def test_adjusted_bars_do_not_warn(market, bars):
    """A price that halves in an adjusted series is the market's doing."""
    market.rows["AAPL"] = minutes(MON, price=400.0) + minutes(TUE, price=101.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bars().history()


def test_fetch_fills_the_cache(server, bars):
    """It returns the bars by symbol, and a history after it downloads nothing."""
    assert bars(["AAPL", "IBM"]).fetch() == {"AAPL": 25, "IBM": 20}
    server.requests.clear()
    bars(["AAPL", "IBM"]).history()
    assert not server.requests


def test_progress_is_shown_for_a_long_download_only(server, bars, capsys):
    """One page is over before there is anything to show; a terminal is needed, or progress=True."""
    bars(cache=False, progress=True).history()
    assert capsys.readouterr().err == ""
    server.page_size = 5
    bars(cache=False).history()
    assert capsys.readouterr().err == ""
    bars(cache=False, progress=True).history()
    shown = capsys.readouterr()
    assert "bars from Alpaca" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    ("asked", "kind", "says"),
    [
        ({"symbols": []}, ConfigError, "no symbols"),
        ({"symbols": ["AAPL", "BTC/USD"]}, ConfigError, "mix crypto"),
        ({"start": "2026-01-09", "end": "2026-01-05"}, ConfigError, "is not before end"),
        ({"start": "2026-01-05 09:30"}, ConfigError, "no zone"),
        ({"hours": "extented"}, ConfigError, r"did you mean extended\?"),
        ({"symbols": "BTC/USD", "hours": "extended"}, ConfigError, "leave out hours"),
        ({"timeframe": "1Hour"}, Unsupported, "resample"),
        ({"feed": "ixe"}, ConfigError, r"did you mean iex\?"),
        ({"adjustment": "splits"}, ConfigError, r"did you mean split\?"),
        ({"asof": "yesterday"}, ConfigError, "asof 'yesterday' is not a day"),
        ({"base_url": "http://example.com"}, ConfigError, "in the clear; try https://example.com"),
        ({"base_url": "https://example.com:99999"}, ConfigError, "base_url is not an address"),
        ({"base_url": "example.com"}, ConfigError, "base_url is not an address"),
        ({"base_url": "https://me:s3cr3t@example.com"}, ConfigError, "base_url is not an address"),
    ],
)
def test_bad_parameters_are_refused_at_once(bars, asked, kind, says):
    """In the constructor, in one line, without a secret."""
    with pytest.raises(kind, match=says) as raised:
        bars(**asked)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("asked", "warmup", "says"),
    [
        ({"start": None}, 0, 'try start="2026-01-05"'),
        ({"start": "2026-03-01", "end": None}, 0, "lies ahead of now"),
        ({}, -1, "warmup is -1"),
        ({}, timedelta(days=-1), "warmup is -1 day"),
    ],
)
def test_bad_histories_are_refused(bars, asked, warmup, says):
    """Before anything is downloaded."""
    with pytest.raises(ConfigError, match=says):
        bars(**asked).history(warmup)


def test_fetch_without_a_cache_makes_no_sense(bars):
    """It says so."""
    with pytest.raises(ConfigError, match=r"fetch\(\) fills the cache, but cache is False"):
        bars(cache=False).fetch()


def test_it_can_be_sent_to_another_process():
    """A sweep over many cores pickles its source."""
    source = pickle.loads(pickle.dumps(AlpacaBars(["AAPL"], "2026-01-05", "2026-01-09")))
    assert source.symbols == ("AAPL",)
    assert repr(source) == repr(AlpacaBars(["AAPL"], "2026-01-05", "2026-01-09"))


def test_its_own_name_is_in_feeds():
    """`from feeds import AlpacaBars` is what users write."""
    import feeds

    assert feeds.AlpacaBars is AlpacaBars
    assert sys.modules["feeds.alpaca.source"].AlpacaBars is AlpacaBars


def test_signature_is_the_documented_one():
    """What the command line and the notebooks rely on."""
    names = list(inspect.signature(AlpacaBars).parameters)
    assert names[:7] == ["symbols", "start", "end", "timeframe", "feed", "adjustment", "hours"]
    assert names[7:13] == ["asof", "key", "secret", "base_url", "cache", "progress"]
