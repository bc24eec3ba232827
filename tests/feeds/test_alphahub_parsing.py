"""What algorithms publish, read into signals, quirks and all."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from alphahub_talk import AT, DAY, HOW

from feeds.alphahub.parsing import Reading, Unreadable, read_published
from framework.errors import ConfigError
from framework.live import codec
from framework.model import Side, Signal, SignalAction

OPEN, CLOSE = SignalAction.OPEN, SignalAction.CLOSE
ITEM = {"price": 20.5, "side": "buy", "symbol": "BBB", "timestamp": "2026-03-02T15:30:01"}


def read(body, how=HOW):
    return read_published(body if isinstance(body, str) else json.dumps(body), "16", AT, how)


def one(how=HOW, **fields):
    """The one thing that an item in a list of its own is read as."""
    [found] = read({"open": [{**ITEM, **fields}]}, how)
    return found


def test_day_of_signals_is_read_closes_first():
    """What closes frees the capital for what opens; the time of receipt is the signal's."""
    written = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
    assert read(DAY) == (
        Signal("16", "AAA", AT, CLOSE, Side.SELL, 1.0, 51.2, {}, written),
        Signal("16", "BBB", AT, OPEN, Side.BUY, 0.5, 20.5, {}, written + timedelta(seconds=1)),
        Signal("16", "CCC", AT, OPEN, Side.SELL, 0.5, 33.0, {}, written + timedelta(seconds=1)),
    )


@pytest.mark.parametrize(
    "text",
    ["2026-03-02 T15:30:01", "2026-03-02T 15:30:01", " 2026-03-02t15:30:01 ", "20260302T153001",
     "2026-03-02 15:30:01", "2026-03-02T15:30:01Z", "2026-03-02T10:30:01-05:00"],
)  # fmt: skip
def test_time_is_read_however_it_is_written(text):
    """With a stray space beside the T, or with a zone of its own."""
    assert one(timestamp=text).published == datetime(2026, 3, 2, 15, 30, 1, tzinfo=UTC)


@pytest.mark.parametrize(("day", "hour"), [("2026-03-02", 20), ("2026-04-26", 19)])
def test_time_without_a_zone_is_in_the_one_that_is_set(day, hour):
    """Winter and summer."""
    read_in_new_york = one(Reading.of("America/New_York"), timestamp=f"{day} T15:30:01").published
    assert read_in_new_york == datetime.fromisoformat(f"{day}T{hour}:30:01+00:00")
    assert read_in_new_york.tzinfo is UTC


@pytest.mark.parametrize("tz", [None, "", "Mars", "../etc", "America", 5])
def test_time_zone_has_to_be_said(tz):
    """In one kind line; it is never guessed."""
    with pytest.raises(ConfigError, match='tz="UTC"') as raised:
        Reading.of(tz)
    assert "\n" not in str(raised.value)


def test_names_of_fields_may_have_space_and_any_case():
    """In the message and in its items."""
    [signal] = read({" Open": [{" symbol": "BBB", "SIDE ": "Buy ", "Price": "20.50", "time stamp": ITEM["timestamp"]}]})
    assert signal == one()


def test_symbol_is_folded_and_what_is_out_of_date_is_renamed():
    """By the user's map, whose own case does not matter."""
    how = Reading.of("UTC", {"myl": "vtrs"})
    assert one(how, symbol=" myl ").symbol == "VTRS"
    assert one(how, symbol="brk.b").symbol == "BRK.B"


def test_map_of_symbols_is_checked():
    """Before anything runs."""
    with pytest.raises(ConfigError, match="map of symbols has 'A B'"):
        Reading.of("UTC", {"A B": "C"})


@pytest.mark.parametrize("body", [{"open": []}, {"close": []}, {"open": [], "close": []}, {"open": None}])
def test_empty_lists_are_no_signals_and_no_error(body):
    """Nothing to do today."""
    assert read(body) == ()


def test_one_list_may_be_missing():
    """Only closes, say."""
    assert [each.action for each in read({"close": DAY["close"]})] == [CLOSE]


def test_hold_is_a_signal_without_a_side():
    """It weighs nothing, needs no price, and is not counted where the others' weights are."""
    hold, buy, sell = read({"open": [{**ITEM, "side": "HOLD", "price": 0}, ITEM, {**ITEM, "side": "sell"}]})
    assert (hold.side, hold.weight, hold.price) == (None, 0.0, None)
    assert (buy.weight, sell.weight) == (0.5, 0.5)


def test_message_of_holds_only():
    """Each list by itself."""
    assert [each.side for each in read({"open": [{**ITEM, "side": "hold"}], "close": []})] == [None]


