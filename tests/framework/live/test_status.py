"""A session's status as JSON and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.live.status import (
    Connection,
    Execution,
    Holding,
    LastBar,
    Message,
    Requests,
    Status,
    Working,
    known,
)

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)

texts, truths = st.text(max_size=8), st.booleans()
figures = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | figures
times = st.datetimes(timezones=st.just(UTC))
holdings = st.builds(Holding, texts, figures, figures, maybe, maybe, maybe, maybe, figures)
orders = st.builds(Working, texts, texts, texts, texts, texts, figures, times)
fills = st.builds(Execution, times, texts, texts, *[figures] * 4, texts, texts, *[figures] * 3)
connections = st.builds(Connection, texts, truths, times, texts)
messages = st.builds(Message, times, texts, texts, truths)
counts = st.integers(0, 1000)


def few(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(values, max_size=2).map(tuple)


statuses = st.builds(
    Status, texts, times, counts, *[texts] * 5, st.none() | times, texts, texts, *[maybe] * 4,
    few(holdings), few(orders), few(fills), few(connections), st.none() | st.builds(Requests, *[counts] * 3),
    few(messages), few(st.builds(LastBar, texts, times)),
)  # fmt: skip


@given(statuses)
def test_a_status_survives_json(status: Status) -> None:
    """Whatever is in it, in one line."""
    text = status.json()
    assert "\n" not in text
    assert Status.read(text) == status


def test_the_json_is_plain() -> None:
    """A script reads times as text and figures as numbers, under the names of the fields."""
    status = Status("dip", AT, holdings=(Holding("SPY", 5, 90.5, return_=0.01),))
    body = json.loads(status.json())
    assert body["at"] == "2026-10-05T14:00:00+00:00"
    assert body["holdings"][0]["return"] == 0.01
    assert body["version"] == 1


def test_a_later_version_is_named() -> None:
    """It is not read as if it were ours."""
    with pytest.raises(ConfigError, match="version 2, this is 1; update"):
        Status.read('{"version": 2}')


def test_a_field_that_a_later_program_adds_is_left_out() -> None:
    """Within one version, fields may be added."""
    body = json.loads(Status("dip", AT).json())
    assert Status.read(json.dumps({**body, "weather": "fine"})) == Status("dip", AT)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"version": 1, "session": "x", "at": 5}'])
def test_what_is_no_status_is_told(text: str) -> None:
    """In one line, as any other error."""
    with pytest.raises(ConfigError, match="does not read as a session's status"):
        Status.read(text)


def test_sums_are_over_all_symbols() -> None:
    """What has no price yet counts as nothing; what is flat is not held."""
    holdings = (
        Holding("A", 1, 2, unrealised=3, realised=4),
        Holding("B", 1, 2),
        Holding("C", 0, 0, realised=5),
    )
    status = Status("dip", AT, holdings=holdings)
    assert (status.unrealised, status.realised) == (3, 9)
    assert [each.symbol for each in status.held] == ["A", "B"]


def test_the_oldest_bar_is_the_one_to_worry_about() -> None:
    """Of the last bars of all symbols."""
    bars = (LastBar("A", AT), LastBar("B", AT.replace(hour=13)))
    assert Status("dip", AT, bars=bars).oldest_bar == bars[1]
    assert Status("dip", AT).oldest_bar is None


def test_no_number_is_no_figure() -> None:
    """JSON has no word for it."""
    assert known(float("nan")) is None
    assert known(float("inf")) is None
    assert known(2) == 2.0
