"""Whatever is asked, filled, cancelled, changed and restarted: no entry goes beyond a limit, and no exit is blocked."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits_world import SYMBOLS, Asks, World

from framework.live.limits import Limits

LIMITS = st.builds(
    Limits,
    order_value=st.sampled_from([None, 1_000.0, 2_500.0]),
    position_value=st.sampled_from([None, 2_000.0, 4_000.0]),
    open_orders=st.sampled_from([None, 2, 4, 8]),
    orders_per_minute=st.sampled_from([None, 3, 6]),
    daily_loss=st.sampled_from([None, 100.003, 500.003]),
    collar=st.sampled_from([None, 0.1]),
    symbols=st.sampled_from([None, None, SYMBOLS[:1]]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), LIMITS)
def test_each_order_meets_what_the_limits_say_and_nothing_else(data: st.DataObject, limits: Limits) -> None:
    """The real loop, broker and journal beside a table that says for each order which limits it goes beyond."""
    World(data, limits, steps=40).play(Asks)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from([2_000.0, 4_000.0]))
def test_a_position_keeps_to_its_limit_through_changes_brackets_and_pairs(data: st.DataObject, most: float) -> None:
    """With nothing else in the way, much more is let through."""
    World(data, Limits(position_value=most), steps=40, is_calm=True).play(Asks)
