"""The vocabulary."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

import framework
from framework import model
from framework.errors import ConfigError, RateLimited, SwitchbackError, VenueError, nearest
from framework.model import OrderRequest, OrderStatus, OrderType, Side, Timeframe, Unit
from framework.wire import HttpRequest


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("1Min", 1, Unit.MINUTE),
        ("5min", 5, Unit.MINUTE),
        ("15T", 15, Unit.MINUTE),
        ("hour", 1, Unit.HOUR),
        ("4Hours", 4, Unit.HOUR),
        (" 1 Day ", 1, Unit.DAY),
        ("2w", 2, Unit.WEEK),
        ("Month", 1, Unit.MONTH),
    ],
)
def test_a_timeframe_is_read_as_people_write_it(text: str, amount: int, unit: Unit) -> None:
    """Alpaca's spelling and the usual short ones."""
    assert Timeframe.parse(text) == Timeframe(amount, unit)
    assert Timeframe.parse(str(Timeframe.parse(text))) == Timeframe(amount, unit)


@pytest.mark.parametrize("text", ["", "5", "Fortnight", "0Min", "-1Min", "1.5Hour", "M5"])
def test_a_timeframe_that_is_none_is_refused(text: str) -> None:
    """With examples of what is."""
    with pytest.raises(ConfigError, match=r"timeframe|amount"):
        Timeframe.parse(text)


def test_minutes_and_hours_have_a_length() -> None:
    """A day's length depends on the calendar, so it has none."""
    assert Timeframe.parse("5Min").length == timedelta(minutes=5)
    assert Timeframe.parse("2Hour").length == timedelta(hours=2)
    assert Timeframe.parse("1Day").length is None


def test_values_are_frozen() -> None:
    """Every dataclass of the vocabulary is immutable and has slots."""
    values = [each for each in vars(model).values() if dataclasses.is_dataclass(each)]
    assert len(values) >= 10
    assert all(each.__dataclass_params__.frozen and hasattr(each, "__slots__") for each in values)


def test_an_order_is_for_a_quantity_or_a_value() -> None:
    """Both or neither is an error that names the order."""
    with pytest.raises(ConfigError, match="order id-7: give a quantity or a notional"):
        OrderRequest("id-7", "SPY", Side.BUY, OrderType.MARKET)


def test_final_statuses_are_those_after_which_nothing_comes() -> None:
    """A partly filled or suspended order is alive; a replaced one is not."""
    final = {each for each in OrderStatus if each.is_final}
    names = {"FILLED", "CANCELED", "EXPIRED", "REPLACED", "REJECTED"}
    assert {each.name for each in final} == names
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)


def test_one_except_clause_catches_all() -> None:
    """Every error is a SwitchbackError; a bad setting is a ValueError too; a venue's has its name."""
    error = RateLimited("alpaca", "slow down", retry_after=2.5)
    assert isinstance(error, VenueError)
    assert isinstance(error, SwitchbackError)
    assert issubclass(ConfigError, ValueError)
    assert (str(error), error.venue, error.retry_after) == ("alpaca: slow down", "alpaca", 2.5)


def test_the_nearest_word_is_suggested() -> None:
    """In any case; nothing where nothing is near."""
    assert nearest("spyy", ["SPY", "IBM"]) == " (did you mean SPY?)"
    assert nearest("XOM", ["SPY", "IBM"]) == ""


def test_a_requests_headers_are_not_shown() -> None:
    """They hold credentials: a repr in a log or a traceback must not."""
    assert "s3cret" not in repr(HttpRequest("GET", "https://example.org", headers={"APCA-API-SECRET-KEY": "s3cret"}))


def test_what_the_package_offers_can_be_had() -> None:
    """Each name of `framework.__all__` is there, and another is an AttributeError."""
    assert all(getattr(framework, name) for name in framework.__all__)
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        _ = framework.runn
