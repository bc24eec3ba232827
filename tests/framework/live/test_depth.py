"""Whether there is history enough for a strategy's first `next`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from tape import OPEN, Tape

from framework.columns import Columns
from framework.live.checkup import Answer, Verdict
from framework.live.depth import depth
from framework.model import Timeframe
from framework.ports import Warmup
from framework.warmup import earlier

AT = OPEN + timedelta(minutes=30)


class Known(Tape):
    """A tape that tells what was before an instant, as a live source does."""

    def before(self, at: datetime, warmup: Warmup) -> Mapping[str, Columns]:
        return {symbol: earlier(each, at, warmup) for symbol, each in self._bars.items()}


def looked(need: int, longer: Sequence[str] = (), warmup: Any = "auto") -> Answer:
    source: Any = Known({"SPY": [100.0] * 60, "IBM": [None] * 27 + [50.0] * 3})
    kinds = [Timeframe.parse(each) for each in longer]
    return depth(source, AT, kinds, warmup, lambda feeds: [need] * len(feeds))


@pytest.mark.parametrize(("need", "told"), [(1, "needs none before its first bar"), (4, "the indicators need up to 4")])
def test_enough_is_a_yes(need: int, told: str) -> None:
    """The first live bar counts as one of them."""
    answer = looked(need)
    assert (answer.verdict, told in answer.text) == (Verdict.YES, True)


def test_what_lacks_bars_is_told_with_how_many_there_are() -> None:
    """Only those symbols that do; the session starts all the same, and waits."""
    answer = looked(21)
    assert (answer.verdict, answer.text) == (Verdict.WARNING, "IBM: 3 of 21 bars are there")


def test_longer_bars_are_counted_too() -> None:
    """Six bars of five minutes in half an hour."""
    assert "SPY 5Min: 6 of 7 bars" in looked(7, ["5Min"]).text


def test_a_warmup_that_is_asked_for_is_what_is_had() -> None:
    """However much there may be."""
    assert looked(21, warmup=0).text == "SPY: 0 of 21 bars, IBM: 0 of 21 bars are there"
