"""The sandbox's market data over HTTP: what is told, in which pages, and what is refused."""

from datetime import UTC, datetime

import pytest
from data_sandbox import KEY, LOGIN, at, sandbox
from tape import Tape, bars

from feeds.alpaca.plans import PAID
from feeds.alpaca.source import AlpacaBars
from framework.columns import joined
from framework.model import Timeframe

BARS = "/v2/stocks/bars"
MINUTES = {"timeframe": "1Min", "feed": "iex"}
KINDS = ("bars", "trades", "quotes")
DAY = {"start": "2026-01-05", "end": "2026-01-05", **MINUTES}


def test_bar_is_stamped_with_its_start():
    """A bar that ends at 14:31 is told as that of 14:30, with its trades and its average price."""
    with sandbox({"SPY": [(100.0, 104.0, 99.0, 101.0)]}) as venue:
        venue.step()
        bar = {
            "t": "2026-01-05T14:30:00Z",
            "o": 100.0,
            "h": 104.0,
            "l": 99.0,
            "c": 101.0,
            "v": 1000,
            "n": 4,
            "vw": 101.0,
        }
        assert venue.body(BARS, symbols="SPY", **DAY) == {"bars": {"SPY": [bar]}, "next_page_token": None}
        assert venue.body("/v2/stocks/SPY/bars", **DAY) == {"bars": [bar], "symbol": "SPY", "next_page_token": None}


def test_only_what_has_ended_is_told():
    """The tape goes on, but a client sees no further than the clock."""
    with sandbox({"SPY": [100.0, 101.0, 102.0]}) as venue:
        assert venue.body(BARS, symbols="SPY", **DAY)["bars"] == {}
        assert venue.body("/v2/stocks/trades", symbols="SPY", feed="iex")["trades"] == {}
        venue.step(2)
        assert [bar["c"] for bar in venue.body(BARS, symbols="SPY", **DAY)["bars"]["SPY"]] == [100.0, 101.0]
        assert {
            trade["p"] for trade in venue.body("/v2/stocks/trades", symbols="SPY", feed="iex")["trades"]["SPY"]
        } == {
            100.0,
            101.0,
        }


def test_nothing_is_null_for_one_symbol_and_missing_for_many():
    """Alpaca does not know a misspelt symbol from one that did not trade."""
    with sandbox() as venue:
        assert venue.body("/v2/stocks/SPX/bars", **DAY) == {"bars": None, "symbol": "SPX", "next_page_token": None}
        assert venue.body(BARS, symbols="SPX", **DAY) == {"bars": {}, "next_page_token": None}


def test_limit_counts_points_of_all_symbols():
    """Three bars a page: the first page holds one symbol and a half, and the token leads through the rest."""
    with sandbox({"IBM": [10.0, 11.0], "AAPL": [20.0, 21.0], "SPY": [30.0]}) as venue:
        venue.step(2)
        first = venue.body(BARS, symbols="SPY,IBM,AAPL", limit=3, **DAY)
        assert {symbol: len(found) for symbol, found in first["bars"].items()} == {"AAPL": 2, "IBM": 1}
        second = venue.body(BARS, symbols="SPY,IBM,AAPL", limit=3, page_token=first["next_page_token"], **DAY)
        assert [bar["c"] for found in second["bars"].values() for bar in found] == [11.0, 30.0]
        assert second["next_page_token"] is None


def test_descending_order_is_by_time_within_a_symbol():
    """The latest first, over pages too."""
    with sandbox({"SPY": [100.0, 101.0, 102.0]}) as venue:
        venue.step(3)
        first = venue.body(BARS, symbols="SPY", sort="desc", limit=2, **DAY)
        second = venue.body(BARS, symbols="SPY", sort="desc", limit=2, page_token=first["next_page_token"], **DAY)
        found = first["bars"]["SPY"] + second["bars"]["SPY"]
        assert [bar["c"] for bar in found] == [102.0, 101.0, 100.0]


def test_end_is_inclusive():
    """The bar that begins at the end asked for is told."""
    with sandbox({"SPY": [100.0, 101.0, 102.0]}) as venue:
        venue.step(3)
        found = venue.body(BARS, symbols="SPY", start="2026-01-05T14:30:00Z", end="2026-01-05T14:31:00Z", **MINUTES)
        assert [bar["t"] for bar in found["bars"]["SPY"]] == ["2026-01-05T14:30:00Z", "2026-01-05T14:31:00Z"]


def test_longer_bars_are_made_of_the_minutes():
    """Two-minute bars, of which the last is still growing; the day's bar is stamped at New York's midnight."""
    with sandbox({"SPY": [(100, 101, 99, 100), 102.0, 103.0]}) as venue:
        venue.step(3)
        pairs = venue.body(BARS, symbols="SPY", **{**DAY, "timeframe": "2T"})["bars"]["SPY"]
        assert [(bar["t"][11:16], bar["o"], bar["h"], bar["c"], bar["n"]) for bar in pairs] == [
            ("14:30", 100.0, 102.0, 102.0, 8),
            ("14:32", 103.0, 103.0, 103.0, 4),
        ]
        [day] = venue.body(BARS, symbols="SPY", **{**DAY, "timeframe": "1Day"})["bars"]["SPY"]
        assert (day["t"], day["v"], day["l"], day["c"]) == ("2026-01-05T05:00:00Z", 3000, 99.0, 103.0)


