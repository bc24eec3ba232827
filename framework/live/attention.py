"""How the interpreter is set while a session runs: its two threads take turns quickly, and little is swept."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

TURN = 0.0005
"""Seconds for which one thread may keep the other from running, at the most, where both have work: an order waits."""


@contextlib.contextmanager
def attention() -> Iterator[None]:
    """Hold turns to `TURN`, and keep what is there already out of garbage collections: a full one takes 0.1 s."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, TURN))
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)
