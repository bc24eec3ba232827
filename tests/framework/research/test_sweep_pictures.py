"""The pictures of a sweep."""

from __future__ import annotations

import pytest
from swept import DAY, Dip

from framework import sweep
from framework.errors import ConfigError
from framework.research.outcome import Sweep


@pytest.fixture(scope="module")
def found() -> Sweep:
    return sweep(Dip, source=DAY, grid={"period": [3, 5, 9], "lot": [1, 2], "mishap": ["", "init"]}, workers=1)


def test_one_parameter_is_a_line() -> None:
    """A point for each of its values, a gap where the run failed."""
    swept = sweep(Dip, source=DAY, grid={"mishap": ["", "init", "count"], "folder": [""]}, workers=1)
    (line,) = swept.plot("final_equity").axes[0].lines
    assert line.get_ydata()[0] == swept.table["final_equity"][0]
    assert line.get_ydata()[1] != line.get_ydata()[1]


def test_two_parameters_are_a_heat_map(found: Sweep) -> None:
    """A cell for each pair; over the others the median is shown, and the title says so."""
    ax = found.plot("final_equity", over=("period", "lot")).axes[0]
    (image,) = ax.images
    shown = image.get_array()
    assert shown.shape == (3, 2)
    assert shown[0, 1] == found.table["final_equity"][2]
    assert ax.get_title(loc="left") == "Dip: Final equity, median over mishap"
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("period", "lot")


def test_a_parameter_of_one_value_is_not_drawn_over() -> None:
    """The other one makes a line."""
    ax = sweep(Dip, source=DAY, grid={"period": [3, 4], "lot": [1]}, workers=1).plot().axes[0]
    assert ax.get_xlabel() == "period"


WRONG = [
    ({}, "over one parameter or two, not 3"),
    ({"over": "perod"}, r"'perod' was not swept \(did you mean period\?\)"),
    ({"over": "period", "by": "sharp"}, "did you mean sharpe"),
    ({"over": "period", "by": "start"}, "is a time, not a number"),
]


@pytest.mark.parametrize(("how", "said"), WRONG)
def test_a_picture_that_cannot_be(found: Sweep, how: dict[str, str], said: str) -> None:
    """In one line, with what can."""
    with pytest.raises(ConfigError, match=said):
        found.plot(**how)
