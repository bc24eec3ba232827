"""Faults on demand, and by a seed."""

from __future__ import annotations

import pytest

from framework.errors import ConfigError
from framework.sandbox.faults import Fault, Faults


def faults() -> Faults:
    made = Faults()
    made.know({"drop": "cut", "mute": "say nothing"})
    return made


def test_a_counted_fault_is_used_up() -> None:
    """Twice, then no more; what was made is counted."""
    known = faults()
    known.arm("drop", count=2)
    assert [known.take("drop") is not None for _ in range(4)] == [True, True, False, False]
    assert (known.made["drop"], known.armed) == (2, [])


def test_count_zero_lasts_until_cleared() -> None:
    """It goes on and on."""
    known = faults()
    known.arm("mute", count=0)
    assert all(known.take("mute") for _ in range(10))
    known.clear()
    assert known.take("mute") is None


def test_after_lets_chances_pass() -> None:
    """The third chance is the one."""
    known = faults()
    known.arm("drop", after=2)
    assert [known.take("drop") is not None for _ in range(4)] == [False, False, True, False]


def test_stream_and_facts_limit_a_fault() -> None:
    """Another stream or another fact leaves it armed."""
    known = faults()
    known.arm("drop", stream="data", match={"event": "fill"}, seconds=3)
    assert known.take("drop", "trade_updates", event="fill") is None
    assert known.take("drop", "data", event="new") is None
    taken = known.take("drop", "data", event="fill")
    assert taken is not None
    assert taken.seconds(1) == 3


def test_chance_is_the_seeds() -> None:
    """The same seed draws alike, another does not, and one kind of chance does not move another."""
    known = faults()

    def drawn(seed: int, *others: str) -> list[bool]:
        known.at_random(seed, 0.5)
        return [
            bool([known.take(each) for each in others] and False) or known.take("drop") is not None for _ in range(40)
        ]

    assert drawn(1) == drawn(1) == drawn(1, "mute") != drawn(2)


def test_chance_can_be_limited_to_some_faults() -> None:
    """Those that are not named never happen."""
    known = faults()
    known.at_random(1, 1.0, ("mute",))
    assert (known.take("drop"), known.take("mute") is not None) == (None, True)


@pytest.mark.parametrize(
    "arm", [lambda known: known.arm(Fault("dorp")), lambda known: known.at_random(1, 1, ("dorp",))]
)
def test_an_unknown_fault_names_the_nearest(arm: object) -> None:
    """In one line."""
    with pytest.raises(ConfigError, match=r"no fault 'dorp' \(did you mean drop\?\); try one of: drop, mute"):
        arm(faults())  # type: ignore[operator]
