"""What a session missed and played later: what its strategy is told once it has caught up. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo


@dataclass(frozen=True, slots=True)
class Missed:
    """Instants that were played too late to open a position on; `since` and `until` are the first and the last."""

    count: int = 0
    since: datetime | None = None
    until: datetime | None = None
    symbols: tuple[str, ...] = ()

    def with_instant(self, at: datetime, symbols: Iterable[str]) -> Missed:
        """Return these and one more."""
        known = tuple(dict.fromkeys([*self.symbols, *symbols]))
        return Missed(self.count + 1, self.since or at, at, known)

    def told(self, zone: tzinfo | None) -> str:
        """Return in one line what was missed, in the times of a zone."""
        assert self.since is not None
        assert self.until is not None
        since, until = (each.astimezone(zone or UTC) for each in (self.since, self.until))
        end = f"{until:%H:%M}" if since.date() == until.date() else f"{until:%Y-%m-%d %H:%M}"
        many = "1 instant was" if self.count == 1 else f"{self.count} instants were"
        when = f"at {since:%Y-%m-%d %H:%M}" if self.count == 1 else f"from {since:%Y-%m-%d %H:%M} to {end}"
        return f"{many} played late, {when}: {', '.join(self.symbols)}; entries were refused on them"
