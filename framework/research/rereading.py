"""Finding a run of a live session in its journal, and whether a backtest can begin as it did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from framework.config import sessions_folder
from framework.errors import ConfigError, nearest
from framework.live.journal import Entry, JournalReader, is_written
from framework.live.records import START
from framework.live.standing import Standing
from framework.research.recorded import Recorded


def read(session: str | Path, run: int | None = None) -> Recorded:
    """Return a run of a session, by the session's name or its journal's path; the only one where none is named.

    Raise `ConfigError` where there is none such, or where a backtest cannot begin as it did.
    """
    path = _path(session)
    with JournalReader(path) as journal:
        starts = [(entry.seq, int(entry.body["run"])) for entry in journal.entries(START)]
        first, after = _span(path.stem, starts, run)
        before = [] if first == starts[0][0] else list(_between(journal.entries(), 0, first))
        entries = _between(journal.entries(start=first), first, after)
        begun = next(entries)
        is_running = after is None and is_written(path)
        found = Recorded(path.stem, begun.body["run"], begun.body, begun.at, _cash(before, begun), is_running)
        _check(found, before)
        for entry in entries:
            found.take(entry)
    if not found.seen:
        raise ConfigError(f"{path.stem}: no bar came in that run; there is nothing to compare")
    return found


def _path(session: str | Path) -> Path:
    if isinstance(session, Path) or session.endswith(".sqlite"):
        return Path(session)
    folder = sessions_folder()
    path = folder / f"{session}.sqlite"
    if not path.is_file():
        hint = nearest(session, [each.stem for each in folder.glob("*.sqlite")])
        raise ConfigError(f"there is no session {session} in {folder}{hint}; switchback journal lists them")
    return path


def _span(session: str, starts: Sequence[tuple[int, int]], run: int | None) -> tuple[int, int | None]:
    """Return the first record of a run, and that of the next (None: there is none)."""
    runs = [number for _, number in starts]
    if not runs:
        raise ConfigError(f"{session} has not begun; there is nothing to compare")
    if run is None and len(runs) > 1:
        raise ConfigError(
            f"{session} was started {len(runs)} times, each time with a strategy that remembers nothing; "
            f"say which run to compare: run={runs[-1]}, --run {runs[-1]}"
        )
    if run is not None and run not in runs:
        raise ConfigError(f"{session} has no run {run}; it has {runs[0]} to {runs[-1]}")
    place = 0 if run is None else runs.index(run)
    return starts[place][0], starts[place + 1][0] if place + 1 < len(starts) else None


def _between(entries: Iterator[Entry], first: int, after: int | None) -> Iterator[Entry]:
    for entry in entries:
        if after is not None and entry.seq >= after:
            return
        if entry.seq >= first:
            yield entry


def _cash(before: Sequence[Entry], begun: Entry) -> float:
    """Return what a run began with: what the earlier ones left."""
    cash = Standing.of(before).cash if before else begun.body["cash"]
    return float(begun.body["cash"] if cash is None else cash)


def _check(found: Recorded, before: Sequence[Entry]) -> None:
    """Raise `ConfigError` where a backtest cannot begin as the run did."""
    start, who = found.start, f"{found.session}, run {found.run},"
    if "recipe" not in start:
        raise ConfigError(f"{who} was journalled before journals kept the prices of bars; only later runs are compared")
    if start.get("algorithms"):
        raise ConfigError(f"{who} followed signals ({', '.join(start['algorithms'])}), which are not compared yet")
    if start.get("every"):
        raise ConfigError(f"{who} went by quotes, of which a journal keeps none; such sessions are not compared yet")
    if start.get("commission") is None:
        raise ConfigError(f"{who} had a commission that is no fraction of the value, which is not compared yet")
    stood = Standing.of(before)
    held = [f"{lot.quantity:g} {lot.symbol}" for lot in stood.lots.values() if abs(lot.quantity) > 1e-9]
    opened = len(stood.story.open)
    if held or opened:
        what = ", ".join(held) or "nothing"
        raise ConfigError(
            f"{who} began with {what} held and {opened} orders open, and a backtest begins with nothing; "
            "compare a run that began flat"
        )
