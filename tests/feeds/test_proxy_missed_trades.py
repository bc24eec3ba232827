"""After a loss: trades that history has come first, each once and by time, then what was held."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tape import OPEN

from feeds.alpaca.messages import stamp
from feeds.alpaca.proxy.frames import Message, nanoseconds
from feeds.alpaca.proxy.missed import Lacking, in_order
from feeds.alpaca.proxy.missed_trades import MissedTrades
from feeds.alpaca.proxy.past_trades import MOST, TooMany, TradesQuery, most, trades_exchange
from framework.config import Credentials
from framework.errors import ProtocolError
from framework.wire import HttpResponse

SYMBOLS = ("IBM", "SPY")

START = nanoseconds({"t": stamp(OPEN)})


def at(second: float) -> datetime:
    return OPEN + timedelta(seconds=second)


def row(second: float, number: int | None = None, exchange: str = "V") -> dict[str, Any]:
    return {"t": stamp(at(second)), "i": int(1000 * second) if number is None else number, "x": exchange, "p": 1.5}


def trade(symbol: str, second: float, kind: str = "t", **fields: Any) -> Message:
    return Message.of({"T": kind, "S": symbol, **row(second), **fields})


def told(messages: list[Message]) -> list[tuple[str, str, float]]:
    return [(each.kind, each.symbol, (nanoseconds(each.row()) - START) / 10**9) for each in messages]


def followed(*seconds: float, limit: int = MOST) -> MissedTrades:
    """Return one that has told of trades in these seconds of both symbols, and lost the connection then."""
    missed = MissedTrades(limit)
    missed.follow((*SYMBOLS, "*"), OPEN)
    missed.take([trade(name, each) for each in seconds for name in SYMBOLS])
    missed.lose()
    return missed


def test_trades_are_held_until_history_has_answered() -> None:
    """With what corrects them or takes them back; quotes go on. What was missed comes first, what was told does not."""
    missed = followed(1, 10)
    quote, mended = trade("SPY", 14, "q"), trade("SPY", 14, "c")
    assert missed.take([trade("SPY", 14), mended, quote, trade("IBM", 15, "x")]) == [quote]
    assert missed.lacking() == Lacking(SYMBOLS, at(5))
    assert told(missed.mend({"SPY": [row(10), row(11), row(13)], "IBM": [row(12), row(10)]})) == [
        ("t", "SPY", 11), ("t", "IBM", 12), ("t", "SPY", 13), ("t", "SPY", 14), ("c", "SPY", 14), ("x", "IBM", 15),
    ]  # fmt: skip
    assert (missed.mended, missed.is_holding) == ({"SPY": 2, "IBM": 1}, False)


def test_trade_that_came_late_of_another_symbol_is_found() -> None:
    """It is older than the last one that was told, by less than trades come out of order."""
    missed = MissedTrades()
    missed.follow(SYMBOLS, OPEN)
    missed.take([trade("SPY", 20)])
    missed.lose()
    assert told(missed.mend({"IBM": [row(14), row(18)], "SPY": [row(20)]})) == [("t", "IBM", 18)]


def test_trades_of_one_instant_are_told_apart_by_number_and_exchange() -> None:
    """Numbers are an exchange's own, and several trades have one time."""
    missed = followed(10)
    twins = [row(10, 7), row(10, 7, "P"), row(10, 8), row(10)]
    found = missed.mend({"SPY": twins, "IBM": []})
    assert [(each.row()["i"], each.row()["x"]) for each in found] == [(7, "V"), (7, "P"), (8, "V")]


def test_trade_that_comes_by_both_ways_is_told_once() -> None:
    """The live one where it came first; where history was quicker, its own."""
    missed = followed(10)
    missed.take([trade("SPY", 11, p=9.0)])
    [first, second] = missed.mend({"SPY": [row(11), row(12)], "IBM": []})
    assert (first.row()["p"], second.row()["p"]) == (9.0, 1.5)
    assert told(missed.take([trade("SPY", 12), trade("IBM", 12), trade("SPY", 18), trade("SPY", 12)])) == [
        ("t", "IBM", 12), ("t", "SPY", 18), ("t", "SPY", 12),
    ]  # fmt: skip


def test_without_an_answer_it_goes_on_with_what_was_held() -> None:
    """Nothing that came live is lost, and nothing is taken for made good."""
    missed = followed(10)
    missed.take([trade("SPY", 12)])
    assert told(missed.skip()) == [("t", "SPY", 12)]
    assert missed.mended.total() == 0
    assert told(missed.take([trade("SPY", 11)])) == [("t", "SPY", 11)]


def test_nothing_is_asked_for_where_only_everything_is_wanted() -> None:
    """History answers for symbols; and one that nobody has any more is not asked for."""
    missed = followed()
    missed.keep(["*"])
    assert missed.lacking() is None
    assert missed.mend({}) == []


def test_symbol_that_joins_is_followed_from_its_answer_on() -> None:
    """But from its question on where the connection is down: then its client waits for what history has."""
    missed = MissedTrades()
    missed.follow(["SPY"], OPEN)
    missed.confirm(["SPY"], at(3))
    missed.lose()
    missed.follow(["IBM"], at(4))
    missed.confirm(["IBM"], at(6))
    found = missed.mend({"SPY": [row(2), row(3)], "IBM": [row(3), row(5)]})
    assert told(found) == [("t", "SPY", 3), ("t", "IBM", 5)]


