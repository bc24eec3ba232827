"""How long and how often, as `run_trading` takes them."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.app.functions.durations import EOD, is_eod, seconds_of
from framework.errors import ConfigError


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (10, 10), (0.5, 0.5), (np.int64(7), 7), (np.float64(0.25), 0.25),
        ("30s", 30), ("1m", 60), ("15m", 900), ("1h", 3600), ("2h", 7200), ("1.5h", 5400), (".5m", 30), ("2.h", 7200),
        ("90", 90), ("3600", 3600), (" 15 M ", 900), ("2H", 7200),
    ],
)  # fmt: skip
def test_forms(asked: float | str, seconds: float) -> None:
    """Numbers are seconds; a text may name its unit, in any case, with spaces."""
    assert seconds_of(asked, "frequency") == seconds


@pytest.mark.parametrize("name", ["run_seconds", "frequency"])
def test_a_text_such_as_1m_works_where_it_was_a_type_error(name: str) -> None:
    """The original documented it; run_seconds="1m" and frequency="1m" both raised TypeError, after positions opened."""
    assert seconds_of("1m", name) == 60.0


def test_run_seconds_eod_works_where_it_was_a_type_error() -> None:
    """It was compared with a number, and the session went straight to liquidation."""
    assert is_eod(EOD)
    assert is_eod(" eod ")
    assert not any(is_eod(each) for each in ("1h", "", 30, None, True))


@pytest.mark.parametrize(
    "asked",
    [
        0, -1, 0.0, math.nan, math.inf, -math.inf, True, False, None, [10], b"10s", 10**400, 1j,
        "", " ", "0", "0s", "-5", "-5m", "1d", "h", "1h30m", "10 minutes", "1e3", "1_000", "nan", "inf", "9" * 400,
        "1.2.3h", "١m", "5\n6", "EOD",
    ],
)  # fmt: skip
def test_anything_else_is_one_line_that_shows_the_forms(asked: object) -> None:
    """Before anything is traded, naming the parameter."""
    with pytest.raises(ConfigError) as raised:
        seconds_of(asked, "frequency")  # type: ignore[arg-type]
    told = str(raised.value)
    assert told.startswith("frequency is ")
    assert '"15m"' in told
    assert "\n" not in told
    assert len(told) < 200


def test_only_run_seconds_is_told_of_eod() -> None:
    """It is no frequency."""
    with pytest.raises(ConfigError, match='or "EOD" for until the market closes'):
        seconds_of("EOF", "run_seconds")
    with pytest.raises(ConfigError) as raised:
        seconds_of("EOF", "frequency")
    assert "EOD" not in str(raised.value)


@given(st.integers(1, 10**6), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("", 1)]), st.booleans())
def test_a_unit_multiplies_whatever_its_case(number: int, unit: tuple[str, int], is_upper: bool) -> None:
    """And spaces change nothing."""
    letter, seconds = unit
    text = f" {number} {letter.upper() if is_upper else letter} "
    assert seconds_of(text, "frequency") == number * seconds


@given(st.floats(0, exclude_min=True, allow_infinity=False) | st.integers(1, 2**53))
def test_a_number_is_itself(number: float) -> None:
    """As seconds."""
    assert seconds_of(number, "frequency") == number


@given(st.floats(max_value=0) | st.integers(max_value=0))
def test_what_is_not_above_nought_is_refused(number: float) -> None:
    """There is no session to run."""
    with pytest.raises(ConfigError):
        seconds_of(number, "frequency")


@given(st.text(max_size=20) | st.from_regex(r"[0-9.]{1,5} ?[smhSMHd]?", fullmatch=True))
def test_any_text_is_a_span_or_a_kind_error(text: str) -> None:
    """Nothing else is raised, and what is read is above nought and finite."""
    with suppress(ConfigError):
        assert 0 < seconds_of(text, "run_seconds") < math.inf
