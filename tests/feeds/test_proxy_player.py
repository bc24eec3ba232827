"""What was recorded is served once more: to everybody what is theirs, as it came, with no venue and no account."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from data_sandbox import LOGIN, Client
from proxy_stage import Front, Remote, following, played, proxied, started
from tape import OPEN
from test_proxy_faults import stalled

from feeds import AlpacaBars
from feeds.alpaca.line import Line
from feeds.alpaca.messages import as_json, as_msgpack
from feeds.alpaca.proxy.audience import Audience
from feeds.alpaca.proxy.playback import NOBODY, SETTLED, Playback, RecordedClock
from feeds.alpaca.proxy.recording import (
    MAGIC,
    Answered,
    Asked,
    Framed,
    Lost,
    Made,
    Paged,
    Record,
    Skipped,
    Started,
    encoded,
)
from feeds.alpaca.proxy.recording_file import looked_through
from feeds.alpaca.proxy.relay import Carried, Relay
from feeds.alpaca.stream import Stream
from feeds.alpaca.subscriptions import ENDPOINTS
from feeds.minutes import Minutes
from framework.app.main import main
from framework.app.player import Player
from framework.calendar import Calendar
from framework.errors import ConfigError, SwitchbackError
from framework.live.clock import VirtualClock

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PRICES: dict[str, Any] = {
    "BAC": [30.0 + at / 10 for at in range(12)],
    "IBM": [50.0 + at if at % 3 else None for at in range(12)],
    "SPY": [(100.0 + at, 104.0 + at, 99.0, 101.0 + at) for at in range(12)],
}
IEX = "/v2/iex"
BARS = "/v2/stocks/bars"


def bar(symbol: str, minute: int, kind: str = "b") -> dict[str, Any]:
    return {"T": kind, "S": symbol, "t": OPEN + timedelta(minutes=minute), "c": float(minute)}


def frame(minute: int, *symbols: str, stream: str = IEX, kind: str = "b") -> Framed:
    """Return the frame with a minute's bars, which comes when the minute is over."""
    rows = [bar(symbol, minute, kind) for symbol in symbols]
    return Framed(OPEN + timedelta(minutes=minute + 1), stream, as_msgpack(rows))


def answer(minute: int, made: int, **rows: list[int]) -> list[Record]:
    """Return history's answer to what was missed until the line was made, with some minutes of each symbol."""
    whole = dict.fromkeys(("o", "h", "l", "v", "n", "vw"), 1)
    bars = {name: [bar(name, at) | whole for at in minutes] for name, minutes in rows.items()}
    body = as_json({"bars": bars, "next_page_token": None}).encode()
    at = OPEN + timedelta(minutes=minute + 1)
    return [Asked(at, IEX, made), Paged(at, IEX, made, BARS, body), Answered(at, IEX, made)]


def link(kind: type[Any], minute: int, *reason: str) -> Any:
    return kind(OPEN + timedelta(minutes=minute + 1), IEX, *reason)


def recording(folder: Path, *records: Record) -> Path:
    """Write a recording that begins as each does."""
    path = folder / "day.recording"
    begun = (Started(OPEN), Made(OPEN, IEX))
    path.write_bytes(MAGIC + b"".join(map(encoded, (*begun, *records))))
    return path


@contextmanager
def fronted(path: Path, **playing: Any) -> Iterator[Front]:
    """Play a file, as fast as clients read unless told otherwise."""
    with Player(path, **{"speed": 0, **playing}) as player:
        yield Front(player, None)


def told(client: Client, count: int) -> list[tuple[str, int]]:
    """Read so many messages: whose each is, and its minute."""
    found: list[tuple[str, int]] = []
    while len(found) < count:
        found += [(each["S"], int(each["c"])) for each in client.read()]
    return found


