"""What an account's history has of the time in which one stream was down: bars and trades, in bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from feeds.alpaca.protocol import TEST, BarsQuery
from feeds.alpaca.proxy.account import Account
from feeds.alpaca.proxy.missed import Lacking, Rows, rows_exchange
from feeds.alpaca.proxy.past_trades import TooMany, TradesQuery, trades_exchange
from feeds.alpaca.subscriptions import Endpoint
from framework.calendar import Calendar
from framework.errors import SwitchbackError
from framework.live.clock import Deadline, VenueClock
from framework.live.lockstep import clock_told
from framework.model import MINUTE, nothing
from framework.ports import AsyncHttp, Clock
from framework.wire import HttpRequest, HttpResponse


@dataclass(frozen=True, slots=True)
class Found:
    """History's rows of each symbol. `is_whole` says whether they are all there are, `failure` why there are none."""

    rows: Rows = field(default_factory=nothing)
    is_whole: bool = True
    failure: str = ""


class History:
    """Asks for what one stream left out, `limit` trades at the most. Owned by the proxy's loop."""

    def __init__(
        self, endpoint: Endpoint, account: Account, calendar: Calendar, clock: Clock, http: AsyncHttp, limit: int
    ) -> None:
        self.endpoint, self.account, self.limit = endpoint, account, limit
        self._calendar, self._clock, self._http = calendar, clock, http

    async def ask(self, bars: Lacking | None, trades: Lacking | None) -> tuple[Found, Found]:
        """Return the bars and the trades that are lacking; where one fails the other is there all the same."""
        if self.endpoint.feed == TEST:
            none = Found(is_whole=False, failure=f"{self.endpoint.path} has no history")
            return (none if bars else Found()), (none if trades else Found())
        found = await asyncio.gather(
            self._found(lambda lacking: rows_exchange(self._bars(lacking)), bars),
            self._found(lambda lacking: trades_exchange(self._trades(lacking), self.limit), trades),
        )
        return found[0], found[1]

    async def _found(
        self, exchange: Callable[[Lacking], Generator[HttpRequest, HttpResponse, Rows]], lacking: Lacking | None
    ) -> Found:
        if lacking is None:
            return Found()
        try:
            async with Deadline(self._clock, self.account.waits.answer):
                if isinstance(self._clock, VenueClock):
                    self._clock.set((await self._http.send(clock_told(self.account.base_url))).now)
                return Found(await self._http.send(exchange(lacking)))
        except TooMany as error:
            return Found(is_whole=False, failure=str(error))
        except (SwitchbackError, TimeoutError) as error:
            return Found(is_whole=False, failure=f"history does not answer: {str(error) or 'not in time'}")

    def _bars(self, lacking: Lacking) -> BarsQuery:
        return BarsQuery(
            lacking.symbols,
            MINUTE,
            self._calendar,
            lacking.after,
            self._clock.now(),
            crypto=self.endpoint.is_crypto,
            feed=self.endpoint.feed,
            adjustment="raw",  # as the stream's bars are
            base_url=self.account.base_url,
            credentials=self.account.credentials,
        )

    def _trades(self, lacking: Lacking) -> TradesQuery:
        return TradesQuery(
            lacking.symbols,
            lacking.after,
            crypto=self.endpoint.is_crypto,
            feed=self.endpoint.feed,
            base_url=self.account.base_url,
            credentials=self.account.credentials,
        )
