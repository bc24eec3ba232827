"""The pictures of a sweep."""

from __future__ import annotations

import numpy as np
import pytest
from swept import DAY, Dip

from framework import search, sweep
from framework.errors import ConfigError
from framework.research.outcome import Sweep
from framework.research.pictures import decimals


@pytest.fixture(scope="module")
def found() -> Sweep:
    return sweep(Dip, source=DAY, grid={"period": [3, 5, 9], "lot": [1, 2], "mishap": ["", "init"]}, workers=1)


def test_one_parameter_is_a_line() -> None:
    """A point for each of its values, a gap where the run failed."""
    swept = sweep(Dip, source=DAY, grid={"mishap": ["", "init", "count"], "folder": [""]}, workers=1)
    (line,) = swept.plot("final_equity").axes[0].lines
    assert line.get_ydata()[0] == swept.table["final_equity"][0]
    assert line.get_ydata()[1] != line.get_ydata()[1]


@pytest.mark.parametrize(
    ("greatest", "places"), [(0.0, 2), (0.0036, 5), (0.5, 3), (2.05, 2), (31.0, 1), (100_123.0, 0), (float("nan"), 2)]
)
def test_numbers_of_a_map_have_three_digits(greatest: float, places: int) -> None:
    """Returns of a thousandth are no row of noughts, and money has no cents."""
    assert decimals(np.array([[-greatest / 2, greatest], [0.0, np.nan]])) == places


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


def test_many_parameters_are_axes_side_by_side(found: Sweep) -> None:
    """A line a run that was made, in the colour of its figure, the greatest on top; an axis each, and the figure's."""
    ax = found.plot("final_equity", kind="parallel").axes[0]
    assert [each.get_text() for each in ax.get_xticklabels()] == ["period", "lot", "mishap", "Final equity"]
    (lines,) = ax.collections
    assert len(lines.get_segments()) == 6
    ends = [each[-1][1] for each in lines.get_segments()]
    assert ends == sorted(ends)
    assert (ends[0], ends[-1]) == (0, 1)
    at = found.table["final_equity"].idxmax()
    best = lines.get_segments()[-1]
    assert best[0][1] == pytest.approx((found.table["period"][at] - 3) / 6)
    assert {each.get_text() for each in ax.texts} >= {"3", "5", "9", "1", "2"}


def test_parallel_axes_of_what_is_no_number() -> None:
    """Each value has a place of its own, in order; a value that is the only one is in the middle."""
    swept = sweep(Dip, source=DAY, grid={"mishap": ["", "none"], "lot": [1, 3], "folder": ["."]}, workers=1)
    ax = swept.plot("fills", over=["mishap", "folder", "lot"], kind="parallel").axes[0]
    places = {each.get_text(): each.get_position()[1] for each in ax.texts if each.get_position()[0] < 2}
    assert places == {"": 0, "none": 1, ".": 0.5}


def test_a_search_is_drawn_with_parallel_axes() -> None:
    """By its objective, unless said otherwise."""
    pytest.importorskip("optuna")
    found = search(Dip, source=DAY, space={"period": (2, 9)}, trials=5, objective="final_equity", workers=1)
    assert found.plot().axes[0].get_title(loc="left") == "Dip: Final equity of 5 runs"
    assert found.plot("fills", kind="grid").axes[0].get_xlabel() == "period"


WRONG = [
    ({}, "over one parameter or two, not 3"),
    ({"over": "perod"}, r"'perod' was not swept \(did you mean period\?\)"),
    ({"over": "period", "by": "sharp"}, "did you mean sharpe"),
    ({"over": "period", "by": "start"}, "is a time, not a number"),
    ({"kind": "paralel"}, r"kind='paralel' is no kind of picture \(did you mean parallel\?\)"),
    ({"kind": "parallel", "by": "start"}, "is a time, not a number"),
    ({"kind": "parallel", "by": "sharp"}, "did you mean sharpe"),
    ({"kind": "parallel", "over": "perod", "by": "fills"}, "did you mean period"),
    ({"kind": "parallel", "by": "sharpe"}, "nothing to draw: no run has sharpe"),
]


@pytest.mark.parametrize(("how", "said"), WRONG)
def test_a_picture_that_cannot_be(found: Sweep, how: dict[str, str], said: str) -> None:
    """In one line, with what can."""
    with pytest.raises(ConfigError, match=said):
        found.plot(**how)
