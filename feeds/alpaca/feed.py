"""What a live feed of Alpaca's is: its stream, its symbols and channels, and where its history is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from feeds.alpaca.download import Access, Series
from feeds.alpaca.halts import CHANNEL as STATUSES
from feeds.alpaca.protocol import NAME, TEST, is_crypto
from feeds.alpaca.subscriptions import Endpoint
from framework.config import Credentials
from framework.errors import ConfigError, Unsupported
from framework.model import MINUTE, Timeframe


@dataclass(frozen=True, slots=True)
class Feed:
    """What is listened to: `channels` are "bars" and what else is wanted of "quotes" and "trades"."""

    endpoint: Endpoint
    series: Series
    symbols: tuple[str, ...]
    channels: tuple[str, ...]
    access: Access

    @property
    def credentials(self) -> Credentials:
        """The keys: there are some."""
        assert self.access.credentials is not None
        return self.access.credentials

    @property
    def subscriptions(self) -> Mapping[str, tuple[str, ...]]:
        """The symbols of each channel; revisions and halts come with bars where the stream has them."""
        names = {"bars", *self.channels, *({"updatedBars", STATUSES} & set(self.endpoint.channels))}
        return dict.fromkeys(sorted(names), self.symbols)

    def takes(self, symbol: str) -> bool:
        """Return whether a symbol could be followed too, by its spelling; the test stream has but its own."""
        try:
            return self.endpoint.feed != TEST and is_crypto([symbol]) is self.endpoint.is_crypto
        except ConfigError:
            return False


def check_live(timeframe: Timeframe) -> None:
    """Raise `Unsupported` for bars that no stream has."""
    if timeframe != MINUTE:
        raise Unsupported(
            f"{NAME} bars of {timeframe} do not come live; try "
            f'timeframe="{MINUTE}" and resample=("{timeframe}",), in the backtest too'
        )