def test_timeframe_that_the_tape_cannot_make_is_refused():
    """Minutes cannot be made of hours; the answer says so."""
    source = Tape({"SPY": bars([100.0])}, timeframe=Timeframe.parse("5Min"))
    with sandbox(source=source) as venue:
        response = venue.get(BARS, symbols="SPY", **DAY)
        assert response.status_code == 422
        assert "cannot make 1Min bars of 5Min bars" in response.json()["message"]


def test_quotes_and_trades_of_a_span():
    """Each bar leaves four trades inside its minute, and a quote at its end."""
    with sandbox({"SPY": [(100.0, 104.0, 99.0, 101.0)]}) as venue:
        venue.step()
        trades = venue.body("/v2/stocks/trades", symbols="SPY", feed="iex")["trades"]["SPY"]
        assert [(each["p"], each["s"]) for each in trades] == [(100.0, 250), (99.0, 250), (104.0, 250), (101.0, 250)]
        assert trades[-1] | {"i": 0} == {
            "t": "2026-01-05T14:30:59.999Z", "x": "V", "p": 101.0, "s": 250, "c": ["@"], "i": 0, "z": "A",
        }  # fmt: skip
        [quote] = venue.body("/v2/stocks/SPY/quotes", feed="iex")["quotes"]
        assert (quote["t"], quote["bp"] < 101.0 < quote["ap"], quote["bx"]) == ("2026-01-05T14:31:00Z", True, "V")


def test_latest_of_each_kind():
    """The last bar, quote and trade, for many symbols and for one."""
    with sandbox({"SPY": [100.0, 101.0], "IBM": [50.0]}) as venue:
        venue.step(2)
        for kind, price in (("bars", "c"), ("trades", "p")):
            many = venue.body(f"/v2/stocks/{kind}/latest", symbols="SPY,IBM,NONE")[kind]
            assert {symbol: row[price] for symbol, row in many.items()} == {"SPY": 101.0, "IBM": 50.0}
            one = venue.body(f"/v2/stocks/SPY/{kind}/latest")
            assert (one[kind[:-1]][price], one["symbol"]) == (101.0, "SPY")
        assert venue.body("/v2/stocks/quotes/latest", symbols="SPY")["quotes"]["SPY"]["t"] == "2026-01-05T14:32:00Z"
        assert venue.get("/v2/stocks/NONE/quotes/latest").status_code == 404


def test_delayed_feed_tells_the_latest_of_a_quarter_of_an_hour_ago():
    """Bar, trade and quote, in any plan; before anything was known there is nothing."""
    with sandbox({"SPY": [100.0 + n for n in range(20)]}) as venue:
        venue.step(10)
        latest = {kind: venue.body(f"/v2/stocks/{kind}/latest", symbols="SPY", feed="delayed_sip") for kind in KINDS}
        assert latest == {kind: {kind: {}} for kind in KINDS}
        venue.step(10)
        bar, trade, quote = (
            venue.body(f"/v2/stocks/SPY/{kind}/latest", feed="delayed_sip", currency="USD") for kind in KINDS
        )
        assert (bar["bar"]["c"], trade["trade"]["p"], quote["quote"]["t"]) == (104.0, 104.0, "2026-01-05T14:35:00Z")
        assert (bar["symbol"], bar["currency"]) == ("SPY", "USD")


def test_snapshot_has_the_day_so_far_and_the_day_before():
    """History before the start is the day before; the map of symbols stands bare."""
    two_days = joined([bars([90.0], opens=at(-3 * 24 * 60)), bars([100.0, 101.0])])
    source = Tape({"SPY": two_days}, start=at(0))
    with sandbox(source=source) as venue:
        venue.step(2)
        found = venue.body("/v2/stocks/snapshots", symbols="SPY,NONE")
        assert list(found) == ["SPY"]
        snapshot = found["SPY"]
        assert (snapshot["minuteBar"]["c"], snapshot["latestTrade"]["p"]) == (101.0, 101.0)
        assert (snapshot["dailyBar"]["o"], snapshot["dailyBar"]["v"]) == (100.0, 2000)
        assert (snapshot["prevDailyBar"]["c"], snapshot["prevDailyBar"]["t"]) == (90.0, "2026-01-02T05:00:00Z")
        assert venue.body("/v2/stocks/SPY/snapshot")["symbol"] == "SPY"
        assert venue.get("/v2/stocks/NONE/snapshot").json() == {"message": "no snapshot found for NONE"}


