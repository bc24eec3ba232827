"""Alpaca as a venue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brokers.alpaca.protocol import AlpacaRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from brokers.alpaca.emptying import Cleared
    from brokers.alpaca.endpoint import Endpoint
    from brokers.alpaca.line import Habits
    from brokers.alpaca.lookups import Asset
    from brokers.alpaca.trading import AlpacaDesk
    from feeds.alpaca.via import Given
    from framework.config import Credentials
    from framework.ports import Emit, Session
    from framework.retries import Patience


class AlpacaVenue:
    """Alpaca's paper account (the default) or its live one, as a `framework.ports.LiveVenue`.

    A backtest needs its `rules` only: prices and sizes are rounded and orders refused as Alpaca
    would, without keys and without a network.

    Keys are `key` and `secret`, else APCA_API_KEY_ID and APCA_API_SECRET_KEY, else the credentials file; they
    are looked for when a session begins. `base_url` is another server, such as a sandbox's. `proxy` is the address of
    a `switchback proxy` that order updates come through, so that several sessions may share the account's one stream;
    left out, SWITCHBACK_PROXY names one, and False is none. Orders go straight to Alpaca.
    """

    def __init__(
        self,
        *,
        paper: bool = True,
        key: str | None = None,
        secret: str | None = None,
        base_url: str | None = None,
        proxy: Given = None,
    ) -> None:
        from brokers.alpaca.endpoint import LIVE_URL, PAPER_URL
        from feeds.address import address
        from feeds.alpaca import via

        self.paper = paper
        self._base_url = address(base_url, PAPER_URL if paper else LIVE_URL)
        self._given = (key, secret)
        via.check(proxy)
        self._proxy = proxy
        self._is_elsewhere = base_url is not None

    @property
    def rules(self) -> AlpacaRules:
        return AlpacaRules()

    @property
    def base_url(self) -> str:
        """The account's address: Alpaca's paper or live host, or what was given."""
        return self._base_url

    @property
    def is_real(self) -> bool:
        """Whether real money is at stake: not on this machine, and not on paper, or at the live host all the same."""
        from brokers.alpaca.endpoint import LIVE_URL
        from feeds.address import is_same_host
        from framework.wire import is_on_this_machine

        return not is_on_this_machine(self._base_url) and (not self.paper or is_same_host(self._base_url, LIVE_URL))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Key and secret, and a proxy's. Raise `ConfigError` where they are missing."""
        endpoint = self.endpoint
        pairs = dict.fromkeys((endpoint.credentials, endpoint.stream_credentials))
        return tuple(word for each in pairs for word in (each.key, each.secret))

    @property
    def is_proxied(self) -> bool:
        """Whether a proxy is named, here or by SWITCHBACK_PROXY."""
        from feeds.alpaca.via import is_named

        return is_named(self._proxy)

    def open(self, session: Session, emit: Emit, habits: Habits | None = None) -> AlpacaDesk:
        """Return a session's way to trade; nothing is sent yet. Raise `ConfigError` where there are no keys.

        `habits` is how it waits: a sandbox's line comes back sooner than the world's.
        """
        from brokers.alpaca.trading import HABITS, AlpacaDesk

        return AlpacaDesk(session, emit, self.endpoint, habits or HABITS)

    @property
    def endpoint(self) -> Endpoint:
        """The account's address and keys. Raise `ConfigError` where there are no keys."""
        from brokers.alpaca.endpoint import Endpoint
        from feeds.alpaca.via import via

        return Endpoint(self._base_url, self._credentials(), proxy=via(self._proxy))

    def check(self, symbols: Sequence[str], patience: Patience | None = None) -> tuple[Asset, ...]:
        """Return what Alpaca says of each symbol. Blocks.

        Raise `ConfigError` where there are some that it does not know or does not trade.
        """
        from brokers.alpaca.lookups import asset
        from feeds.alpaca.protocol import NAME
        from framework.errors import ConfigError
        from framework.http import PATIENCE, Http

        endpoint = self.endpoint
        with Http(NAME, patience or PATIENCE) as http:
            found = {symbol: http.send(asset(endpoint, symbol)) for symbol in symbols}
        wrong = [f"does not know the symbol {symbol}" for symbol, each in found.items() if each is None]
        wrong += [f"does not trade the symbol {name}" for name, each in found.items() if each and not each.is_tradable]
        if wrong:
            raise ConfigError(f"{NAME} {', '.join(wrong)}; check the spelling, such as AAPL or BTC/USD")
        return tuple(each for each in found.values() if each)

    def clear_account(self, *, number: str | None = None, flatten: bool = False) -> Cleared:
        """Cancel every open order of the account, with `flatten` close every position: whoever's they are. Blocks.

        `number` is the account's, which real money needs. Raise `ConfigError`, `VenueError`.
        """
        import time

        from brokers.alpaca.emptying import PATIENCE, cleared
        from feeds.alpaca.protocol import NAME
        from framework.http import Http

        with Http(NAME, PATIENCE) as http:
            return cleared(self.endpoint, http, number, time.sleep, flatten=flatten, is_real=self.is_real)

    def _credentials(self) -> Credentials:
        from feeds.alpaca.protocol import SERVICE, VARIABLES
        from framework.config import require_credentials

        return require_credentials(SERVICE, VARIABLES, self._given)

    def __repr__(self) -> str:
        where = f", base_url={self._base_url!r}" if self._is_elsewhere else ""
        return f"AlpacaVenue(paper={self.paper}{where})"