def test_side_in_close_is_that_of_the_order():
    """A buy covers a short position."""
    [cover] = read({"close": [ITEM]})
    assert (cover.action, cover.side) == (CLOSE, Side.BUY)


def test_weight_is_counted_list_by_list():
    """One close and two opens: all of it, and half of it each."""
    assert [each.weight for each in read(DAY)] == [1.0, 0.5, 0.5]


def test_weight_that_is_said_is_kept():
    """As a number or as a text; zero too, and those that say nothing get their share."""
    items = [{**ITEM, "weight": 0.2}, {**ITEM, "weight": "0.3"}, {**ITEM, "weight": 0}, {**ITEM, "weight": None}]
    assert [each.weight for each in read({"open": items})] == [0.2, 0.3, 0.0, 0.25]


def test_item_that_cannot_be_read_costs_only_itself():
    """And does not make the others larger."""
    good, bad, last = read({"open": [ITEM, {**ITEM, "side": "bye"}, ITEM]})
    assert isinstance(bad, Unreadable)
    assert (good.weight, last.weight) == (1 / 3, 1 / 3)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"side": None}, "side None is neither"), ({"side": "long"}, "side long is neither"),
        ({"symbol": ""}, "symbol  is none"), ({"symbol": 7}, "symbol 7 is none"), ({"symbol": "A B"}, "symbol A B"),
        ({"symbol": "ß"}, "symbol ß is none"),  # its capital would be SS
        ({"price": -1}, "price -1.0 is none"), ({"price": 0}, "price 0.0 is none"), ({"price": True}, "price True"),
        ({"price": "1,5"}, "price 1,5"), ({"price": "nan"}, "price nan"), ({"price": "inf"}, "price inf"),
        ({"price": [1]}, "price"), ({"price": 10**400}, "price 1000"),
        ({"weight": 33.3}, "weight 33.3 is no share"), ({"weight": -0.1}, "weight -0.1"), ({"weight": "x"}, "weight x"),
        ({"timestamp": "soon"}, "timestamp soon"), ({"timestamp": 1772465401}, "timestamp 1772465401"),
        ({"timestamp": "0001-01-01T00:00:00+23:00"}, "is no time"), ({"timestamp": "2026-02-30T00:00:00"}, "no time"),
    ],
)  # fmt: skip
def test_what_would_have_to_be_guessed_at_is_unreadable(fields, why):
    """It says what was found, and shows the item."""
    found = one(**fields)
    assert isinstance(found, Unreadable)
    assert why in found.why
    assert "price" in found.text


@pytest.mark.parametrize("name", ["price", "weight", "timestamp"])
@pytest.mark.parametrize("value", [None, ""])
def test_price_weight_and_time_may_be_missing(name, value):
    """The symbol and the side may not."""
    assert isinstance(one(**{name: value}), Signal)


def test_unknown_fields_are_kept():
    """The item's, and those of the message for each of its items; the item's own win."""
    [signal] = read({"open": [{**ITEM, "Type": "limit", "note": {"A": [1]}}], "model": "v3", "type": "x"})
    assert signal.extra == {"type": "limit", "note": {"A": [1]}, "model": "v3"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"), ("{", "no JSON"), ("[]", "no object"), ("null", "no object"), ("{}", "neither open nor close"),
        ('{"opens":[]}', "neither open nor close"), ('{"open":{}}', "open is no list"), ('{"open":"x"}', "is no list"),
        ('{"open":[],"open":[1]}', "two values of 'open'"), ('{"open":[{"side":"buy"," Side":"sell"}]}', "two values"),
        ('{"open":[],"x":NaN}', "NaN is no number"), ('{"open":[],"x":1e999}', "1e999 is no number"),
        ('{"open":[],"x":"\\ud800"}', "surrogates"), ('{"open":' + "[" * 30 + "]" * 30 + "}", "nested"),
        ("[" * 99999, "nested"), ('{"open":' + "1" * 5000 + "}", "digits"),
    ],
)  # fmt: skip
def test_message_that_cannot_be_read_is_a_value(text, why):
    """Whatever it is, nothing is raised; and what is shown of it is short."""
    [found] = read(text)
    assert isinstance(found, Unreadable)
    assert why in found.why
    assert len(found.text) < 130


def test_list_with_things_that_are_no_items():
    """Each of them is told."""
    *bad, good = read({"open": [None, 5, "BBB", [], ITEM]})
    assert [each.why for each in bad] == ["no object"] * 4
    assert good.weight == 0.2


def test_signals_can_be_journalled():
    """Whatever their extra fields hold."""
    signal = one(note={"$at": [1.5, None, True, "ü"]})
    assert codec.loads(codec.dumps({"it": signal}))["it"] == signal
