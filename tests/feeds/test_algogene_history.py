"""ALGOGENE's history: pages of a thousand from the end backwards, bars stamped at their close."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from algogene_talk import driven, listed, said, session

from feeds.algogene.history import PAGE, history, interval, read_page
from framework.columns import Columns, moment
from framework.errors import ConnectionLost, ProtocolError, Unsupported
from framework.model import MINUTE, Timeframe

END = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def bar(at: datetime, price: float = 10.0, **more: Any) -> dict[str, Any]:
    return {"t": f"{at:%Y-%m-%d %H:%M:%S}", "o": price, "h": price + 1, "l": price - 1, "c": price, "v": 5, **more}


def minutes(first: int, last: int) -> list[dict[str, Any]]:
    """Return bars that end from so many minutes before END on, to so many before."""
    return [bar(END - timedelta(minutes=each)) for each in range(first, last - 1, -1)]


class Venue:
    """Answers as the documentation has it: the last bars that end strictly before a time."""

    def __init__(self, bars: list[dict[str, Any]]) -> None:
        self.bars, self.asked = bars, list[dict[str, str]]()

    def send(self, exchange: Any) -> Columns:
        request = next(exchange)
        try:
            while True:
                query = dict(request.params)
                self.asked.append(query)
                found = [each for each in self.bars if each["t"] < query["timestamp"]][-int(query["count"]) :]
                request = exchange.send(said(listed(*found)))
        except StopIteration as end:
            bars: Columns = end.value
            return bars


def test_pages_are_asked_for_until_the_beginning_is_there() -> None:
    """2,500 minutes in three pages, and each bar once, in order, by its end."""
    venue = Venue(minutes(2600, 0))
    bars = venue.send(history(session(), "BTCUSD", MINUTE, END - timedelta(minutes=2500), END))
    assert len(bars) == 2500
    assert (moment(bars.end[0]), moment(bars.end[-1])) == (END - timedelta(minutes=2499), END)
    assert [(each["count"], each["interval"]) for each in venue.asked] == [("1000", "M")] * 3


def test_a_bar_that_ends_now_is_there_and_one_that_does_not_is_not() -> None:
    """`timestamp` is strictly after, in whole seconds: what runs on beyond `until` is cut off."""
    venue = Venue(minutes(3, -3))
    until = END + timedelta(milliseconds=300)
    assert moment(venue.send(history(session(), "X", MINUTE, None, until)).end[-1]) == END
    assert venue.asked[0]["timestamp"] == "2026-01-05 15:00:01"


def test_the_last_so_many_bars_need_no_beginning() -> None:
    """Pages are asked for as long as there are too few."""
    venue = Venue(minutes(5000, 0))
    assert len(venue.send(history(session(), "X", MINUTE, None, END, most=1500))) == 1500
    assert len(venue.asked) == 2


def test_history_that_ends_is_what_there_is() -> None:
    """An empty page is the beginning of all."""
    venue = Venue(minutes(10, 0))
    assert len(venue.send(history(session(), "X", MINUTE, END - timedelta(days=9), END))) == 11
    assert len(Venue([]).send(history(session(), "X", MINUTE, None, END))) == 0


def test_a_page_that_leads_to_itself_is_an_error() -> None:
    """A venue that does not heed `timestamp` would be asked for ever."""
    with pytest.raises(ProtocolError, match="leads to itself"):
        driven(history(session(), "X", MINUTE, None, END - timedelta(hours=1)), [listed(*minutes(5, 0))])


@pytest.mark.parametrize(
    "row",
    [bar(END, h=8), bar(END, l=11), bar(END, c=None), bar(END, v=-1), bar(END, o=0, l=0), bar(END, t="yesterday"), {}],
)
def test_a_bar_that_cannot_be_is_odd(row: dict[str, Any]) -> None:
    """Bars are what is traded on."""
    with pytest.raises(ProtocolError):
        read_page({"res": [row]})


def test_a_page_is_in_order() -> None:
    """Ascending, each time once."""
    with pytest.raises(ProtocolError, match="order"):
        read_page({"res": [bar(END), bar(END)]})


def test_a_lost_page_is_a_lost_history() -> None:
    """The transport has asked for it again; nothing of it is half told."""
    with pytest.raises(ConnectionLost):
        driven(history(session(), "X", MINUTE, None, END), [listed(*minutes(5, 0)), (502, b"<html>")])


def test_timeframes_have_words() -> None:
    """Those that there are, and a sentence for the others."""
    spelled = [interval(Timeframe.parse(each)) for each in ("1Min", "5Min", "1Hour", "4Hour", "1Day")]
    assert spelled == ["M", "M5", "H", "H4", "D"]
    for other in ("3Min", "1Week", "2Day"):
        with pytest.raises(Unsupported, match="it has 1Min"):
            interval(Timeframe.parse(other))
    assert PAGE == 1000
