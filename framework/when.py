"""The one reading of `start` and `end`: a day in the exchange's zone, or an instant that names its zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from framework.errors import ConfigError, nearest

When = str | date | datetime | None
"""A day ("2026-01-05" or a `date`), an instant with a zone ("2026-01-05T09:30-05:00" or an aware
`datetime`), or None for an open end."""


def parse(value: When, zone: ZoneInfo, *, is_end: bool = False, name: str = "start") -> datetime | None:
    """Return `value` as an aware UTC time, None where it is None.

    A day means the midnight in `zone` at which it begins, or with `is_end` the midnight at which it
    is over: an end of "2026-01-05" takes in the whole of that day. An instant is taken as it is.
    Raise `ConfigError`, naming the parameter `name`, for anything else: a time of day without a zone
    is refused rather than guessed at.
    """
    asked = _read(value, name) if isinstance(value, str) else value
    if asked is None:
        return None
    try:
        return _instant(asked, zone, is_end, name)
    except OverflowError:
        raise ConfigError(f"{name} {value} is outside of the years that can be told; leave {name} out") from None


def zone_named(name: str, parameter: str = "tz") -> ZoneInfo:
    """Return a time zone by its name; raise `ConfigError`, with the nearest, where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = nearest(name, available_timezones())
        raise ConfigError(f'{parameter} {name!r} is not a time zone{hint}; try "America/New_York" or "UTC"') from None


def text(at: datetime) -> str:
    """Return an aware time as messages show it: "2026-01-05 14:31 UTC", seconds only where there are any."""
    utc = at.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(sep=' ', timespec='auto' if utc.second or utc.microsecond else 'minutes')} UTC"


def _instant(asked: object, zone: ZoneInfo, is_end: bool, name: str) -> datetime:
    if isinstance(asked, datetime):
        return _aware(asked, zone, name).astimezone(UTC)
    if isinstance(asked, date):
        day = asked + timedelta(days=1) if is_end else asked
        return datetime.combine(day, time(), zone).astimezone(UTC)
    raise ConfigError(
        f'{name} is {asked!r}, a {type(asked).__name__}; try a day such as "2026-01-05" or an aware datetime'
    )


def _aware(asked: datetime, zone: ZoneInfo, name: str) -> datetime:
    if asked.tzinfo is None:
        example = asked.replace(tzinfo=zone).isoformat(timespec="minutes")
        raise ConfigError(
            f'{name} {asked} has a time of day but no zone; try "{example}" for {zone.key}, or a day "{asked.date()}"'
        )
    # A plain copy: pandas' Timestamp is a datetime too, but keeps its own type through arithmetic.
    return datetime.combine(asked.date(), asked.time(), asked.tzinfo).replace(fold=asked.fold)


def _read(value: str, name: str) -> date | datetime:
    words = value.strip()
    try:
        return date.fromisoformat(words)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(words)
    except ValueError as reason:
        raise ConfigError(
            f'{name} {value!r} is not a date: {reason}; try "2026-01-05" or "2026-01-05T09:30-05:00"'
        ) from None