def test_alpaca_py_gets_exactly_what_was_recorded_of_its_symbols(tmp_path: Path) -> None:
    """Two of it at once, unmodified, from a recording that the proxy made of a sandbox's day."""
    path = tmp_path / "day.recording"
    with proxied(PRICES, record=path) as front, front.client(bars=["*"]):
        front.venue.step(12)
        front.until(lambda: front.figures()["messages_received_total"] == 32)
        tape = {names: played(front.venue, *names) for names in (("SPY",), ("BAC", "IBM"))}
    with ExitStack() as serving:
        player = serving.enter_context(Player(path, speed=0, wait=2))
        keys, address = (player.key, player.secret), player.websocket
        with (
            following(address, keys, "SPY", nudge=serving.close) as one,
            following(address, keys, "BAC", "IBM", nudge=serving.close) as two,
        ):
            assert player.wait(30)
            for each in (one, two):
                expected = tape[each.symbols]
                assert sorted(each.take(len(expected)), key=lambda bar: (bar[1], bar[0])) == expected
                assert each.bars.empty()


def test_both_encodings_and_every_list_are_served_as_the_proxy_serves_them(tmp_path: Path) -> None:
    """JSON and MessagePack, a login by headers, wrong keys; the account's own are not needed."""
    path = recording(tmp_path, *(frame(minute, "SPY", "IBM") for minute in range(3)))
    with fronted(path, wait=2) as front:
        with front.greeted(login=LOGIN) as other:
            assert other.read()[0]["code"] == 402
        with front.client(packed=True, bars=["*"]) as packed, front.client(bars=["IBM"]) as text:
            assert told(packed, 6) == [(name, minute) for minute in range(3) for name in ("SPY", "IBM")]
            assert told(text, 3) == [("IBM", minute) for minute in range(3)]
            assert text.ask({"action": "subscribe", "orderbooks": ["IBM"]})["code"] == 410


def test_text_is_played_as_well_as_messagepack(tmp_path: Path) -> None:
    """An upstream may speak either; clients have what they asked for."""
    text = Framed(OPEN, IEX, as_json([bar("SPY", 0)]))
    with fronted(recording(tmp_path, text, frame(1, "SPY"))) as front, front.client(packed=True, bars=["SPY"]) as one:
        assert told(one, 2) == [("SPY", 0), ("SPY", 1)]


def test_all_has_been_sent_when_it_says_so(tmp_path: Path) -> None:
    """What a client then reads is the whole; it stays connected, and nothing more comes."""
    path = recording(tmp_path, *(frame(minute, "SPY") for minute in range(300)))
    with fronted(path) as front:
        player: Any = front.proxy
        assert not player.finished
        with front.client(bars=["SPY"]) as client:
            assert player.wait(30)
            assert player.finished
            assert told(client, 300) == [("SPY", minute) for minute in range(300)]
            assert client.ask({"action": "subscribe", "bars": ["IBM"]})["bars"] == ["IBM", "SPY"]
            assert player.figures()[IEX]["clients"] == 1


def long(kind: str) -> Iterator[Framed]:
    """Yield frames of four megabytes in all, a message each."""
    for number in range(4_000):
        yield Framed(OPEN, IEX, as_msgpack([{"T": kind, "S": "SPY", "c": number, "x": "x" * 1_000}]))


def test_as_fast_as_clients_read_costs_them_nothing(tmp_path: Path) -> None:
    """More than a buffer holds by far, and a client that stalls: it is not too slow, and no quote gives way."""
    path = recording(tmp_path, *long("q"))
    with fronted(path, budget=200_000) as front, stalled(front, quotes=["SPY"]) as client:
        front.until(lambda: front.figures()["queue_bytes"] > 0)
        assert told(client, 4_000) == [("SPY", number) for number in range(4_000)]
        assert front.figures()["conflations_total"] == 0


def test_what_waits_for_a_client_is_not_sent_yet(tmp_path: Path) -> None:
    """All is played, and nobody has been told that it is over before the last client has it."""
    path = recording(tmp_path, *long("t"))
    with fronted(path, speed=1e6, budget=1 << 24) as front, stalled(front, trades=["SPY"]) as client:
        front.until(lambda: front.figures()["messages_received_total"] == 4_000)
        assert not front.proxy.finished
        assert len(told(client, 4_000)) == 4_000
        assert front.proxy.wait(30)


