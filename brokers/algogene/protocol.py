"""An ALGOGENE account: which one, in which mode, and how each request names it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from feeds.algogene.naming import NAME
from feeds.algogene.protocol import Session
from framework.errors import ConfigError, nearest
from framework.wire import Exchange, HttpResponse, Priority

TEST, TRADE = "livetest", "livetrade"
RUNMODES = (TEST, TRADE)
"""Paper and real money; "backtest" has no account to trade."""


def check_runmode(runmode: str) -> str:
    """Return a mode; raise `ConfigError` where there is none such."""
    if runmode not in RUNMODES:
        hint = nearest(runmode, RUNMODES)
        raise ConfigError(f"runmode {runmode!r}{hint}; {TEST} is paper, {TRADE} is real money")
    return runmode


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One account over a session, which may be shared. Raise `ConfigError` for a mode that there is not."""

    session: Session
    accountid: str
    runmode: str = TEST

    def __post_init__(self) -> None:
        check_runmode(self.runmode)
        if not self.accountid.strip():
            raise ConfigError(f"{NAME}: accountid is empty; it is shown on your page of accounts")

    def get(self, path: str, what: str, **params: str) -> Exchange[dict[str, Any]]:
        """Ask about the account; return the answer's object. Raise what an answer that is no success means."""
        return self.session.answer((yield from self._asked(path, params)), what)

    def report(self, path: str, what: str, **params: str) -> Exchange[dict[str, Any]]:
        """Ask about one order, whose own failure is no failure to answer; else as `get` does."""
        return self.session.answer((yield from self._asked(path, params)), what, is_report=True)

    def _asked(self, path: str, params: Mapping[str, str]) -> Exchange[HttpResponse]:
        return (yield from self.session.get(path, {**self._account, **params}, Priority.LOOK_UP))

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        priority: Priority | None = None,
        unless: Callable[[], bool] | None = None,
    ) -> Exchange[HttpResponse]:
        """Send an order or a change, once."""
        return (yield from self.session.post(path, {**self._account, **body}, priority, unless))

    @property
    def _account(self) -> dict[str, str]:
        return {"runmode": self.runmode, "accountid": self.accountid}
