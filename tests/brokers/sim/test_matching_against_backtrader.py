"""Backtrader's BackBroker and the matching core: the same fills, ends, cash and positions, bit for bit."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from order_programs import Played, Program, in_backtrader, programs

SLOW = [HealthCheck.too_slow]

PROGRAMS = int(os.environ.get("DRILL_PROGRAMS") or 500)
"""How many random programs are played."""


@settings(max_examples=PROGRAMS, deadline=None, suppress_health_check=SLOW)
@given(programs())
def test_random_programs_fill_as_in_backtrader(program: Program) -> None:
    """Over random tapes and order programs, both agree on every fill, when it came, and all that is left."""
    assert Played(program).run().outcome() == in_backtrader(program)


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(programs(slips=True))
def test_slippage_is_backtraders(program: Program) -> None:
    """With slippage too, but for the orders that slip otherwise on purpose (see brokers.sim.prices)."""
    assert Played(program).run().outcome() == in_backtrader(program)
