"""What a journal keeps of how a run was made, so that it can be played again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import backtrader as bt
import numpy as np
import pytest
from tape import bars

from framework.calendar import Calendar
from framework.engine.day_end import AtClose
from framework.feeding import Feed
from framework.live import recipe
from framework.live.codec import dumps, loads
from framework.model import Bar, Timeframe
from framework.stage import Piece, Sizer

AT = datetime(2026, 1, 5, 14, 40, tzinfo=UTC)


class Own(bt.Strategy):
    """A strategy of this module."""


def piece(sizer: Sizer | None = 5, at_close: AtClose | None = None) -> Piece:
    return Piece(Own, {}, None, 1.0, 0.0, 0.0, sizer, (), None, True, at_close)


def test_a_recipe_names_what_a_run_was_made_of() -> None:
    """The class and where it is, and each keyword that decides how it comes out; the journal takes all of it."""
    end = AtClose("liquidate", timedelta(minutes=5), Calendar())
    made = recipe.recipe(piece(at_close=end), [Timeframe.parse("5Min")], venue="alpaca", is_intrabar=True)
    assert (made["module"], made["class"], made["file"]) == (__name__, "Own", __file__)
    assert (made["resample"], made["sizer"], made["at_close"], made["intrabar"]) == (["5Min"], 5, "liquidate", True)
    assert loads(dumps(made)) == made


def test_what_is_no_value_is_its_text() -> None:
    """A sizer's class and a function have to be given again."""
    end = AtClose(lambda strategy: None, timedelta(minutes=5), Calendar())
    made = recipe.recipe(piece(bt.sizers.PercentSizer, end), [], venue="alpaca", is_intrabar=False)
    assert "PercentSizer" in made["sizer"]["other"]
    assert "lambda" in made["at_close"]["other"]
    assert loads(dumps(made)) == made


def test_history_comes_back_to_the_last_bit() -> None:
    """The bars of each symbol's own feed, not those that are made of them."""
    known = bars([100.1, 100.2, (1 / 3, 0.5, 0.3, 0.4)])
    own = Feed("A", Timeframe.parse("1Min"), Calendar(), known, AT)
    made = Feed("A", Timeframe.parse("5Min"), Calendar(), known, AT, is_resampled=True)
    ((kind, symbol, body),) = recipe.history([own, made])
    back = recipe.bars_of(loads(dumps(body)))
    assert (kind, symbol, body["timeframe"], body["hours"]) == ("history", "A", "1Min", "regular")
    assert back is not None
    for name in ("end", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(back, name), getattr(known, name))


def test_a_history_that_is_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be most of the journal; the record says that it is not there."""
    monkeypatch.setattr(recipe, "MOST", 2)
    ((_, _, body),) = recipe.history([Feed("A", Timeframe.parse("1Min"), Calendar(), bars([1.0, 2.0, 3.0]), AT)])
    assert recipe.bars_of(body) is None


def test_bars_are_their_five_prices() -> None:
    """Symbol and end are beside them in the record."""
    assert recipe.priced([Bar("A", AT, 1.0, 4.0, 0.5, 2.0, 10.0)]) == [[1.0, 4.0, 0.5, 2.0, 10.0]]
