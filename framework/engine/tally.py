"""What a session counts, and tells in its result's notes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from framework.signalling import without_bars


@dataclass(slots=True)
class Tally:
    """What a session counted: bars that came late, instants, revisions, bars that were backfilled.

    `unfollowed` counts signals by their symbols, of which there are no bars.
    """

    instants: int = 0
    late: int = 0
    revisions: int = 0
    stale: int = 0
    unfollowed: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def told(self) -> list[str]:
        """Return what the user should know, in sentences."""
        counts = {
            "bars came after their instant, and had a next of their own": self.late,
            "bars were changed by the venue afterwards": self.revisions,
            "instants were played later than they happened; no position was opened on them": self.stale,
        }
        counted = [f"{count} {what}" for what, count in counts.items() if count]
        unfollowed = [without_bars(self.unfollowed)] if self.unfollowed else []
        return [*dict.fromkeys(self.notes), *counted, *unfollowed]
