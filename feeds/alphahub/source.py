"""AlphaHub's signals as a `LiveSignalSource`: what was received in earlier days, and what comes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from feeds.address import address
from feeds.alphahub.batches import between, check_times
from feeds.alphahub.past import check_past, read_past, tell_none
from feeds.alphahub.person import find_person
from feeds.alphahub.protocol import BASE_URL, NAME
from feeds.alphahub.rest_past import Asked, ask
from feeds.alphahub.settings import USUAL, Settings, Waits
from framework.config import Credentials
from framework.errors import ConfigError
from framework.model import Signals
from framework.ports import Emit, Session

if TYPE_CHECKING:
    from framework.http import Http

_NOBODY = Credentials("", "")
"""Who listens, until somebody does: a file is read without an account."""

_LONGEST_DELAY = 86_400.0


def _transport() -> Http:
    from framework.http import Http

    return Http(NAME)


class AlphaHubSignals:
    """What AlphaHub's algorithms publish, as a `framework.ports.LiveSignalSource`, beside a source of bars.

    `algorithms` are their ids, such as [14, 16]. `tz` is the zone of AlphaHub's times, which name none: "UTC", or
    "America/New_York". It is not guessed.

    `past` is where a backtest finds what was received: a journal (of `switchback signals --journal`, or of a live
    session), JSON lines (as `switchback signals --json` prints them), a CSV file (columns received, algorithm, action,
    symbol and side, perhaps price, weight and published), or None: AlphaHub's own history. That does not tell when a
    signal was received; it is taken to be `delay` seconds after the time that is written on it. `lookback` are the
    days of history before the run from which it follows what an algorithm held.

    `names` maps symbols that are out of date to those of today: {"MYL": "VTRS"}. `connections`, `late`, `usual`,
    `alarm`, `zone` and `every` are of listening: see `feeds.alphahub.settings.Settings.of`.

    `email` and `password` that are None come from ALPHAHUB_EMAIL and ALPHAHUB_PASSWORD, from the credentials file, or
    from a module `alphahub.creds` or `creds`; they are looked for when something is to be asked of AlphaHub.
    `base_url` is another server that speaks as AlphaHub does. Raise `ConfigError` for what cannot be.
    """

    publisher = NAME

    def __init__(
        self,
        algorithms: Sequence[int | str],
        *,
        tz: str | tzinfo | None,
        past: str | Path | None = None,
        email: str | None = None,
        password: str | None = None,
        base_url: str = BASE_URL,
        delay: float = 1.0,
        names: Mapping[str, str] | None = None,
        connections: int = 2,
        late: float = 300.0,
        lookback: int = 30,
        usual: str | time | None = None,
        alarm: str | time | None = None,
        zone: str | None = None,
        every: float = 240.0,
        waits: Waits = USUAL,
        http: Callable[[], Http] = _transport,
    ) -> None:
        self._settings = Settings.of(
            algorithms,
            tz=tz,
            credentials=_NOBODY,
            base_url=address(base_url, BASE_URL),
            connections=connections,
            late=late,
            lookback=lookback,
            usual=usual,
            alarm=alarm,
            zone=zone,
            every=every,
            names=names,
            waits=waits,
        )
        self._delay = _checked(delay)
        self._past = None if past is None else check_past(past)
        self._given, self._http = (email, password), http

    def __repr__(self) -> str:
        past = f", past={str(self._past)!r}" if self._past else ""
        return f"AlphaHubSignals({list(self.algorithms)}, tz={str(self._settings.reading.zone)!r}{past})"

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Their ids, in the order asked for."""
        return self._settings.algorithms

    @property
    def base_url(self) -> str:
        """Where they come from; a sandbox's URL belongs to that sandbox's venue."""
        return self._settings.base_url

    @property
    def secrets(self) -> tuple[str, ...]:
        """E-mail and password: what must never be written down. Raise `ConfigError` where one is missing."""
        credentials = self.credentials
        return credentials.key, credentials.secret

    def history(self, after: datetime | None = None, until: datetime | None = None) -> Sequence[Signals]:
        """Return what was received with `after` < at <= `until` (aware), all algorithms', in the order of receipt.

        Each signal is there once, closes first in what came together. A file is read anew each time. What of it
        cannot be read, or placed, is logged and left out. Raise `ConfigError` where nothing can be read, where none
        of the algorithms is in the file or where the account is missing, `VenueError` where AlphaHub fails.
        """
        how = self._settings.reading
        check_times(after, until)
        if self._past is not None:
            told = read_past(self._past, self.algorithms, how)
            found = between(told, after, until)
            tell_none(self._past.name, told, found)
            return found
        asked = Asked(self.algorithms, self.base_url, how, self._delay, self._settings.lookback)
        return between(ask(asked, self.credentials, after, self._http), after, until)

    async def listen(self, session: Session, emit: Emit) -> None:
        """Emit every `Signals` once, each algorithm's in order, until cancelled: see `LiveSignalSource`.

        Raise `ConfigError` without an account, `AuthenticationError` for a wrong password.
        """
        from feeds.alphahub.listening import SignalListening

        await SignalListening(replace(self._settings, credentials=self.credentials), session, emit).run()

    @property
    def credentials(self) -> Credentials:
        """The account; its secret is in no repr. Raise `ConfigError` where e-mail or password are missing."""
        return find_person(*self._given)


def _checked(delay: float) -> timedelta:
    if isinstance(delay, bool) or not math.isfinite(delay) or not 0 <= delay <= _LONGEST_DELAY:
        raise ConfigError(f"delay={delay!r}; give the seconds from publication to receipt, 0 to {_LONGEST_DELAY:g}")
    return timedelta(seconds=delay)
