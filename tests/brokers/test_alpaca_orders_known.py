"""What the desk knows of a session's orders, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from asked import NOW, filled, order, posted

from brokers.alpaca.telling import Telling
from framework.live.clock import VirtualClock
from framework.model import OrderStatus


def telling() -> tuple[Telling, list[Any]]:
    """Return one that has sent an order and heard of its fill, and what it told."""
    told: list[Any] = []
    made = Telling(VirtualClock(NOW), told.append, lambda update, steps: None)
    made.requests["run-1-1"] = order()
    made.expect(posted(order()))
    made.hear(filled(10, 100.0, 10, 100.0))
    return made, told


def test_what_is_over_is_told_once_and_then_forgotten() -> None:
    """A fill that is told again says nothing, before and after; nothing of the order is kept."""
    made, told = telling()
    assert [each.status for each in told] == [OrderStatus.FILLED]
    made.forget(NOW)
    assert made.over == {"run-1-1"}
    made.forget(NOW + timedelta(days=3))
    assert (made.over, made.requests, made.is_expected("run-1-1")) == (set(), {}, False)
    made.hear(filled(10, 100.0, 10, 100.0))
    assert len(told) == 1


def test_what_was_never_sent_is_forgotten_too() -> None:
    """An order that was refused here, of which the venue has never heard."""
    made, _ = telling()
    made.reject("run-1-2", "no")
    made.forget(NOW + timedelta(days=3))
    assert made.over == set()
