"""What goes wrong at AlphaHub, on demand: each fault by its name."""

from __future__ import annotations

import logging
import time

import pytest
import requests
from signals_sandbox import BUY, OK, Venue, alphahub, at, item, told
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from feeds.alphahub.sandbox_frames import half
from feeds.alphahub.sandbox_signals import Publication

TOPIC = "algorithms:16"
SIGNALS = {"event": "new_signals"}


def counts(venue: Venue) -> tuple[int, int]:
    """Return how many messages were sent, and how many went down with a line."""
    return venue.market.sent["alphahub"], venue.market.lost["alphahub"]


def test_every_fault_is_known() -> None:
    """By its name, each with a line that says what it does."""
    with alphahub() as venue:
        known = venue.ask("GET", "/_sandbox/faults").json()["known"]
        assert {"drop", "cut_halfway", "channel_crash", "late_signals", "empty_history", "wrong_password"} <= set(known)
        assert all(known.values())


def test_drop_before_a_publication() -> None:
    """The line is cut, the publication not written: only history has it."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault("drop", stream="alphahub")
        venue.sandbox.publish(16, open=[BUY])
        with pytest.raises(ConnectionClosedError):
            socket.read()
        assert (counts(venue), venue.history()) == ((0, 1), [item(100.0)])


def test_drop_of_one_of_two_lines() -> None:
    """A fault that is counted is used up by one socket: the other hears."""
    with alphahub() as venue, venue.joined() as first, venue.joined() as second:
        venue.sandbox.fault("drop", stream="alphahub")
        assert second.publish(venue, open=[BUY]) == told(16, open=[item(100.0)])
        with pytest.raises(ConnectionClosedError):
            first.read()


def test_cut_halfway_through_a_publication() -> None:
    """Half of a frame is no message: the client sees a broken line."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault("cut_halfway")
        venue.sandbox.publish(16, open=[BUY] * 20)
        with pytest.raises(ConnectionClosedError):
            socket.read()
        assert counts(venue) == (0, 1)


