"""Past trades over HTTP, without a socket: which to ask for, and the pages of the answer.

Sources: Alpaca's reference of the v2 stock and the v1beta3 crypto trades. Pages are as those of bars
(`feeds.alpaca.protocol`); times have nanoseconds, and of a symbol they come in their order.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from feeds.alpaca.messages import stamp
from feeds.alpaca.protocol import DATA_URL, NAME, PAGE, headers, read_rows
from feeds.alpaca.proxy.frames import TIME, timestamp
from framework.config import Credentials
from framework.errors import ProtocolError, Unsupported
from framework.wire import HttpRequest, HttpResponse

MOST = 10_000
"""How many trades are asked for after one loss at the most, and how many are held meanwhile: they wait in memory."""

SHARE = 400
"""Bytes of a client's buffer for each of them: one of these and one that was held have some 260 as text.

So what comes at once after a loss is not too much for a client that reads.
"""

PAGES = 20
"""How many requests that may take: pages may be short, and 200 requests a minute are for everybody."""


def most(budget: int) -> int:
    """Return how many trades are asked for where clients have a buffer of so many bytes."""
    return min(MOST, budget // SHARE)


class TooMany(Unsupported):
    """There are more trades than are asked for."""


@dataclass(frozen=True, slots=True)
class TradesQuery:
    """Which trades to ask for: those of `symbols` from `start` on (aware UTC), to the latest that history has."""

    symbols: tuple[str, ...]
    start: datetime
    crypto: bool
    feed: str = "iex"
    base_url: str = DATA_URL
    credentials: Credentials | None = field(default=None, repr=False)

    def request(self, page_token: str | None) -> HttpRequest:
        """Return the request for one page."""
        path = "/v1beta3/crypto/us/trades" if self.crypto else "/v2/stocks/trades"
        params = {"symbols": ",".join(self.symbols), "start": stamp(self.start), "limit": str(PAGE), "sort": "asc"}
        if not self.crypto:
            params["feed"] = self.feed
        if page_token is not None:
            params["page_token"] = page_token
        return HttpRequest("GET", self.base_url + path, params, headers(self.credentials))


def trades_exchange(
    query: TradesQuery, limit: int = MOST, pages: int = PAGES
) -> Generator[HttpRequest, HttpResponse, Mapping[str, Sequence[Mapping[str, Any]]]]:
    """Ask for page after page and return the rows as history has them; raise as `bars_exchange` does.

    Raise `TooMany` where there are more than `limit`, or more than so many pages.
    """
    found: dict[str, list[Any]] = {symbol: [] for symbol in query.symbols}
    token: str | None = None
    for _ in range(pages):
        response = yield query.request(token)
        token, page = read_rows(response, "trades", query.symbols, query.credentials)
        for symbol, rows in page.items():
            found[symbol] += map(_checked, rows)
        if sum(map(len, found.values())) > limit:
            break
        if token is None:
            return found
    raise TooMany(f"there are more trades than are asked for, which are {limit:,} in {pages} pages")


def _checked(row: Any) -> Mapping[str, Any]:
    """Return a row that is a trade; raise `ProtocolError` for what is none."""
    at = row.get(TIME) if isinstance(row, dict) else None
    if not isinstance(at, str) or timestamp(at) is None or not isinstance(row.get("p"), int | float):
        raise ProtocolError(NAME, f"a trade that cannot be read: {str(row)[:120]}", row)
    return dict(row)
