"""`feeds.checks`: bad bars and bad questions get one line that says where and what to try."""

from datetime import UTC, datetime

import numpy as np
import pytest

from feeds.checks import check_columns, check_found, check_range, check_symbols, listed, symbol_list
from framework.columns import Columns
from framework.errors import ConfigError

ENDS = np.array(["2026-01-05T14:31", "2026-01-05T14:32", "2026-01-05T14:35"], dtype="datetime64[us]")
EARLY, LATE = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)


def bars(end=ENDS, **changed):
    """Three good bars, with the second bar's values changed."""
    values = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 100.0}
    columns = {name: np.array([value, changed.get(name, value), value]) for name, value in values.items()}
    return Columns.of(end, **columns)


def refused(pattern):
    return pytest.raises(ConfigError, match=pattern)


def test_good_bars_are_returned_as_they_are():
    """The same columns, so that a check can stand in an expression."""
    good = bars()
    assert check_columns("SPY", good) is good


def test_no_bars_are_good_bars():
    """Whether an empty history is an error is another question."""
    assert len(check_columns("SPY", Columns.empty())) == 0


@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 0.0])
def test_a_price_that_is_no_price_is_refused_with_its_place_and_value(name, value):
    """NaN, infinite, negative and zero prices; the bar is named by its number and time."""
    with refused(rf"^SPY: bar 2 of 3 \(ends 2026-01-05 14:32 UTC\) has {name} {value}; prices are"):
        check_columns("SPY", bars(**{name: value}))


def test_a_high_below_the_low_is_refused():
    """Both values are shown."""
    with refused(r"bar 2 of 3 .* has high 8.5 below low 9.0"):
        check_columns("SPY", bars(high=8.5))


@pytest.mark.parametrize(("name", "value"), [("open", 12.5), ("open", 8.5), ("close", 12.5), ("close", 8.5)])
def test_an_open_or_close_outside_of_the_bar_is_refused(name, value):
    """With the value and the range it should be in."""
    with refused(rf"has {name} {value} outside of low 9.0 to high 12.0"):
        check_columns("SPY", bars(**{name: value}))


def test_the_last_binary_digit_of_an_adjusted_price_is_forgiven():
    """Vendors adjust a close by another sum than the high: 1 part in 10**16 is not an error."""
    assert check_columns("SPY", bars(close=np.nextafter(12.0, 13.0)))


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_volume_that_is_no_volume_is_refused(value):
    """Negative, NaN and infinite."""
    with refused(rf"bar 2 of 3 .* has volume {value}; a volume is"):
        check_columns("SPY", bars(volume=value))


def test_a_volume_of_zero_is_good():
    """Quote bars and indices have none."""
    assert check_columns("SPY", bars(volume=0.0))


def test_times_out_of_order_are_refused_with_both_times():
    """The first bar that goes back is named, and the one before it."""
    with refused(r"bar 2 of 3 \(ends 2026-01-05 14:32 UTC\) comes after a bar that ends at 2026-01-05 14:35 UTC; sort"):
        check_columns("SPY", bars(ENDS[[2, 1, 0]]))


def test_a_time_that_is_there_twice_is_refused():
    """The second of the two is named."""
    with refused(r"bar 3 of 3 \(ends 2026-01-05 14:32 UTC\) is there twice"):
        check_columns("SPY", bars(ENDS[[0, 1, 1]]))


def test_a_missing_time_is_refused():
    """NaT compares with nothing, so it is looked for first."""
    with refused("SPY: bar 2 of 3 has no time"):
        check_columns("SPY", bars(np.array([ENDS[0], "NaT", ENDS[2]])))


def test_an_unknown_symbol_is_refused_with_the_nearest():
    """A short list of what is known is shown whole."""
    with refused(r"symbol APPL is not in bars.csv \(did you mean AAPL\?\); it has AAPL, SPY$"):
        check_symbols(["SPY", "APPL"], ["SPY", "AAPL"], "bars.csv")


def test_known_symbols_pass():
    """Nothing is returned, nothing raised."""
    check_symbols(["SPY"], ["IBM", "SPY"])


def test_a_long_list_is_cut():
    """A message stays one line that can be read."""
    assert listed([f"S{n}" for n in range(14)]).endswith("S11 and 2 more")
    assert listed([]) == "none"


def test_one_symbol_may_be_a_plain_string():
    """It is not taken letter by letter."""
    assert symbol_list("SPY") == ("SPY",)
    assert symbol_list(iter(["SPY", "IBM"])) == ("SPY", "IBM")


@pytest.mark.parametrize(
    ("symbols", "pattern"),
    [
        ([], "no symbols were given"),
        (["SPY", "IBM", "SPY"], "symbol SPY was given 2 times"),
        (["SPY", 7], "symbol 7 is not a name"),
        (["SPY "], "symbol 'SPY ' is not a name"),
        ("SPY,IBM", "symbol 'SPY,IBM' is not a name; try a list"),
    ],
)
def test_a_list_that_names_no_symbols_is_refused(symbols, pattern):
    """Nothing, twice the same, not a name."""
    with refused(pattern):
        symbol_list(symbols)


def test_a_start_after_the_end_is_refused_with_both():
    """And so is a range of no length."""
    with refused(r"start 2026-01-06 00:00 UTC is not before end 2026-01-05 00:00 UTC \(.*\); try"):
        check_range(LATE, EARLY)
    with refused("is not before end"):
        check_range(EARLY, EARLY)


@pytest.mark.parametrize("limits", [(EARLY, LATE), (None, LATE), (EARLY, None), (None, None)])
def test_a_range_that_goes_forward_passes(limits):
    """None is open."""
    check_range(*limits)


def test_an_empty_range_says_which_range_there_is():
    """What was asked, what there is, what to try."""
    with refused(
        r"^SPY: no bars from 2026-01-06 00:00 UTC to the end; "
        r"there are 3 bars, from 2026-01-05 14:31 UTC to 2026-01-05 14:35 UTC: try"
    ):
        check_found("SPY", Columns.empty(), bars(), LATE, None)


def test_nothing_at_all_is_refused_too():
    """Where there is not one bar, there is no range to show."""
    with refused("SPY: no bars were found at all"):
        check_found("SPY", Columns.empty(), Columns.empty(), None, LATE)


def test_what_was_found_is_returned():
    """The same columns."""
    found = bars()
    assert check_found("SPY", found, found, EARLY, None) is found