class Listeners:
    """As many clients as are listening, and nothing to send them."""

    def __init__(self) -> None:
        self.listening, self.is_mending, self.clients = 1, False, ()


def test_playing_does_not_begin_before_all_are_there(tmp_path: Path) -> None:
    """However long the first waits for the second; and a moment after that, for it may ask for more."""
    contents, io, there = looked_through(recording(tmp_path)), VirtualClock(), Listeners()

    async def scene() -> None:
        audience: Any = Audience(lambda: [there])  # type: ignore[list-item, return-value]
        playing = asyncio.create_task(Playback(contents, RecordedClock(OPEN, io), 0).run(audience, clients=2))
        await io.advance(10 * SETTLED)
        there.listening = 2
        await io.advance(SETTLED / 2)
        assert not playing.done()
        await io.advance(SETTLED)
        assert playing.done()

    asyncio.run(scene())


def test_playing_waits_for_as_many_clients_as_it_is_told_to(tmp_path: Path) -> None:
    """The first has not missed anything when the second comes, though they share no symbol."""
    path = recording(tmp_path, *(frame(minute, "SPY", "IBM") for minute in range(3)))
    with fronted(path, wait=2) as front, front.client(bars=["SPY"]) as one, front.greeted() as idle:
        assert idle.ask(front.auth)["msg"] == "authenticated"
        assert front.figures()["messages_received_total"] == 0
        with front.client(bars=["IBM"]) as two:
            assert [told(each, 3) for each in (one, two)] == [[(n, m) for m in range(3)] for n in ("SPY", "IBM")]


@pytest.mark.parametrize(("speed", "times"), [(1.0, [60.0, 3_660.0]), (60.0, [1.0, 61.0]), (0.0, [0.0, 0.0])])
def test_pace_is_the_recorded_one_times_the_speed(tmp_path: Path, speed: float, times: list[float]) -> None:
    """From the start of the recorder on; 0 waits for nothing but the clients."""
    path, io, heard = recording(tmp_path, frame(0, "SPY"), frame(60, "SPY")), VirtualClock(), list[float]()

    async def consume(item: object) -> None:
        if isinstance(item, Carried):
            heard.append(io.monotonic())

    async def scene() -> None:
        playback = Playback(looked_through(path), RecordedClock(OPEN, io), speed)
        stream = Stream(ENDPOINTS[0], NOBODY, is_shared=True)
        wire = playback.wire(ENDPOINTS[0], Relay(Line(stream, Minutes(Calendar("XNYS")))), consume)
        await wire.make()
        await io.run(playback.run(Audience(tuple), clients=0))

    asyncio.run(scene())
    assert heard == times


def test_what_nobody_recorded_takes_no_time(tmp_path: Path) -> None:
    """A second start, a month later, follows the first at once; streams are down in between."""
    later = OPEN + timedelta(days=30)
    again = [Started(later), Made(later, IEX), Framed(later, IEX, as_msgpack([bar("SPY", 1)]))]
    path = recording(tmp_path, frame(0, "SPY"), *again)
    with fronted(path, speed=1_000) as front, front.client(bars=["SPY"]) as client:
        assert told(client, 2) == [("SPY", 0), ("SPY", 1)]
        assert front.figures()["reconnects_total"] == 1


def test_break_is_played_and_made_good_as_it_was(tmp_path: Path) -> None:
    """Bars that history had come before those that came meanwhile, of each client's own symbols."""
    broken = [link(Lost, 1, "gone"), link(Made, 3), frame(3, "SPY", "IBM"), *answer(3, 2, SPY=[0, 1, 2], IBM=[2])]
    path = recording(tmp_path, frame(0, "SPY", "IBM"), *broken, frame(4, "SPY"))
    with fronted(path, wait=2) as front, front.client(bars=["SPY"]) as one, front.client(bars=["IBM"]) as two:
        assert told(one, 5) == [("SPY", minute) for minute in range(5)]
        assert told(two, 3) == [("IBM", 0), ("IBM", 2), ("IBM", 3)]
        figures = front.figures()
        assert [figures[name] for name in ("reconnects_total", "gaps_total", "gaps_open_total")] == [1, 1, 0]
        assert figures["missed_bars_total"] == 3
        assert f"{IEX} is down: gone" in front.proxy.remarks


