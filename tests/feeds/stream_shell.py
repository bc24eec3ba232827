"""The plainest of shells around the live feed's pure parts: one socket to the sandbox, moved along by hand."""

from contextlib import contextmanager

from data_sandbox import KEY, SECRET
from tape import OPEN
from websockets.sync.client import connect

from feeds.alpaca.protocol import BarsQuery, bars_exchange
from feeds.alpaca.stream import Stream, endpoint
from feeds.alpaca.stream_events import Subscribed
from feeds.gaps import Gaps, Handed, Revised
from feeds.ledger import Ledger
from feeds.minutes import Minutes
from framework.calendar import Calendar
from framework.config import Credentials
from framework.http import Http
from framework.live.slices import Slicer
from framework.model import MINUTE, Bar

PRICES = {"SPY": [100.0, 101.0, 102.0, 103.0, None, 105.0], "IBM": [50.0, None, 52.0, 53.0, 54.0, 55.0]}
BARS = {"bars": list(PRICES), "updatedBars": list(PRICES)}
KEYS = Credentials(KEY, SECRET)


class Line:
    """A shell of the plainest kind: one socket, moved along by hand. Time is the number of frames."""

    def __init__(self, stream, socket):
        self.stream, self.socket, self.now = stream, socket, 0.0

    def send(self, frames):
        for frame in frames:
            self.socket.send(frame)

    def read(self):
        """Return what the next frame comes to, its answers sent."""
        self.now += 1
        frames, events = self.stream.receive(self.socket.recv(timeout=10), self.now)
        self.send(frames)
        return events

    def until(self, kind):
        """Read until an event of a kind comes; return it."""
        while True:
            for event in self.read():
                if isinstance(event, kind):
                    return event


def made(venue, channels=BARS, *, packed=True, feed="iex", crypto=False, keys=KEYS):
    stream = Stream(endpoint(feed, crypto=crypto), keys, venue.url, is_packed=packed)
    stream.subscribe(channels)
    return stream


@contextmanager
def opened(stream):
    """Connect a stream."""
    with connect(stream.url, additional_headers=dict(stream.headers), open_timeout=10) as socket:
        line = Line(stream, socket)
        line.send(stream.opening(line.now))
        yield line
    stream.closed()


@contextmanager
def live(stream):
    """Connect a stream and bring it to life."""
    with opened(stream) as line:
        line.until(Subscribed)
        yield line


class Feed:
    """What the stream tells, made whole: gaps, ledger and slices, with REST asked as soon as it is wanted."""

    def __init__(self, venue, stream):
        since, minutes = dict.fromkeys(PRICES, OPEN), Minutes(Calendar("XNYS"))
        self.venue, self.stream, self.slices = venue, stream, []
        self.gaps, self.ledger = Gaps(minutes, since), Ledger(minutes, since)
        self.slicer = Slicer(PRICES)

    def take(self, events):
        news = []
        for event in events:
            match event:
                case Bar():
                    news += self.gaps.receive(event)
                case Revised(bar):
                    news += self.gaps.revise(bar)
                case Subscribed():
                    news += self.mend(self.gaps.wanted(self.venue.market.now(), at_once=True))
        self.keep(news)
        return news + (self.mend(self.gaps.wanted(self.venue.market.now())) if self.gaps.held else [])

    def mend(self, asked):
        """Ask REST for what is wanted."""
        if asked is None:
            return []
        query = BarsQuery(
            asked.symbols, MINUTE, self.gaps.minutes.calendar, asked.after, asked.until, crypto=False,
            base_url=self.venue.url, credentials=KEYS,
        )  # fmt: skip
        with Http("Alpaca") as http:
            news = self.gaps.mend(asked, http.send(bars_exchange(query)).bars)
        self.keep(news)
        return news

    def keep(self, news):
        self.ledger.record(news)
        for each in news:
            if isinstance(each, Handed):
                self.slices += self.slicer.add(each.bar, 0.0)
