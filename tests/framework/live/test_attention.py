"""While a session runs, its threads take quick turns; afterwards the interpreter is as it was."""

from __future__ import annotations

import gc
import sys

import pytest

from framework.live.attention import TURN, attention


def test_turns_are_short_inside_and_as_before_outside() -> None:
    """An order does not wait for five milliseconds."""
    before = sys.getswitchinterval()
    with attention():
        assert sys.getswitchinterval() == pytest.approx(TURN)
    assert sys.getswitchinterval() == pytest.approx(before)


def test_what_was_there_is_swept_again_after_an_error() -> None:
    """A strategy's error leaves nothing out of garbage collections."""

    def fails() -> None:
        with attention():
            raise ValueError(gc.get_freeze_count() > 0)

    with pytest.raises(ValueError, match="True"):
        fails()
    assert not gc.get_freeze_count()
