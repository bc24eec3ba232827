"""ALGOGENE as a venue."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from brokers.algogene.rules import AlgogeneRules

if TYPE_CHECKING:
    from brokers.algogene.line import Habits
    from brokers.algogene.protocol import Endpoint
    from brokers.algogene.trading import AlgogeneDesk
    from framework.config import Credentials
    from framework.ports import Clock, Emit, Session

ACCOUNT_VARIABLE = "ALGOGENE_ACCOUNTID"


class AlgogeneVenue:
    """An account at ALGOGENE, as a `framework.ports.LiveVenue`.

    A backtest needs its `rules` only: orders are refused as ALGOGENE would, without keys and without a network.

    `accountid` is on your page of accounts, else ALGOGENE_ACCOUNTID. `runmode` is "livetest", on paper, or "livetrade",
    real money: then the account has to be typed when a session begins, as with any venue. `contracts` are the units of
    one lot by symbol, for a backtest (1 where it is left out); live, ALGOGENE is asked. Credentials are `user` and
    `api_key`, else ALGOGENE_USER and ALGOGENE_API_KEY, else the credentials file; they are looked for when a session
    begins. `base_url` is another server, such as a sandbox's. `reopens`: to make a trade smaller it is closed and the
    rest of it opened anew; else one the other way is opened, and both are closed later (docs/algogene.md).
    """

    def __init__(
        self,
        accountid: str | None = None,
        runmode: str = "livetest",
        *,
        contracts: Mapping[str, float] | None = None,
        user: str | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        reopens: bool = False,
    ) -> None:
        from brokers.algogene.protocol import check_runmode
        from feeds.address import address
        from feeds.algogene.protocol import BASE_URL

        self.runmode = check_runmode(runmode)
        self._accountid, self._given, self._reopens = accountid, (user, api_key), reopens
        self._rules = AlgogeneRules(contracts)
        self._base_url = address(base_url, BASE_URL)

    @property
    def rules(self) -> AlgogeneRules:
        return self._rules

    @property
    def base_url(self) -> str:
        """The server's address: ALGOGENE's own, or what was given."""
        return self._base_url

    @property
    def is_real(self) -> bool:
        """Whether real money is at stake: where the mode is "livetrade", but on this machine."""
        from brokers.algogene.protocol import TRADE
        from framework.wire import is_on_this_machine

        return self.runmode == TRADE and not is_on_this_machine(self._base_url)

    @property
    def secrets(self) -> tuple[str, ...]:
        """User and API key. Raise `ConfigError` where they are missing."""
        found = self._credentials()
        return found.key, found.secret

    def open(self, session: Session, emit: Emit, habits: Habits | None = None) -> AlgogeneDesk:
        """Return a session's way to trade; nothing is sent yet. Raise `ConfigError` where keys or the account lack.

        `habits` is how it waits: a sandbox's line comes back sooner than the world's.
        """
        from dataclasses import replace

        from brokers.algogene.line import Habits
        from brokers.algogene.netting import Way
        from brokers.algogene.trading import AlgogeneDesk

        own = replace(habits or Habits(), way=Way.REOPEN) if self._reopens else habits or Habits()
        return AlgogeneDesk(session, emit, self.endpoint(session.clock), own)

    def endpoint(self, clock: Clock) -> Endpoint:
        """Return the account over a login of its own. Raise `ConfigError` where keys or the account are missing."""
        from brokers.algogene.protocol import Endpoint
        from feeds.algogene.protocol import Session as Login

        return Endpoint(Login(self._credentials(), clock.monotonic, self._base_url), self._account(), self.runmode)

    def _account(self) -> str:
        from framework.errors import ConfigError

        found = self._accountid or os.environ.get(ACCOUNT_VARIABLE, "")
        if not found.strip():
            raise ConfigError(
                f'no ALGOGENE account was named; give accountid="..." or set {ACCOUNT_VARIABLE}: it is on your page '
                "of accounts"
            )
        return found.strip()

    def _credentials(self) -> Credentials:
        from feeds.algogene.naming import SERVICE, VARIABLES
        from framework.config import require_credentials

        return require_credentials(SERVICE, VARIABLES, self._given)

    def __repr__(self) -> str:
        return f"AlgogeneVenue(runmode={self.runmode!r})"
