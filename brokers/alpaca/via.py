"""Whether a proxy listens to the account that is traded: from another's stream no fill would ever be heard."""

from __future__ import annotations

from feeds.alpaca.via import VARIABLE, Via, told
from framework.errors import ConfigError
from framework.wire import Exchange

ACCOUNT = "/_proxy/account"
"""Where a proxy tells whose order updates it has."""


def account_checked(via: Via, base_url: str, number: str) -> Exchange[None]:
    """Ask whose updates a proxy has; raise `ConfigError` where they are another account's."""
    found = yield from told(via, ACCOUNT)
    if (found.get("url"), found.get("account")) != (base_url, number):
        ends = str(found.get("account"))[-4:]
        raise ConfigError(
            f"the proxy at {via.url} hears of the account that ends in {ends} at {found.get('url')}, and the one to "
            f"trade ends in {number[-4:]} at {base_url}; start it with this account's keys, or unset {VARIABLE}"
        )