@pytest.mark.parametrize("size", [5, 125, 126, 65535, 65536])
def test_half_of_a_frame(size: int) -> None:
    """Of any length: the header says how long it would have been."""
    found = half("x" * size)
    assert found[0] == 0x81
    assert abs(len(found) - size // 2) <= 5
    if size < 126:
        assert found[1] == size
    else:
        assert int.from_bytes(found[2:4] if size < 65536 else found[2:10]) == size


def test_cut_after_a_publication() -> None:
    """It arrives, then the line is gone without a closing handshake."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault("cut_after")
        assert socket.publish(venue, open=[BUY]) == told(16, open=[item(100.0)])
        with pytest.raises(ConnectionClosedError) as closed:
            socket.read()
        assert (closed.value.rcvd, counts(venue)) == (None, (1, 0))


def test_mute_swallows_publications() -> None:
    """Heartbeats are answered on the socket, which looks alive."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault("mute", stream="alphahub", count=2)
        venue.sandbox.publish(16, open=[BUY])
        venue.sandbox.publish(16, open=[BUY])
        assert socket.beat()[4] == OK
        assert socket.publish(venue, close=[]) == told(16, close=[])


@pytest.mark.parametrize("event", ["heartbeat", "phx_join", "new_signals"])
def test_half_open_socket(event: str) -> None:
    """From then on nothing is said and nothing read, and nobody closes: pings stay unanswered too."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault("half_closed", match={"event": event})
        socket.say(None, "1", *{"phx_join": ("algorithms:17", event)}.get(event, ("phoenix", "heartbeat")), {})
        if event == "new_signals":
            assert socket.read()[4] == OK
        while event != "new_signals" and not venue.sandbox.state()["faults"]["made"]:
            pass
        venue.sandbox.publish(16, open=[BUY])
        assert not socket.socket.ping().wait(0.1)
        with pytest.raises(TimeoutError):
            socket.socket.recv(timeout=0.05)
        socket.socket.close_socket()


def test_slow_holds_a_publication_back() -> None:
    """The publishing returns when it is out, so it takes as long as the fault says."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault("slow", stream="alphahub", seconds=0.02)
        begun = time.monotonic()
        assert socket.publish(venue)[3] == "new_signals"
        assert time.monotonic() - begun >= 0.02


@pytest.mark.parametrize(("fault", "event"), [("channel_crash", "phx_error"), ("channel_close", "phx_close")])
def test_channel_ends_before_a_publication(fault: str, event: str) -> None:
    """Its publication is lost to it; the other channel and the socket are well, and it can be joined again."""
    with alphahub() as venue, venue.connected() as socket:
        socket.join(14, "1"), socket.join(16, "2")
        venue.sandbox.fault(fault, match={**SIGNALS, "algorithm": 16})
        assert socket.publish(venue, open=[BUY]) == ["2", "2", TOPIC, event, {}]
        assert counts(venue) == (0, 1)
        venue.sandbox.publish(14, open=[])
        assert socket.read() == told(14, open=[])
        assert socket.join(16, "3")[4] == OK
        assert socket.publish(venue) == told(16, open=[])


@pytest.mark.parametrize("fault", ["channel_crash", "channel_close"])
def test_channel_ends_while_nothing_is_published(fault: str) -> None:
    """After the answer to a heartbeat, or right after the one to a join."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault(fault, match={"event": "heartbeat"})
        assert (socket.beat()[4], socket.read()[2]) == (OK, TOPIC)
        venue.sandbox.fault(fault, match={"event": "phx_join"})
        assert (socket.join(16)[4], socket.read()[3][:4]) == (OK, "phx_")
        assert venue.sandbox.publish(16, open=[])["channels"] == 0


def test_close_of_an_earlier_join() -> None:
    """phx_close with a ref that is not the join's: the channel goes on."""
    with alphahub() as venue, venue.connected() as socket:
        venue.sandbox.fault("duplicate_join")
        assert socket.join(16, "2")[4] == OK
        assert socket.read() == ["before", "before", TOPIC, "phx_close", {}]
        assert socket.publish(venue)[3] == "new_signals"


def test_unanswered_join() -> None:
    """Nobody has joined; the next attempt is answered."""
    with alphahub() as venue, venue.connected() as socket:
        venue.sandbox.fault("unanswered_join")
        socket.say("1", "1", TOPIC, "phx_join", {})
        assert socket.beat("2")[1] == "2"
        assert venue.sandbox.publish(16, open=[])["channels"] == 0
        assert socket.join(16, "3")[1] == "3"


def test_refused_join() -> None:
    """An error with its reason; the socket stays."""
    with alphahub() as venue, venue.connected() as socket:
        venue.sandbox.fault("refused_join", reason="not subscribed", match={"algorithm": 16})
        assert socket.join(14)[4] == OK
        assert socket.join(16)[4] == {"response": {"reason": "not subscribed"}, "status": "error"}


def test_instant_close_after_each_join() -> None:
    """Joined and closed, again and again, with the code that is asked for; each attempt is counted."""
    with alphahub() as venue:
        token, _ = venue.tokens()
        venue.sandbox.fault("instant_close", count=0, code=1000)
        for _ in range(3):
            with venue.connected(token) as socket:
                assert socket.join(16)[4] == OK
                with pytest.raises(ConnectionClosed) as closed:
                    socket.read()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1000
        assert (venue.market.requests["alphahub"], venue.market.requests["alphahub_logins"]) == (3, 1)


def test_wrong_password() -> None:
    """401 to whoever logs in, as often as it says; each attempt is counted."""
    with alphahub() as venue:
        venue.sandbox.fault("wrong_password", count=2)
        assert [venue.login().status_code for _ in range(3)] == [401, 401, 200]
        assert venue.market.requests["alphahub_logins"] == 3


def test_refused_renewal() -> None:
    """As where there is no such path; the renewal token is not used up."""
    with alphahub() as venue:
        renewal = venue.tokens()[1]
        venue.sandbox.fault("renewal_refused", status=404)
        answers = [venue.ask("POST", "/api/v1/session/renew", renewal).status_code for _ in range(2)]
        assert answers == [404, 200]


def test_expired_token_at_the_socket_and_in_history() -> None:
    """403 there, 401 here; the token itself is well."""
    with alphahub() as venue:
        token, _ = venue.tokens()
        venue.sandbox.fault("expired_token", stream="alphahub")
        with pytest.raises(InvalidStatus) as refused, venue.connected(token):
            pass
        assert refused.value.response.status_code == 403
        venue.sandbox.fault("expired_token", stream="alphahub_api")
        path = "/api/v1/algorithms/16/signals"
        assert [venue.ask("GET", path, token).status_code for _ in range(2)] == [401, 200]


def test_unanswered_heartbeat() -> None:
    """One is not answered, the next is."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault("unanswered_heartbeat")
        socket.say(None, "1", "phoenix", "heartbeat", {})
        assert socket.beat("2")[1] == "2"


def test_garbage_of_every_kind() -> None:
    """Text, array, object, a list for a payload, bytes, a binary broadcast; each publication comes all the same."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault("garbage", count=6)
        found = []
        for _ in range(6):
            venue.sandbox.publish(16, open=[])
            found.append(socket.socket.recv(timeout=10))
            assert socket.read() == told(16, open=[])
        assert found[:3] == [
            '[null,null,"algorithms:16","new_sig',
            '["algorithms:16","new_signals"]',
            '{"topic": "algorithms:16", "event": "new_signals", "payload": {}}',
        ]
        assert found[3] == '[null,null,"algorithms:16","new_signals",["open","close"]]'
        assert found[5] == b"\x02\x0d\x05algorithms:16chart\x89PNG"
        assert (isinstance(found[4], bytes), counts(venue)) == (True, (7, 0))


def test_garbage_of_one_kind_beside_a_heartbeat() -> None:
    """After its answer, on a topic that was joined."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault("garbage", kind="shape", match={"event": "heartbeat"})
        assert (socket.beat()[4], socket.read()) == (OK, [TOPIC, "new_signals"])


def test_late_publication_in_lock_step() -> None:
    """With the next instant by then, after others; history has it at once."""
    signals = [Publication(16, at(minute), open=[{**BUY, "weight": minute}]) for minute in (1, 2)]
    with alphahub(signals=signals) as venue, venue.joined() as socket:
        venue.sandbox.fault("late_signals", seconds=90)
        assert [venue.sandbox.step()["sent"].get("alphahub", 0) for _ in range(3)] == [0, 1, 2]
        assert [socket.read()[4]["open"][0]["weight"] for _ in range(2)] == [2, 1]
        assert len(venue.history()) == 2


def test_late_publication_by_a_running_clock() -> None:
    """It comes by itself, when the venue's time has come."""
    with alphahub(speed=1e4) as venue, venue.joined() as socket:
        venue.sandbox.fault("late_signals", seconds=600)
        published = venue.sandbox.publish(16, open=[BUY])
        assert socket.read()[4]["open"] == published["open"]
        assert (venue.market.now() - venue.market.tape.starts_at).total_seconds() >= 600


def test_duplicate_publication() -> None:
    """The same frame twice, in history once."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault("duplicate_signals")
        assert socket.publish(venue, open=[BUY]) == socket.read() == told(16, open=[item(100.0)])
        assert (counts(venue), len(venue.history())) == ((2, 0), 1)


def test_missing_publication() -> None:
    """Nobody is told, on a line that is well; history has it."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.fault("missing_signals", match={"algorithm": 16})
        venue.sandbox.publish(16, open=[BUY])
        assert socket.beat()[4] == OK
        assert (counts(venue), len(venue.history())) == ((0, 0), 1)


@pytest.mark.parametrize(("fault", "status"), [("bad_gateway", 502), ("server_error", 500)])
def test_request_that_is_not_carried_out(fault: str, status: int) -> None:
    """A renewal that failed has used nothing up."""
    with alphahub() as venue:
        renewal = venue.tokens()[1]
        venue.sandbox.fault(fault, stream="alphahub_api")
        answers = [venue.ask("POST", "/api/v1/session/renew", renewal).status_code for _ in range(2)]
        assert answers == [status, 200]


def test_history_that_is_empty() -> None:
    """As if nothing had been published; the next answer has it."""
    with alphahub() as venue:
        venue.sandbox.publish(16, open=[BUY])
        venue.sandbox.fault("empty_history")
        assert [len(venue.history()) for _ in range(2)] == [0, 1]


def test_answer_that_is_slow() -> None:
    """Whoever waits has it."""
    with alphahub() as venue:
        venue.sandbox.fault("slow_answer", seconds=0.02, match={"method": "GET"})
        begun = time.monotonic()
        assert venue.history() == []
        assert time.monotonic() - begun >= 0.02


@pytest.mark.parametrize(("fault", "options"), [("cut_answer", {}), ("stall", {"seconds": 0.01})])
def test_answer_that_does_not_come(fault: str, options: dict[str, float], caplog: pytest.LogCaptureFixture) -> None:
    """The renewal was carried out, so that its token is used up; nobody's error is logged."""
    with alphahub() as venue:
        renewal = venue.tokens()[1]
        venue.sandbox.fault(fault, stream="alphahub_api", **options)
        with pytest.raises(requests.ConnectionError):
            venue.ask("POST", "/api/v1/session/renew", renewal)
        assert venue.ask("POST", "/api/v1/session/renew", renewal).status_code == 401
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_chance_is_alike_for_the_same_seed() -> None:
    """The same publications come through, twice."""

    def heard(seed: int) -> list[int]:
        with alphahub() as venue, venue.joined() as socket:
            venue.sandbox.random_faults(seed, 0.5, "missing_signals")
            for number in range(20):
                venue.sandbox.publish(16, open=[{**BUY, "weight": number}])
            return [socket.read()[4]["open"][0]["weight"] for _ in range(counts(venue)[0])]

    assert heard(7) == heard(7)
    assert 0 < len(heard(7)) < 20
