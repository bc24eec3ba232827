"""Alpaca's rows and encodings."""

from datetime import datetime, timedelta, timezone

import msgpack
import pytest
from tape import OPEN, bars

from feeds.alpaca import messages
from feeds.alpaca.windows import windows
from framework.model import MINUTE, Quote, Trade


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [(0, "2026-01-05T14:30:00Z"), (500_000, "2026-01-05T14:30:00.5Z"), (1, "2026-01-05T14:30:00.000001Z")],
)
def test_time_has_a_fraction_only_where_there_is_one(microseconds, text):
    """Always in UTC, whatever zone the time came in."""
    at = (OPEN + timedelta(microseconds=microseconds)).astimezone(timezone(timedelta(hours=-5)))
    assert messages.stamp(at) == text


def test_both_encodings_carry_the_same_message():
    """The time is a text in JSON and a timestamp in MessagePack."""
    message = [{"T": "b", "t": OPEN, "c": 1.5}]
    assert messages.from_json(messages.as_json(message)) == [{"T": "b", "t": "2026-01-05T14:30:00Z", "c": 1.5}]
    assert msgpack.unpackb(messages.as_msgpack(message), timestamp=3) == message


@pytest.mark.parametrize("frame", [b"\xc1", b"\x93\x01", b"\x01\x02", b""])
def test_frame_that_cannot_be_read_is_a_value_error(frame):
    """Whatever MessagePack's own error is."""
    with pytest.raises(ValueError, match="is no MessagePack"):
        messages.from_msgpack(frame)


def test_times_of_rows_are_texts_where_they_are_thousands():
    """Both ways of writing bars say the same."""
    told = windows(bars([100.0, 101.5]), MINUTE, MINUTE)
    rows = messages.bar_rows(told, crypto=False)
    assert [row | {"t": messages.stamp(row["t"])} for row in rows] == messages.bar_texts(told, crypto=False)


@pytest.mark.parametrize(("amount", "crypto", "told"), [(3.0, False, 3), (2.5, False, 2.5), (3.0, True, 3.0)])
def test_shares_are_whole_numbers_and_coins_are_not(amount, crypto, told):
    """The type matters to who reads JSON strictly."""
    found = messages.size(amount, crypto=crypto)
    assert (found, type(found)) == (told, type(told))


def test_trades_numbers_differ():
    """Two trades a microsecond apart have two numbers."""
    one, other = (Trade("SPY", OPEN + timedelta(microseconds=n), 1.0, 1.0) for n in (0, 1))
    assert messages.trade_id(other) - messages.trade_id(one) == 1


def test_letters_are_those_of_the_symbols_tape():
    """Nasdaq's names have four letters and more, and its halts letters for codes."""
    at = datetime.fromisoformat("2026-01-05T15:00Z")
    assert [messages.status(each, at, "halt")["sc"] for each in ("IBM", "AAPL")] == ["2", "H"]
    assert messages.quote_row(Quote("AAPL", at, 1.0, 1.0, 2.0, 1.0))["z"] == "C"
    assert "z" not in messages.quote_row(Quote("BTC/USD", at, 1.0, 1.0, 2.0, 1.0))
