"""What to follow, and how long to wait for what: the settings of listening to AlphaHub."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, time, timedelta, tzinfo

from feeds.alphahub.parsing import Reading
from feeds.alphahub.protocol import BASE_URL, SERVICE, VARIABLES, check_algorithms
from feeds.alphahub.watch import Watch, is_weekday
from framework.config import Credentials, require_credentials
from framework.errors import ConfigError
from framework.live.stream import Pace
from framework.model import nothing
from framework.retries import Patience
from framework.when import zone_named

FEWEST, MOST = 1, 8
"""Connections of one account."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait, in seconds of I/O time."""

    pace: Pace = field(default_factory=Pace)
    retries: Patience = field(default_factory=Patience)
    """The pauses between questions to history that fail."""
    stagger: float = 5.0
    """Between two connections, so that not both are made, and later made anew, at once."""
    rotate: float = 4 * 3600.0
    """The age at which a connection is replaced. AlphaHub's own client does so after eight hours."""
    join: float = 60.0
    """For a new connection, at most, to hear what the old one does; then the old one stays."""
    overlap: float = 5.0
    """For which both are kept: what was on its way to the old one arrives."""
    answer: float = 10.0
    """For history, at most."""
    hold: float = 3.0
    """For which what is pushed waits, at most, while history is asked for what came before it."""
    refused: float = 60.0
    """After a login that was refused where an earlier one was not; twice as long each time, up to an hour."""
    look: float = 1.0
    """Between two looks at the clock: a machine may have been asleep."""


USUAL = Waits()


@dataclass(frozen=True, slots=True)
class Settings:
    """What to listen to. Made by `Settings.of`, which checks what it is given.

    `late` is how old a signal may be and still be handed on, in seconds as they pass at the line: venue time, and in
    a sandbox that runs fast as much more of it. `lookback` are the days of history that are read where nothing is
    known yet: what an algorithm holds follows from them. Where `trusts_times` is False the times that are written on
    signals show no signal to be new.
    """

    algorithms: tuple[str, ...]
    credentials: Credentials
    reading: Reading
    base_url: str = BASE_URL
    connections: int = 2
    late: timedelta = timedelta(minutes=5)
    lookback: int = 30
    watch: Watch = field(default_factory=Watch)
    waits: Waits = USUAL
    trusts_times: bool = True

    @classmethod
    def of(
        cls,
        algorithms: Sequence[int | str],
        *,
        tz: str | tzinfo | None,
        credentials: Credentials | None = None,
        base_url: str = BASE_URL,
        connections: int = 2,
        late: float = 300.0,
        lookback: int = 30,
        usual: str | time | None = None,
        alarm: str | time | None = None,
        zone: str | None = None,
        every: float = 240.0,
        names: Mapping[str, str] | None = None,
        waits: Waits = USUAL,
    ) -> Settings:
        """Return the settings; raise `ConfigError`, naming the parameter, for what cannot be.

        `tz` is the zone of times that AlphaHub writes without one. `usual` ("10:30") is when signals use to come,
        `alarm` the time by which one should have, both by the clock of `zone` ("America/New_York"); the days of the
        alarm are those of the New York Stock Exchange. `late` and `every` (between two questions to history, away
        from the usual time) are in seconds. `names` maps symbols that are out of date. Without `credentials` they
        are taken from the environment or the credentials file.
        """
        if isinstance(connections, bool) or not FEWEST <= connections <= MOST:
            raise ConfigError(f"connections={connections!r}; give {FEWEST} to {MOST}, 2 is usual")
        for name, value in (("late", late), ("every", every), ("lookback", lookback)):
            if not 0 < value < 1e8:
                raise ConfigError(f"{name}={value!r}; give more than 0")
        return cls(
            check_algorithms(algorithms),
            credentials or require_credentials(SERVICE, VARIABLES),
            Reading.of(tz, names or nothing()),
            base_url,
            connections,
            timedelta(seconds=late),
            lookback,
            _watch(usual, alarm, zone, timedelta(seconds=every)),
            waits,
        )


def _watch(usual: str | time | None, alarm: str | time | None, zone: str | None, every: timedelta) -> Watch:
    if zone is None and (usual is not None or alarm is not None):
        given = "usual" if usual is not None else "alarm"
        raise ConfigError(f'{given} is a time of day in no zone; say whose clock is meant: zone="America/New_York"')
    is_day = is_weekday if alarm is None else _trading_days()
    by, where = _time(alarm, "alarm"), UTC if zone is None else zone_named(zone, "zone")
    return Watch(where, _time(usual, "usual"), by, every, is_day=is_day)


def _time(value: str | time | None, name: str) -> time | None:
    if value is None or isinstance(value, time):
        return value
    try:
        return time.fromisoformat(value.strip())
    except ValueError:
        raise ConfigError(f'{name} {value!r} is no time of day; try "10:30"') from None


def _trading_days() -> Callable[[date], bool]:
    """Return what tells days of the exchange; the calendar is loaded now, not in the I/O thread."""
    from framework.calendar import Calendar

    days = frozenset(Calendar().sessions.days.tolist())
    last = max(days)
    return lambda day: day in days if day <= last else is_weekday(day)
