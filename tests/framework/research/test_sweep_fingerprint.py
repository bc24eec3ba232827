"""What tells one thing that a run depends on from another."""

from __future__ import annotations

import datetime
import logging
import subprocess
import sys
import threading
from types import ModuleType
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.research.fingerprint import code_digest, digest
from strategies.scalper import SmaCrossScalper

CODE = """
import backtrader as bt
import logging

log = logging.getLogger("mine")
FACTOR = 2

def half(value):
    return value / FACTOR

class Mine(bt.Strategy):
    params = (("period", 5),)
    count = 0

    def __init__(self):
        self.average = bt.ind.SMA(period=self.p.period)

    def next(self):
        if half(self.average[0]) > 1:  # a comment
            log.info("more")
"""


def loaded(code: str, name: str = "loaded_for_its_digest") -> Any:
    module = ModuleType(name)
    sys.modules[name] = module  # Backtrader looks it up
    exec(code, vars(module))
    return module.Mine


CHANGES = [
    ("value / FACTOR", "value // FACTOR"),
    ("FACTOR = 2", "FACTOR = 3"),
    ('"period", 5', '"period", 6'),
    ("[0]) > 1", "[0]) > 2"),
    ("bt.ind.SMA", "bt.ind.EMA"),
    ("self.p.period", "self.p.period + 1"),
    ("(bt.Strategy)", "(bt.SignalStrategy)"),
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_a_change_of_code_is_told(before: str, after: str) -> None:
    """Wherever it is: in a method, a helper, a constant that code names, a parameter, a base."""
    assert digest(loaded(CODE)) != digest(loaded(CODE.replace(before, after)))


def test_what_changes_nothing_is_not_told() -> None:
    """A comment, an empty line, a function that is not used."""
    same = CODE.replace("# a comment", "").replace("FACTOR = 2", "FACTOR = 2\n\ndef unused(): ...\n")
    assert digest(loaded(CODE)) == digest(loaded(same))


def test_a_users_package_may_be_called_as_one_of_ours() -> None:
    """It is told by its code all the same."""
    one, other = (loaded(each, "feeds.of_somebody_else") for each in (CODE, CODE.replace("> 1", "> 2")))
    assert digest(one) != digest(other)


def test_code_alone_leaves_values_out() -> None:
    """A class may count its runs, and a module have a constant set: its code stays what it was."""
    mine = loaded(CODE)
    before = code_digest(mine), digest(mine)
    mine.count = 7
    assert code_digest(mine) == before[0]
    assert digest(mine) != before[1]


def test_every_process_tells_the_same() -> None:
    """Whatever its hashes are seeded with."""
    code = "from framework.research.fingerprint import digest; from strategies.scalper import SmaCrossScalper; "
    code += "print(digest(SmaCrossScalper, {'a', 'b', 'c'}, {1: 'x'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(SmaCrossScalper, {"c", "a", "b"}, {1: "x"})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, VALUES)
def test_values_are_told_apart_by_what_they_are(one: Any, other: Any) -> None:
    """Two are told alike when they are written alike, and then only."""
    assert (digest(one) == digest(other)) == (written(one) == written(other))


def written(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((name, written(each)) for name, each in value.items())
    return str([written(each) for each in value]) if isinstance(value, list) else f"{type(value)} {value!r}"


def test_a_container_that_holds_itself_is_told() -> None:
    """It ends."""
    own: list[Any] = [1]
    own.append(own)
    assert digest(own) != digest([1])


DIFFERENT = [
    (1, 1.0),
    (1, True),
    ((1, 2), [1, 2]),
    (np.array([1.0]), np.array([2.0])),
    (np.array([1.0]), np.array([1])),
    (bt.CommInfoBase(commission=1.0), bt.CommInfoBase(commission=2.0)),
    (lambda: 1, lambda: 2),
    (datetime.timedelta(1), datetime.timedelta(2)),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_kinds_of_values(one: Any, other: Any) -> None:
    """A number is not a truth value, a commission is its parameters, a function its code."""
    assert digest(one) != digest(other)


def test_what_cannot_be_told_is_said() -> None:
    """A parameter that may be anything cannot be a key; where code uses it, it is told by its type."""
    with pytest.raises(ConfigError, match="cannot be told from another for the store"):
        digest(threading.Lock())
    assert digest(loaded(CODE.replace("FACTOR = 2", "import threading\nFACTOR = threading.Lock()")))
    assert digest(logging.getLogger("a")) != digest(logging.getLogger("b"))