def test_history_of_symbols_that_nobody_asks_for_is_left_out(tmp_path: Path) -> None:
    """When it was recorded others had asked for them too."""
    broken = [link(Lost, 1, "gone"), link(Made, 3), *answer(3, 2, SPY=[1, 2], IBM=[1, 2])]
    path = recording(tmp_path, frame(0, "SPY"), *broken, frame(4, "SPY"))
    with fronted(path) as front, front.client(bars=["SPY"]) as client:
        assert told(client, 4) == [("SPY", minute) for minute in (0, 1, 2, 4)]


@pytest.mark.parametrize("seed", range(3))
def test_day_with_breaks_is_played_as_it_was_heard(tmp_path: Path, seed: int) -> None:
    """Whatever breaks while it is recorded: each client hears what it would have heard then, bar for bar."""
    chance, path, both = random.Random(seed), tmp_path / "day.recording", ["IBM", "SPY"]
    prices = {name: [100.0 + at for at in range(30)] for name in both}
    with proxied(prices, record=path) as front, front.client(bars=["SPY"]) as one, front.client(bars=both) as two:
        for _ in range(30):
            if chance.random() < 0.3:
                front.venue.arm("drop", stream="data")
            front.venue.step()
        heard = [told(one, 30), sorted(told(two, 60))]
        assert front.figures()["reconnects_total"] > 0
    with fronted(path, wait=2) as front, front.client(bars=["SPY"]) as one, front.client(bars=both) as two:
        assert [told(one, 30), sorted(told(two, 60))] == heard
        assert front.figures()["gaps_open_total"] == 0
        assert front.proxy.wait(30)


@pytest.mark.parametrize("seed", range(3))
def test_missed_trades_and_markers_of_gaps_are_played_too(tmp_path: Path, seed: int) -> None:
    """As far as history had them when they were recorded."""
    chance, path, prices = random.Random(seed), tmp_path / "day.recording", {"SPY": [100.0 + at for at in range(20)]}

    def heard(client: Client) -> list[Any]:
        """Return all trades and bars in their orders, and whether the markers say that all was made good."""
        found: list[dict[str, Any]] = []
        while sum(each["T"] in "tb" for each in found) < 100:
            found += client.read()
        told = [[(each["t"], each.get("c"), each.get("i")) for each in found if each["T"] == kind] for kind in "tb"]
        return [*told, {each["filled"] for each in found if each["T"] == "gap"}]

    with proxied(prices, record=path) as front, front.client("/v2/iex?gaps=1", bars=["SPY"], trades=["SPY"]) as client:
        for _ in range(20):
            if chance.random() < 0.3:
                front.venue.arm("drop", stream="data")
            front.venue.step()
        live = heard(client)
    with fronted(path) as front, front.client("/v2/iex?gaps=1", bars=["SPY"], trades=["SPY"]) as client:
        assert heard(client) == live
    assert live[2] == {True}


@pytest.mark.parametrize(
    "hole",
    [
        [link(Lost, 1, "gone"), link(Made, 3)],
        [link(Lost, 1, "gone"), link(Made, 1), link(Lost, 2, "gone again"), *answer(2, 1, SPY=[1]), link(Made, 3)],
        [Skipped(OPEN + timedelta(minutes=3), 7)],
    ],
)
def test_break_that_was_not_made_good_stays_one(tmp_path: Path, hole: Sequence[Record]) -> None:
    """The operator is told that bars may be missing, and what came later goes on."""
    path = recording(tmp_path, frame(0, "SPY"), *hole, frame(4, "SPY"))
    with fronted(path) as front, front.client(bars=["SPY"]) as client:
        assert told(client, 2) == [("SPY", 0), ("SPY", 4)]
        assert front.figures()["gaps_open_total"] > 0
        assert any("bars may be missing" in each for each in front.proxy.remarks)


