"""Whether a session may begin: the two sides belong together, the account is the right one, with money in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from framework.errors import ConfigError
from framework.live.identity import parsed
from framework.live.past import Past
from framework.live.settings import HELD, Live
from framework.model import Snapshot
from framework.ports import LiveSignalSource, LiveSource, LiveVenue
from framework.wire import is_on_this_machine


def live_source(source: Any) -> LiveSource:
    """Return a source that can be listened to; raise `ConfigError` for one that is history only."""
    if isinstance(source, LiveSource):
        return source
    raise ConfigError(
        f"{type(source).__name__} is history and does not go on live; give a live source such as AlpacaBars, or play "
        "these bars in a sandbox: switchback live --sandbox, or with Sandbox(source) as sandbox"
    )


def live_signals(source: Any) -> LiveSignalSource:
    """Return a source of signals that can be listened to; raise `ConfigError` for one that is history only."""
    if isinstance(source, LiveSignalSource):
        return source
    raise ConfigError(
        f"{type(source).__name__} is history and does not go on live; give AlphaHubSignals, or play these signals in a "
        "sandbox: with Sandbox(bars, signals=...) as sandbox"
    )


def live_venue(venue: Any) -> LiveVenue:
    """Return a venue that can be traded on; raise `ConfigError` where there is none."""
    if isinstance(venue, LiveVenue):
        return venue
    what = "no venue was given" if venue is None else f"{type(venue).__name__} cannot be traded on"
    raise ConfigError(f"live=True sends orders, but {what}; give one, such as venue=AlpacaVenue(paper=True)")


def check_together(sources: Sequence[LiveSource | LiveSignalSource], venue: LiveVenue) -> str:
    """Return the sandbox's URL where all are at one, or an empty string; raise `ConfigError` where only some are."""
    urls = [venue.base_url, *(source.base_url for source in sources)]
    local = sorted({url for url in urls if is_on_this_machine(url)})
    if local and (len(local) > 1 or not all(is_on_this_machine(url) for url in urls)):
        raise ConfigError(
            f"prices and orders are of different worlds ({', '.join(dict.fromkeys(urls))}); "
            "give source and venue the same base_url, or none"
        )
    return local[0] if local else ""


def check_until(until: str | None, sources: Sequence[LiveSource]) -> None:
    """Raise `ConfigError` where a session is to end at something that does not come."""
    if until not in (None, "close"):
        raise ConfigError(f'until={until!r} is not known; it is "close", or None: until it is stopped')
    if until and sources[0].calendar.name == "24/7":
        raise ConfigError('until="close" ends a session with the trading day, but this market never closes')


def check_account(venue: LiveVenue, account: Snapshot, number: str | None, past: Past) -> None:
    """Raise `ConfigError` where this account must not be traded: real money unasked for, or another account's past."""
    if venue.is_real and number != account.account:
        raise ConfigError(
            f"this is real money, in the account that ends in {account.account[-4:]}; to trade it, give its whole "
            "number: --yes-real-money NUMBER, or Live(real_money=NUMBER); paper=True trades on paper"
        )
    before = str(past.start.get("account", account.account))
    if before != account.account:
        raise ConfigError(
            f"this session was another account's (it ends in {before[-4:]}, this one in {account.account[-4:]}); "
            "use that account's keys, or give the session another name"
        )


def check_kin(name: str, live: Live, account: Snapshot) -> None:
    """Raise `ConfigError` where what an earlier session of the program held is taken over, but not its open orders.

    Sessions whose names were made for them are of one program where only time and token differ.
    """
    program = _MADE.match(name)
    if live.adopt != HELD or program is None:
        return
    for order in account.open_orders:
        other = parsed(order.client_order_id)
        made = other and _MADE.match(other.session)
        if other and made and made[1] == program[1] and other.session != name:
            raise ConfigError(
                f"an earlier session of this program has open orders ({order.client_order_id}), and what it holds is "
                f'taken over: session="{other.session}" goes on with it, or cancel them first'
            )


_MADE = re.compile(r"(.+)-\d{8}-\d{6}-[0-9a-f]{6}$")
"""A name that was made: of a strategy or a trade log, a time and a token."""


def allotment(cash: float, account: Snapshot, past: Past) -> tuple[float, str]:
    """Return what a session has to spend, and a word where that is not what was asked for.

    A session that goes on has what it began with; a new one never more than the account.
    """
    if past.run:
        return float(past.start["cash"]), ""
    if cash <= account.cash:
        return cash, ""
    return account.cash, f"cash={cash:g} is more than the account has; the session has {account.cash:g}"
