"""Alpaca's bars: stamped with their start, of any length."""

from datetime import UTC, datetime

import numpy as np
import pytest
from tape import OPEN, bars

from feeds.alpaca.windows import windows
from framework.columns import Columns, instant, joined
from framework.errors import ConfigError
from framework.model import MINUTE, Timeframe


def starts(columns: Columns, text: str, *, crypto: bool = False, source: Timeframe = MINUTE) -> list[str]:
    found = windows(columns, source, Timeframe.parse(text), crypto=crypto)
    return [str(at)[:16] for at in found.start]


@pytest.mark.parametrize(
    ("timeframe", "expected"),
    [
        ("1Min", "2026-01-05T14:30"),
        ("15Min", "2026-01-05T14:30"),
        ("1Hour", "2026-01-05T14:00"),
        ("4Hour", "2026-01-05T13:00"),  # 08:00 in New York
        ("1Day", "2026-01-05T05:00"),
        ("1Week", "2026-01-05T05:00"),
        ("3Month", "2026-01-01T05:00"),
    ],
)
def test_window_begins_on_new_yorks_clock(timeframe, expected):
    """Minutes and hours count from midnight, weeks from Monday, months from the first."""
    assert starts(bars([100.0]), timeframe) == [expected]


def test_crypto_windows_are_utcs_but_days_are_chicagos():
    """Four hours count from UTC's midnight; a day begins at 06:00 UTC in winter."""
    columns = bars([100.0], opens=datetime(2026, 1, 5, 5, 59, tzinfo=UTC))
    assert starts(columns, "4Hour", crypto=True) == ["2026-01-05T04:00"]
    assert starts(columns, "1Day", crypto=True) == ["2026-01-04T06:00"]


def test_day_bar_takes_in_all_hours():
    """Pre-market and post-market belong to the day, in summer too."""
    early, late = datetime(2026, 7, 6, 8, tzinfo=UTC), datetime(2026, 7, 6, 23, 59, tzinfo=UTC)
    both = joined([bars([10.0], opens=early), bars([20.0], opens=late)])
    assert starts(both, "1Day") == ["2026-07-06T04:00"]


def test_window_has_the_count_and_the_average_of_its_trades():
    """Two minutes of 1000 and 3000 shares at 10 and 20 make an average of 17.50."""
    both = joined([bars([10.0]), bars([20.0], opens=OPEN.replace(minute=31), volume=3000)])
    one = windows(both, MINUTE, Timeframe.parse("2Min"))
    assert (one.trades.tolist(), one.vwap.tolist(), one.volume.tolist()) == ([8], [17.5], [4000.0])


def test_bar_without_volume_has_its_close_for_an_average():
    """Crypto bars may be made of quotes alone."""
    one = windows(bars([10.0], volume=0), MINUTE, MINUTE, crypto=True)
    assert one.vwap.tolist() == [10.0]


def test_hour_that_is_there_twice_stays_two():
    """When the clock is put back, each of the two hours keeps its own start."""
    opens = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # 01:30 in New York, twice
    both = joined([bars([1.0], opens=opens), bars([2.0], opens=opens.replace(hour=6))])
    assert starts(both, "1Min") == ["2026-11-01T05:30", "2026-11-01T06:30"]


def test_day_tape_is_told_by_its_days():
    """A day bar that ends at the close begins at New York's midnight."""
    day = Columns.of([instant(datetime(2026, 1, 5, 21, tzinfo=UTC))], [1], [1], [1], [1], [4])
    assert starts(day, "1Day", source=Timeframe.parse("1Day")) == ["2026-01-05T05:00"]


def test_shorter_than_the_tape_cannot_be():
    """Minutes are not made of hours; nothing is made of nothing."""
    with pytest.raises(ConfigError, match="cannot make 1Min bars of 1Hour bars"):
        windows(bars([1.0]), Timeframe.parse("1Hour"), MINUTE)
    assert len(windows(Columns.empty(), MINUTE, Timeframe.parse("1Day"))) == 0
    assert windows(Columns.empty(), MINUTE, MINUTE).start.dtype == np.dtype("datetime64[us]")
