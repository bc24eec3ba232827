"""Checks before a start: each a small function that says yes or no and what to do, none of them hiding another.

    Check("clock", lambda: clock(...), needs=("account",))  ──▶  Finding("clock", Verdict.NO, "...", "set it: ...")

A check returns `yes`, `warning`, `no` or `skipped`, or raises one of Switchback's errors, which is a no. It has a
few seconds; what it needs and did not get makes it skipped.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from framework.errors import AuthenticationError, SwitchbackError, VenueError
from framework.retries import Patience

log = logging.getLogger("switchback.doctor")

SECONDS = 15.0
"""How long a check may take, unless it says otherwise."""

PATIENCE = Patience(attempts=2, connect=3.0, read=6.0, whole=6.0, first_wait=0.25, longest_wait=1.0, longest_limit=2.0)
"""How long a check waits for an answer: a passing fault is none, and what lasts is told soon."""


class Verdict(enum.Enum):
    """What a check came to. Only a no keeps a session from starting."""

    YES = "yes"
    WARNING = "warning"
    NO = "no"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check says: a verdict, what was found, and what to do; an outage `may_pass` by itself."""

    verdict: Verdict
    text: str
    remedy: str = ""
    may_pass: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer under the name of its check."""

    name: str
    verdict: Verdict
    text: str
    remedy: str = ""
    may_pass: bool = False

    @property
    def line(self) -> str:
        """All of it but the verdict, in one line."""
        return f"{self.name}: {self.text}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True, slots=True)
class Check:
    """One question. `needs` are the checks without which it makes no sense, of those that are asked too.

    `seconds` is how long it may take. `disturbs` says that it takes something that a session needs (a connection
    of which there is one) or much of its time: such a check is not run just before a session starts.
    """

    name: str
    look: Callable[[], Answer]
    needs: tuple[str, ...] = ()
    seconds: float = SECONDS
    disturbs: bool = False


def yes(text: str) -> Answer:
    """Return that all is well."""
    return Answer(Verdict.YES, text)


def warning(text: str, remedy: str = "") -> Answer:
    """Return what should be known, and does not keep a session from starting."""
    return Answer(Verdict.WARNING, text, remedy)


def no(text: str, remedy: str = "") -> Answer:
    """Return what keeps a session from starting."""
    return Answer(Verdict.NO, text, remedy)


def skipped(why: str) -> Answer:
    """Return that there was nothing to look at, and why."""
    return Answer(Verdict.SKIPPED, f"not checked: {why}")


def refused(error: SwitchbackError | str) -> Answer:
    """Return an error as a no: what was found, and after its last semicolon what to try."""
    found, _, remedy = str(error).rpartition("; ")
    answer = no(found, remedy) if found else no(remedy, "check the network, then try again")
    is_passing = isinstance(error, VenueError) and not isinstance(error, AuthenticationError)
    return replace(answer, may_pass=is_passing)


def examined(checks: Iterable[Check]) -> Iterator[Finding]:
    """Yield what each check comes to, in their order, as soon as it is known. Nothing is raised."""
    lacking: dict[str, str] = {}
    for check in checks:
        missing = next((lacking[each] for each in check.needs if each in lacking), None)
        answer = skipped(f"needs {missing}") if missing else _answer(check)
        if answer.verdict in (Verdict.NO, Verdict.SKIPPED):
            lacking[check.name] = missing or check.name  # the first in the row is what has to be mended
        yield Finding(check.name, answer.verdict, answer.text, answer.remedy, answer.may_pass)


def _answer(check: Check) -> Answer:
    """Run a check for as long as it may take.

    In a thread, for not everything that may hang has a time limit of its own (the look-up of a name has none). One
    that is given up on goes on by itself, and what it finds is dropped.
    """
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(_looked(check)), name=f"doctor-{check.name}", daemon=True)
    thread.start()
    thread.join(check.seconds)
    if answers:
        return answers[0]
    why = f"there was no answer within {check.seconds:g} s"
    return replace(no(why, "check the network, then try again"), may_pass=True)


def _looked(check: Check) -> Answer:
    try:
        return check.look()
    except SwitchbackError as error:
        return refused(error)
    except Exception as error:
        # Its text is nobody's to show: it was not written to be without secrets.
        log.debug("%s failed", check.name, exc_info=error)
        return no(f"the check itself failed ({type(error).__name__})", "please report it, with what was typed")