def test_what_is_forgotten_of_before_the_loss_is_not_told_again() -> None:
    """More trades come in five seconds than are remembered: the last of them are what is known."""
    missed = MissedTrades(2)
    missed.follow(["SPY"], OPEN)
    missed.take([trade("SPY", each) for each in (6, 7, 8)])
    missed.lose()
    assert missed.lacking() == Lacking(("SPY",), at(7))
    assert told(missed.mend({"SPY": [row(6), row(7), row(8), row(9)]})) == [("t", "SPY", 9)]


def test_more_than_is_to_be_held_is_noticed() -> None:
    """Memory has a bound, and so has what comes to a client at once."""
    missed = followed(limit=2)
    missed.take([trade("SPY", 1), trade("SPY", 2)])
    assert not missed.is_over
    missed.take([trade("SPY", 3)])
    assert missed.is_over
    assert (most(4 << 20), most(100_000)) == (MOST, 250)


def test_bar_comes_after_the_trades_it_is_made_of() -> None:
    """Both are put together by the time at which they were known: a bar at the end of its minute."""
    bars = [trade("SPY", 0, "b"), trade("SPY", 60, "b"), trade("SPY", 0, "u")]
    trades = [trade("SPY", 59), trade("SPY", 61), trade("SPY", 5, "c"), trade("SPY", 130)]
    assert told(in_order(bars, trades)) == [
        ("t", "SPY", 59), ("b", "SPY", 0), ("t", "SPY", 61), ("c", "SPY", 5),
        ("b", "SPY", 60), ("u", "SPY", 0), ("t", "SPY", 130),
    ]  # fmt: skip


MADE = st.lists(st.tuples(st.sampled_from(SYMBOLS), st.integers(1, 40), st.integers(1, 3)), unique=True, max_size=60)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MADE, st.lists(st.integers(1, 40), min_size=2, max_size=6, unique=True), st.integers(1, 8))
def test_whatever_is_lost_each_trade_comes_once_and_in_order(
    made: list[tuple[str, int, int]], turns: list[int], late: int
) -> None:
    """A line that goes down and up again and again, and history that answers late: what follows is the tape."""
    missed = MissedTrades()
    missed.follow(SYMBOLS, OPEN)
    tape = sorted(made, key=lambda each: each[1])
    downs, ups = sorted(turns)[::2], sorted(turns)[1::2]
    came: list[Message] = []
    is_up, answers_at = True, 0
    for second in range(1, 60):
        if second in downs:
            missed.lose()
            is_up = False
        if second in ups:
            is_up, answers_at = True, second + late
        if is_up:
            came += missed.take([trade(name, when, i=number) for name, when, number in tape if when == second])
        if missed.is_holding and is_up and second >= answers_at:
            rows = {name: [row(when, i) for own, when, i in tape if own == name and when <= second] for name in SYMBOLS}
            came += missed.mend(rows)
    if is_up:
        found = [(each.symbol, (nanoseconds(each.row()) - START) // 10**9, each.row()["i"]) for each in came]
        assert sorted(found) == sorted(tape)
        for name in SYMBOLS:
            times = [when for own, when, _ in found if own == name]
            assert times == sorted(times)


QUERY = TradesQuery(("SPY",), at(0.5), crypto=False, credentials=Credentials("k", "s"))


def answered(*pages: bytes, limit: int = 100) -> Any:
    exchange = trades_exchange(QUERY, limit, pages=3)
    asked = [next(exchange)]
    try:
        for page in pages:
            asked.append(exchange.send(HttpResponse(200, {}, page)))
    except StopIteration as end:
        return asked, end.value
    raise AssertionError("it asks for more")


def page(count: int, token: str = "null") -> bytes:
    rows = ",".join(f'{{"t":"2026-01-05T14:30:0{each}.123456789Z","i":{each},"x":"V","p":1}}' for each in range(count))
    return f'{{"trades":{{"SPY":[{rows}]}},"next_page_token":{token}}}'.encode()


def test_history_is_read_page_by_page_as_it_is() -> None:
    """From a time on, to the latest that there is."""
    asked, rows = answered(page(2, '"x"'), page(1))
    assert [each["i"] for each in rows["SPY"]] == [0, 1, 0]
    assert (asked[0].url, asked[0].params["start"]) == (
        "https://data.alpaca.markets/v2/stocks/trades", "2026-01-05T14:30:00.5Z",
    )  # fmt: skip
    assert "end" not in asked[0].params
    assert asked[1].params["page_token"] == "x"


def test_pairs_have_an_address_of_their_own() -> None:
    """Where no feed is to be chosen."""
    asked = TradesQuery(("BTC/USD",), OPEN, crypto=True).request(None)
    assert asked.url.endswith("/v1beta3/crypto/us/trades")
    assert "feed" not in asked.params


@pytest.mark.parametrize(("pages", "limit"), [((page(5),), 4), ((page(1, '"x"'),) * 3, 100)], ids=["trades", "pages"])
def test_more_than_is_asked_for_is_an_error(pages: tuple[bytes, ...], limit: int) -> None:
    """Neither memory nor the budget of requests is spent on what would come too late."""
    with pytest.raises(TooMany, match="more trades than are asked for"):
        answered(*pages, limit=limit)


@pytest.mark.parametrize("wrong", [b'"no row"', b'{"p":1}', b'{"t":"noon","p":1}', b'{"t":"2026-01-05T14:30:00Z"}'])
def test_row_that_is_no_trade_is_an_error(wrong: bytes) -> None:
    """It is not passed on to clients that would fail over it."""
    with pytest.raises(ProtocolError, match="a trade that cannot be read"):
        answered(b'{"trades":{"SPY":[' + wrong + b']},"next_page_token":null}')
