"""One connection to Alpaca and everybody who listens to it: a board, routes, and what is to be made good.

What is said upstream is gathered for a few milliseconds. What comes is given to the clients in the turn of
the loop in which it came; the connection is kept, and made anew, by `framework.live.socket.Socket`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from feeds.alpaca.line import Line, Told
from feeds.alpaca.messages import Row
from feeds.alpaca.protocol import TEST
from feeds.alpaca.proxy.account import Account
from feeds.alpaca.proxy.board import Board
from feeds.alpaca.proxy.client import Client
from feeds.alpaca.proxy.figures import Counts, Standing
from feeds.alpaca.proxy.frames import Batch, Message
from feeds.alpaca.proxy.history import History
from feeds.alpaca.proxy.markers import Gap, own
from feeds.alpaca.proxy.markers import messages as messages_of
from feeds.alpaca.proxy.mending import Mending
from feeds.alpaca.proxy.outbox import BUDGET
from feeds.alpaca.proxy.past_trades import most
from feeds.alpaca.proxy.questions import PATIENCE, Questions, both
from feeds.alpaca.proxy.relay import Carried, Relay
from feeds.alpaca.proxy.routes import Routes
from feeds.alpaca.proxy.supply import Supply
from feeds.alpaca.quiet import Patience
from feeds.alpaca.stream import Stream
from feeds.alpaca.stream_events import Refused, Strange, Subscribed, TurnedAway
from feeds.alpaca.subscriptions import ERRORS, Endpoint, current
from feeds.alpaca.wants import Channels, minus
from feeds.minutes import Minutes
from framework.calendar import Calendar
from framework.errors import SwitchbackError
from framework.live.clock import VenueClock, pace
from framework.live.socket import first_to_fail
from framework.live.stream import Frame, Link, LinkState
from framework.ports import Clock

log = logging.getLogger("switchback.proxy")

GATHER = 0.02
"""Seconds in which changes are gathered before they are said."""

TOGETHER = 1 << 15
"""Bytes after which what came in one turn goes out in more than one frame: some clients read none above a mebibyte."""

AT_ONCE = 500
"""Messages that go out as one frame at the most where many follow a break."""


class Upstream:
    """One endpoint of an account. Owned by the proxy's loop; `remark` is told what an operator wants to know.

    `budget` is how many bytes may wait for a client.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        account: Account,
        clock: Clock,
        supply: Supply,
        remark: Callable[[str], None],
        budget: int = BUDGET,
    ) -> None:
        self.endpoint, self.account = endpoint, account
        self.counts = Counts()
        self.board: Board[Client] = Board(0 if endpoint.is_crypto else account.limit)
        self.clients: dict[Client, None] = {}
        self.failure = 0
        """The error for which it has ended, 0 while it goes on."""
        self._clock, self._remark = clock, remark
        calendar = Calendar("24/7" if endpoint.is_crypto or endpoint.feed == TEST else "XNYS")
        history = History(endpoint, account, calendar, clock, supply.history(endpoint), most(budget))
        self._mending = Mending(history, clock, self.counts, lambda: self.board.union, self._tell, remark)
        self._relay = Relay(Line(self._conversation(), Minutes(calendar)))
        self._socket = supply.wire(endpoint, self._relay, self._consume)
        self._routes: Routes[Client] = Routes()
        self._questions: Questions[Client] = Questions(self._relay.stream.has)
        self._frames: list[Frame] = []
        self._stir = asyncio.Event()
        self._turn: list[Message] = []  # what came in this turn of the loop
        self._turn_at, self._turn_size = 0.0, 0
        self._is_gathering = self._is_up = False
        self._conflated = 0  # by clients that have gone

    async def run(self) -> None:
        """Keep the connection until cancelled; raise what waiting cannot cure, after all clients were told."""
        try:
            jobs = (self._socket.run(), self._speak(), self._mending.run())
            await first_to_fail([asyncio.create_task(each) for each in jobs])
        except SwitchbackError:
            self.failure = self._relay.code or 402
            raise
        except Exception:
            self.failure = 500
            raise
        finally:
            for client in list(self.clients):
                client.dismiss(self.failure) if self.failure else client.cut()

    def standing(self) -> Standing:
        """Return how it stands."""
        now, clients = self._clock.monotonic(), list(self.clients)
        self.counts.conflated = self._conflated + sum(each.outbox.conflated for each in clients)
        return Standing(
            self.endpoint.path,
            self._is_up,
            len(clients),
            self.board.subscriptions,
            sum(each.outbox.size for each in clients),
            max((each.lag(now) for each in clients), default=0.0),
            self.counts,
        )

    @property
    def listening(self) -> int:
        """How many clients have what they asked for, and wait for no answer."""
        return sum(bool(self._routes.of(each)) and not self._questions.is_asked(each) for each in self.clients)

    @property
    def is_mending(self) -> bool:
        """Whether history is being asked for what was missed."""
        return self._is_up and self._mending.is_mending and not self.failure

    # What clients say

    def join(self, client: Client) -> None:
        """Let a client in."""
        self.clients[client] = None

    def leave(self, client: Client) -> None:
        """Forget a client that has gone."""
        self._deliver()
        self.clients.pop(client, None)
        self._conflated += client.outbox.conflated
        self._questions.forget(client)
        self._routes.put(client, {})
        self.board.remove(client)
        self._gather()

    def answer(self, client: Client, row: Row) -> None:
        """Answer a client once upstream has what it asked for; from a shorter list it is sent no more at once."""
        if row["T"] != "subscription":
            self._questions.say(client, row)
            return self._release()
        self._deliver()
        wanted = client.conversation.wanted
        self.board.put(client, wanted)
        self._routes.put(client, both(self._routes.of(client), wanted))
        self._questions.ask(client, wanted, self._clock.monotonic())
        asyncio.get_running_loop().call_later(PATIENCE, self._release)
        self._gather()
        return self._release()

    # What is said upstream

    def _gather(self) -> None:
        if self.board.is_changed and not self._is_gathering:
            self._is_gathering = True
            asyncio.get_running_loop().call_later(GATHER, self._say_changes)

    def _say_changes(self) -> None:
        self._is_gathering = False
        change, stream = self.board.change(), self._relay.stream
        self._say(stream.unsubscribe(change.less) if change.less else ())
        self._say(stream.subscribe(change.more) if change.more else ())
        self._mending.change(change)

    def _say(self, frames: Sequence[Frame]) -> None:
        self._frames += frames
        self._stir.set()

    async def _speak(self) -> None:
        while True:
            await self._stir.wait()
            self._stir.clear()
            frames, self._frames = self._frames, []
            await self._socket.send(frames)

    # What comes

    async def _consume(self, item: Told | Carried | Link) -> None:
        match item:
            case Carried(messages):
                self.counts.received += len(messages)
                self._carry(self._mending.take(messages), item)
            case Told(events):
                self._deliver()
                for each in events:
                    self._heard(each)
                self._release()
            case Link(state=LinkState.LOST):
                self._sink(item)
            case Link():
                self._rise(item)

    def _carry(self, messages: list[Message], carried: Carried) -> None:
        """Let messages be delivered with what else comes in this turn of the loop."""
        if not self._turn:
            self._turn_at, self._turn_size = carried.at, 0
            asyncio.get_running_loop().call_soon(self._deliver)
        self._turn += messages
        self._turn_size += carried.size
        if self._turn_size >= TOGETHER:
            self._deliver()

    def _deliver(self) -> None:
        """Give the clients what has come so far, as their lists are now."""
        if self._turn:
            messages, self._turn = self._turn, []
            self._spread(messages, self._turn_at)

    def _spread(self, messages: list[Message], at: float) -> None:
        for audience, batch in self._routes.spread(messages):
            self.counts.sent += len(audience) * len(batch.messages)
            for client in audience:
                client.send(batch, at)

    def _tell(self, gaps: list[Gap], messages: list[Message]) -> None:
        """Send the markers of gaps to the clients that asked for them, and then messages to whom they concern."""
        self._deliver()
        now = self._clock.monotonic()
        markers = messages_of(gaps) if any(each.wants_gaps for each in self.clients) else {}
        for client in [each for each in self.clients if each.wants_gaps]:
            for part in _parts(own(markers, self._routes.of(client))):
                client.send(Batch(part), now)
        for part in _parts(messages):
            self._spread(part, now)

    def _heard(self, event: object) -> None:
        match event:
            case Subscribed(channels):
                self._mending.confirm(channels)
            case Refused(channels, error, code):
                self._refused(channels, error, code)
            case TurnedAway(attempt=1):
                self._remark(f"{self.endpoint.path}: another session has the account's one connection; end it, or wait")
            case Strange(what, example):
                self._remark(f"{self.endpoint.path} told {what}, which is left out: {example}")

    def _refused(self, channels: Channels, error: SwitchbackError, code: int) -> None:
        """Tell those who had asked; what several asked for at once is first asked for one by one."""
        parts = self.board.by_owners(channels)
        if len(parts) > 1:
            for part in parts:
                self._say(self._relay.stream.subscribe(part))
            return
        self.counts.refused += 1
        self._remark(str(error))
        for client in self.board.refused(channels):
            client.conversation.lose(channels)
            self._questions.lose(client, channels)
            self._routes.put(client, minus(self._routes.of(client), channels))
            told = code if code in ERRORS else 400
            client.say({"T": "error", "code": told, "msg": ERRORS[told]})
            if not self._questions.is_asked(client):
                client.say(current(self.endpoint, client.conversation.wanted))

    def _release(self) -> None:
        """Answer what can be answered, and send from now on what was asked for."""
        self._deliver()
        for client, question in self._questions.answered(self._clock.monotonic()):
            if question.row is not None:
                client.say(question.row)
                continue
            self._routes.put(client, both(question.wanted, client.conversation.wanted))
            client.say(current(self.endpoint, question.wanted))

    def _sink(self, lost: Link) -> None:
        if self._is_up:
            self._remark(f"{self.endpoint.path} is down: {lost.reason}")
        self._is_up = False
        quiet = self._clock.monotonic() - self._relay.heard_at if self._relay.heard_at else 0.0
        self._mending.lose(self._clock.now() - timedelta(seconds=quiet * pace(self._clock)))

    def _rise(self, link: Link) -> None:
        self._is_up = True
        if link.state is LinkState.RECONNECTED:
            self.counts.reconnects += 1
        self._remark(f"{self.endpoint.path} is up")
        self._mending.rise()

    def _conversation(self) -> Stream:
        patience = self.account.waits.patience
        if isinstance(self._clock, VenueClock) and self._clock.speed is None:
            patience = Patience(patience.line, patience.handshake, data=None)
        return Stream(self.endpoint, self.account.credentials, self.account.base_url, patience=patience, is_shared=True)


def _parts(messages: list[Message]) -> Iterator[list[Message]]:
    for at in range(0, len(messages), AT_ONCE):
        yield messages[at : at + AT_ONCE]
