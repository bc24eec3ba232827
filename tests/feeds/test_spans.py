"""Runs of days: what is missing between them."""

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feeds.spans import Span, missing

DAY0 = date(2025, 12, 1)
OFFSETS = st.integers(0, 60)
SPANS = st.tuples(OFFSETS, OFFSETS).map(lambda pair: Span(day(min(pair)), day(max(pair))))


def day(offset: int) -> date:
    return DAY0 + timedelta(days=offset)


def days_of(spans: list[Span]) -> list[date]:
    return [span.first + timedelta(days=n) for span in spans for n in range((span.last - span.first).days + 1)]


@given(SPANS, st.lists(SPANS))
def test_missing_is_what_no_span_holds(wanted, held):
    """Day for day: what is wanted and not held, in order, nothing twice."""
    assert days_of(missing(wanted, held)) == sorted(set(days_of([wanted])) - set(days_of(held)))


@given(SPANS)
def test_years_together_are_the_span(span):
    """Cutting at the new year loses no day."""
    assert days_of(span.by_year()) == days_of([span])
    assert all(part.first.year == part.last.year for part in span.by_year())


def test_trimmed_span_begins_and_ends_with_trading():
    """A weekend at either end is not worth a request; one within stays."""
    weekdays = np.array([day(n) for n in range(60) if day(n).weekday() < 5], dtype="datetime64[D]")
    saturday, sunday = date(2025, 12, 6), date(2025, 12, 14)
    assert Span(saturday, sunday).trimmed(weekdays) == Span(date(2025, 12, 8), date(2025, 12, 12))
    assert Span(saturday, date(2025, 12, 7)).trimmed(weekdays) is None