def test_every_recorded_stream_is_served(tmp_path: Path) -> None:
    """Crypto beside stocks, and of stocks the one that is there."""
    crypto, sip = "/v1beta3/crypto/us", "/v2/sip"
    path = recording(tmp_path, frame(0, "BTC/USD", stream=crypto), frame(1, "SPY", stream=sip))
    with fronted(path, wait=2) as front:
        with front.client(crypto, bars=["BTC/USD"]) as coins, front.client(sip, bars=["SPY"]) as stocks:
            assert (told(coins, 1), told(stocks, 1)) == ([("BTC/USD", 0)], [("SPY", 1)])
        with front.greeted(IEX) as other:
            assert other.ask(front.auth)["code"] == 409


def test_history_is_not_in_it_and_that_is_said(tmp_path: Path) -> None:
    """In Alpaca's shape, to who knows the keys; our own adapter says it in one line."""
    with fronted(recording(tmp_path, frame(0, "SPY"))) as front:
        answer = requests.get(front.proxy.url + BARS, {"symbols": "SPY"}, headers=front.login, timeout=10)
        assert (answer.status_code, set(answer.json())) == (404, {"message"})
        assert "not in the recording that is played" in answer.json()["message"]
        assert requests.get(front.proxy.url + BARS, {"symbols": "SPY"}, timeout=10).status_code == 401
        access = {"base_url": front.proxy.url, "key": front.proxy.key, "secret": front.proxy.secret}
        bars = AlpacaBars(["SPY"], start=OPEN, end=OPEN + timedelta(days=1), progress=False, cache=False, **access)
        with pytest.raises(SwitchbackError, match="not in the recording that is played"):
            bars.history()


def test_command_plays_without_an_account_and_ends_when_all_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first line is what a client needs; with --until-end it ends with 0."""
    path = recording(tmp_path, *(frame(minute, "SPY") for minute in range(5)))
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    words = ("--port", "0", "--play", str(path), "--speed", "max", "--until-end")
    with started(*words) as (running, first):
        assert set(first) == {"url", "key", "secret", "pid"}
        with Front(Remote(first), None).client(bars=["SPY"]) as client:
            assert told(client, 5) == [("SPY", minute) for minute in range(5)]
            assert running.wait(20) == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--play", "none.recording"], "recording none.recording cannot be read: No such file or directory"),
        (["--play", "notes.txt"], "notes.txt is no recording of switchback proxy's; name another file"),
        (["--play", "empty.recording"], "empty.recording is a recording of nothing; make one"),
        (["--play", "day.recording", "--speed", "fast"], "--speed fast is not a pace; try 1 for real time, 60, or max"),
        (["--play", "day.recording", "--speed", "-1"], "speed=-1.0 is not a pace"),
        (["--play", "day.recording", "--speed", "nan"], "speed=nan is not a pace"),
        (["--play", "day.recording", "--wait", "-1"], "wait=-1 is no number of clients"),
        (["--play", "day.recording", "--record", "other"], "leave --record and --upstream away"),
        (["--speed", "2"], "--speed, --wait and --until-end are for --play FILE"),
    ],
)
def test_what_cannot_be_played_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    """Before anything is served, with the code for what the user can put right."""
    monkeypatch.chdir(tmp_path)
    recording(tmp_path, frame(0, "SPY"))
    Path("notes.txt").write_text("SPY went up")
    Path("empty.recording").write_bytes(MAGIC)
    assert main(["proxy", "--port", "0", *words]) == 2
    [said] = capsys.readouterr().err.splitlines()
    assert line in said


def test_player_that_is_left_before_its_end_lets_go_of_who_waits(tmp_path: Path) -> None:
    """It was not finished, and says so."""
    answers: list[bool] = []
    with fronted(recording(tmp_path, frame(0, "SPY"))) as front:
        player: Any = front.proxy
        waiting = threading.Thread(target=lambda: answers.append(player.wait()))
        waiting.start()
    waiting.join(30)
    assert answers == [False]


def test_player_needs_a_file_that_it_can_play(tmp_path: Path) -> None:
    """Raised where it is entered."""
    with pytest.raises(ConfigError, match="cannot be read"), Player(tmp_path / "none"):
        pass
