"""How often to ask what became of orders. Pure."""

from __future__ import annotations

from dataclasses import dataclass


def requests_a_minute() -> int:
    """GUESS: how many requests ALGOGENE bears; no limit is documented. One a second is what a person would not mind."""
    return 60


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two polls: while something moves (a market order, a close), while orders rest, while nothing is.

    What moves for longer than `patient` seconds counts as resting. `share` of the budget is for polls, the rest for
    orders and prices.
    """

    moving: float = 1.0
    resting: float = 3.0
    idle: float = 15.0
    patient: float = 30.0
    share: float = 0.5


USUAL = Pace()


def requests(queries: int, *, deals: bool) -> int:
    """Return how many requests a poll makes: two lists, each question, and the history."""
    return 2 + queries + deals


def wait(
    asked: int, *, is_resting: bool, moving_for: float | None = None, budget: int | None = None, pace: Pace = USUAL
) -> float:
    """Return the seconds until the next poll, after one that made `asked` requests.

    `moving_for` are the seconds since something was set moving that has not come to its end, None where nothing is.
    Never less than the budget's share (requests a minute, `requests_a_minute` unless given) allows.
    """
    is_moving = moving_for is not None and moving_for < pace.patient
    wanted = pace.moving if is_moving else pace.resting if is_resting or moving_for is not None else pace.idle
    allowed = (requests_a_minute() if budget is None else budget) * pace.share / 60.0
    return max(wanted, asked / allowed)