def test_crypto_needs_no_keys_and_has_its_own_paths():
    """Pairs come with their slash, sizes as fractions, and without exchanges."""
    source = Tape({"BTC/USD": [100.0, (101.0, 102.0, 100.0, 101.5)]}, calendar="24/7")
    with sandbox(source=source) as venue:
        venue.step(2)
        root = "/v1beta3/crypto/us"
        found = venue.get(f"{root}/bars", {}, symbols="BTC/USD", timeframe="1Min", start="2026-01-05").json()
        assert [bar["v"] for bar in found["bars"]["BTC/USD"]] == [1000.0, 1000.0]
        assert venue.body(f"{root}/latest/trades", symbols="BTC/USD")["trades"]["BTC/USD"].keys() == set("tpsi") | {
            "tks"
        }
        assert venue.body(f"{root}/latest/orderbooks", symbols="BTC/USD")["orderbooks"]["BTC/USD"]["b"][0]["s"] == 100.0
        assert venue.body(f"{root}/latest/quotes", symbols="BTC/USD")["quotes"]["BTC/USD"].keys() == {
            "t", "bp", "bs", "ap", "as",
        }  # fmt: skip
        assert list(venue.body(f"{root}/snapshots", symbols="BTC/USD")["snapshots"]) == ["BTC/USD"]


def test_letters_are_explained():
    """The meta paths give the meaning of exchanges and conditions."""
    with sandbox() as venue:
        assert venue.body("/v2/stocks/meta/exchanges")["V"] == "IEX"
        assert venue.body("/v2/stocks/meta/conditions/trade", tape="A")["@"] == "Regular Sale"
        assert venue.get("/v2/stocks/meta/conditions/trade").status_code == 400
        assert venue.get("/v2/stocks/meta/conditions/bar", tape="A").json() == {"message": "invalid ticktype: bar"}


@pytest.mark.parametrize(
    ("login", "status", "message"),
    [({}, 401, "unauthorized."), ({**LOGIN, "APCA-API-SECRET-KEY": "wrong"}, 403, "forbidden.")],
)
def test_keys_are_asked_for(login, status, message):
    """No keys are 401, wrong keys 403, each in Alpaca's words."""
    with sandbox() as venue:
        response = venue.get(BARS, login, symbols="SPY", **DAY)
        assert (response.status_code, response.json()) == (status, {"message": message})


def test_recent_data_of_all_exchanges_is_not_in_the_free_plan():
    """SIP up to 15 minutes ago is served; a later end refuses the whole; no end means 15 minutes ago."""
    with sandbox({"SPY": [100.0] * 20}) as venue:
        venue.step(20)
        asked = {"symbols": "SPY", "start": "2026-01-05", "timeframe": "1Min", "feed": "sip"}
        response = venue.get(BARS, **asked, end="2026-01-05T14:36:00Z")
        assert response.json() == {"message": "subscription does not permit querying recent SIP data"}
        assert response.status_code == 403
        assert len(venue.body(BARS, **asked, end="2026-01-05T14:35:00Z")["bars"]["SPY"]) == 5
        assert len(venue.body(BARS, **asked)["bars"]["SPY"]) == 5
        assert venue.get("/v2/stocks/bars/latest", symbols="SPY", feed="sip").status_code == 403


def test_paid_plan_sees_all_exchanges_now():
    """With the paid plan there is nothing to wait for."""
    with sandbox({"SPY": [100.0] * 3}, plan=PAID) as venue:
        venue.step(3)
        assert len(venue.body(BARS, symbols="SPY", start="2026-01-05", timeframe="1Min")["bars"]["SPY"]) == 3


def test_rate_limit_is_a_bucket_in_io_time():
    """200 requests pass at once, the next is refused; 0.31 seconds of I/O time later one more passes."""
    now = [1_000.0]
    with sandbox(limit=200, monotonic=lambda: now[0]) as venue:
        answers = [venue.get(BARS, symbols="SPY", **DAY) for _ in range(201)]
        assert [answer.status_code for answer in answers[-2:]] == [200, 429]
        assert answers[0].headers["X-RateLimit-Limit"] == "200"
        assert answers[0].headers["X-RateLimit-Remaining"] == "199"
        assert answers[-1].json() == {"message": "too many requests."}
        assert answers[-1].headers["X-RateLimit-Remaining"] == "0"
        now[0] += 0.31
        assert [venue.get(BARS, symbols="SPY", **DAY).status_code for _ in range(2)] == [200, 429]
        assert venue.market.requests["market_data"] == 203


def test_our_own_history_equals_the_tape():
    """AlpacaBars, pointed at the sandbox, returns the tape's bars to the last digit."""
    prices = [(100.0 + n, 101.5 + n, 99.25 + n, 100.5 + n) if n % 3 else None for n in range(30)]
    with sandbox({"SPY": prices, "IBM": [50.0, None, 52.0]}) as venue:
        venue.step(30)
        start = datetime(2026, 1, 5, 14, tzinfo=UTC)
        ours = AlpacaBars(
            ["SPY", "IBM"], start, key=KEY, secret=LOGIN["APCA-API-SECRET-KEY"], base_url=venue.url, cache=False,
            now=venue.market.now,
        )  # fmt: skip
        for symbol, found in ours.history().items():
            tape = venue.market.tape.bars[symbol]
            for name in ("end", "open", "high", "low", "close", "volume"):
                assert getattr(found, name).tolist() == getattr(tape, name).tolist()
