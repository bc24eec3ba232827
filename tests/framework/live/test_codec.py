"""Values to JSON and back."""

import dataclasses
import enum
import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import model
from framework.errors import ConfigError
from framework.live.codec import ENUMS, VALUES, dumps, loads

floats = st.floats(allow_nan=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
instants = st.datetimes(timezones=st.just(UTC))
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | texts | instants | st.timedeltas(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.just("$Bar"), inner, max_size=3),
    max_leaves=8,
)
st.register_type_strategy(float, floats)
st.register_type_strategy(datetime, instants)


def values_of(cls):
    """Every value of a class of the vocabulary, those that it refuses left out."""
    special = {
        model.OrderRequest: {"quantity": floats, "notional": st.none()},
        model.Timeframe: {"amount": st.integers(1, 60)},
        model.Signal: {"extra": st.dictionaries(texts, plain, max_size=3)},
        model.Bar: {"timeframe": values_of(model.Timeframe)} if cls is model.Bar else {},
        model.Revision: {"bar": values_of(model.Bar), "was": st.none() | values_of(model.Bar)}
        if cls is model.Revision
        else {},
        model.OrderGroup: {"orders": st.lists(values_of(model.OrderRequest), max_size=2).map(tuple)}
        if cls is model.OrderGroup
        else {},
        model.Signals: {"signals": st.lists(values_of(model.Signal), min_size=1, max_size=2).map(tuple)}
        if cls is model.Signals
        else {},
    }
    return st.builds(cls, **special.get(cls, {}))


@pytest.mark.parametrize("cls", VALUES.values(), ids=VALUES)
@given(data=st.data())
def test_every_value_comes_back_as_it_was(cls, data):
    """Each class of the vocabulary, with whatever its fields hold."""
    value = data.draw(values_of(cls))
    back = loads(dumps({"it": value}))["it"]
    assert back == value
    assert type(back) is cls


@given(st.dictionaries(texts | st.sampled_from(["$at", "$tuple", "$"]), plain, max_size=4))
def test_plain_bodies_come_back_as_they_were(body):
    """Nested as they like, also where a key looks like one of our own marks."""
    text = dumps(body)
    assert loads(text) == body
    assert "\n" not in text


@pytest.mark.parametrize("member", [each for cls in ENUMS.values() for each in cls], ids=str)
def test_every_enum_comes_back_as_itself(member):
    """As the member, not as its text."""
    assert loads(dumps({"it": member}))["it"] is member


def test_whole_vocabulary_is_known():
    """A class that is added to the model has to be added here."""
    ours = {each for each in vars(model).values() if isinstance(each, type) and each.__module__ == model.__name__}
    assert {each for each in ours if dataclasses.is_dataclass(each)} == set(VALUES.values())
    assert {each for each in ours if issubclass(each, enum.Enum)} == set(ENUMS.values())


def test_what_json_has_no_word_for():
    """A tuple stays a tuple, and the text is JSON by the book: no NaN in it."""
    text = dumps({"a": (1, (2,)), "b": math.inf, "c": math.nan})
    assert json.loads(text, parse_constant=pytest.fail)["b"] == {"$float": "inf"}
    back = loads(text)
    assert back["a"] == (1, (2,))
    assert back["b"] == math.inf
    assert math.isnan(back["c"])


def test_instants_are_written_in_utc():
    """So that the file reads the same wherever it was written."""
    at = datetime(2026, 7, 1, 9, 30, tzinfo=timezone(timedelta(hours=-4)))
    assert dumps({"at": at}) == '{"at":{"$at":"2026-07-01T13:30:00+00:00"}}'


def test_older_record_reads_without_a_newer_field():
    """A field with a default may be missing."""
    record = '{"it":{"$Fill":{"execution_id":"x","quantity":1.0,"price":2.0,"at":{"$at":"2026-01-05T14:30:00+00:00"}}}}'
    assert loads(record)["it"].commission == 0.0


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"a": {1, 2}}, "a set"),
        ({"a": b"x"}, "a bytes"),
        ({1: "a"}, "the key 1"),
        ({"a": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001  (that is the point)
        ({"a": object()}, "a object"),
        ({"a": enum.Enum("Other", "X").X}, "a Other"),
    ],
)
def test_what_has_no_place_in_a_record_is_refused(body, found):
    """Before it is written, not when it is read."""
    with pytest.raises(ConfigError, match=f"cannot hold .*{found}|{found}"):
        dumps(body)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a":{"$Later":{}}}', '{"$Bar":{"x":1}}', '{"a":{"$Side":"up"}}'])
def test_record_that_is_none_of_ours_is_refused(text):
    """With one line that says so."""
    with pytest.raises(ConfigError, match="a record"):
        loads(text)
