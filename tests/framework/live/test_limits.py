"""Limits as they are given: what can be one, how they are read, and how they are told."""

from __future__ import annotations

from typing import Any

import pytest

from framework.errors import ConfigError
from framework.live.limits import NONE, Limits, told


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"order_value": -1}, "limit order_value=-1 is not above zero"),
        ({"daily_loss": 0}, "limit daily_loss=0 is not above zero"),
        ({"stale": 0}, "limit stale=0 is not above zero"),
        ({"stale": None}, "limit stale=None is no number; give one, such as stale=30"),
        ({"position_value": float("nan")}, "limit position_value=nan is no number"),
        ({"position_value": "5000"}, "limit position_value='5000' is no number"),
        ({"open_orders": True}, "limit open_orders=True is no number"),
        ({"open_orders": 2.5}, "limit open_orders=2.5 is no count; give a whole number, such as 10"),
        ({"orders_per_minute": float("inf")}, "limit orders_per_minute=inf is no count"),
        ({"collar": 5}, "limit collar=5 is not a fraction of the price; 0.05 is 5 %"),
        ({"symbols": ()}, "limit symbols names none"),
        ({"symbols": 7}, "limit symbols=7 are no symbols"),
    ],
)
def test_nonsense_is_no_limit(given: dict[str, Any], message: str) -> None:
    """One line says what was given and what to give."""
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        Limits(**given)


@pytest.mark.parametrize("given", ["AAPL, TSLA", ["AAPL", "TSLA", "AAPL"], ("AAPL", "TSLA")])
def test_symbols_are_taken_as_they_come(given: Any) -> None:
    """A text with commas is a list of symbols, not one of letters."""
    assert Limits(symbols=given).symbols == ("AAPL", "TSLA")


def test_limits_are_read_from_the_command_line() -> None:
    """Numbers as numbers, the last of a name counts."""
    found = Limits.parse(["order_value=1", "order_value=5000", "collar=0.05", "symbols=AAPL,TSLA", "open_orders=3"])
    assert found == Limits(order_value=5000, collar=0.05, symbols=("AAPL", "TSLA"), open_orders=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("order_value", "--limit order_value: write it as NAME=VALUE"),
        ("ordervalue=5", "there is no limit ordervalue .did you mean order_value?"),
        ("collar=5%", "--limit collar=5%: it is a number, such as 0.05"),
        ("daily_loss=-1", "limit daily_loss=-1 is not above zero"),
    ],
)
def test_a_slip_on_the_command_line_is_one_line(text: str, message: str) -> None:
    """With what was meant."""
    with pytest.raises(ConfigError, match=message):
        Limits.parse([text])


def test_what_holds_is_told_in_a_line() -> None:
    """None is told with where to read about them; the age of prices alone is none."""
    assert told(Limits().body()) == NONE
    body = Limits(order_value=12_000, collar=0.05, symbols=("AAPL", "TSLA")).body()
    assert told(body) == "limits: order_value 12,000, collar 0.05, stale 30, symbols AAPL TSLA"
