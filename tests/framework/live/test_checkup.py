"""Checks and their findings: one after another, none of them hiding another."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from framework.errors import ConfigError, VenueError
from framework.live.checkup import Answer, Check, Finding, Verdict, examined, no, skipped, warning, yes


def found(*checks: Check) -> list[Finding]:
    return list(examined(checks))


def raising(error: Exception) -> Check:
    def look() -> Answer:
        raise error

    return Check("keys", look)


def test_a_no_hides_no_other() -> None:
    """Every check has its say, in the order in which they were given."""
    checks = [Check("a", lambda: yes("well")), Check("b", lambda: no("ill", "mend it")), Check("c", lambda: yes("too"))]
    assert found(*checks) == [
        Finding("a", Verdict.YES, "well"),
        Finding("b", Verdict.NO, "ill", "mend it"),
        Finding("c", Verdict.YES, "too"),
    ]


def test_what_needs_a_no_is_not_checked_and_names_what_is_to_be_mended() -> None:
    """The first in the row, not the last."""
    checks = [
        Check("keys", lambda: no("none")),
        Check("account", lambda: yes("open"), needs=("keys",)),
        Check("clock", lambda: yes("exact"), needs=("account",)),
    ]
    assert [each.text for each in found(*checks)] == ["none", "not checked: needs keys", "not checked: needs keys"]


@pytest.mark.parametrize("answer", [yes("well"), warning("careful")])
def test_a_yes_and_a_warning_are_good_enough_for_what_follows(answer: Answer) -> None:
    """Also a check that nobody asked for."""
    checks = [Check("a", lambda: answer), Check("b", lambda: yes("well"), needs=("a", "unheard of"))]
    assert found(*checks)[-1].verdict is Verdict.YES


def test_nothing_to_look_at_is_enough_for_nothing() -> None:
    """What needs it is not checked either."""
    checks = [Check("a", lambda: skipped("no symbols")), Check("b", lambda: yes("well"), needs=("a",))]
    assert [each.text for each in found(*checks)] == ["not checked: no symbols", "not checked: needs a"]


@pytest.mark.parametrize(
    ("error", "text", "remedy"),
    [
        (ConfigError("no keys; set A; set B"), "no keys; set A", "set B"),
        (VenueError("Alpaca", "HTTP 502; try again later"), "Alpaca: HTTP 502", "try again later"),
        (VenueError("Alpaca", "no connection"), "Alpaca: no connection", "check the network, then try again"),
    ],
)
def test_an_error_of_ours_is_a_no_with_its_own_advice(error: Any, text: str, remedy: str) -> None:
    """After the last semicolon, where messages say what to try; what is the venue's may pass by itself."""
    assert found(raising(error)) == [Finding("keys", Verdict.NO, text, remedy, isinstance(error, VenueError))]


def test_a_check_that_is_broken_is_a_no_that_shows_nothing() -> None:
    """Its own words may hold anything, a secret too."""
    (finding,) = found(raising(RuntimeError("s3cr3t")))
    assert (finding.verdict, finding.text) == (Verdict.NO, "the check itself failed (RuntimeError)")
    assert "s3cr3t" not in finding.line


def test_a_check_that_hangs_is_given_up_on() -> None:
    """The next one is asked all the same, and the late answer is nobody's."""
    forever = threading.Event()

    def look() -> Answer:
        forever.wait(10)
        return yes("late")

    late, following = found(Check("a", look, seconds=0.05), Check("b", lambda: yes("well")))
    forever.set()
    assert (late.verdict, late.text) == (Verdict.NO, "there was no answer within 0.05 s")
    assert following.verdict is Verdict.YES
