"""The sandbox's Phoenix socket: joins, replies, heartbeats and ends of channels, as a well-behaved venue has them."""

from __future__ import annotations

import pytest
from signals_sandbox import OK, alphahub, told
from websockets.exceptions import ConnectionClosedError, InvalidStatus

TOPIC = "algorithms:16"


def unmatched(topic: str) -> list[object]:
    return [None, "1", topic, "phx_reply", {"response": {"reason": "unmatched topic"}, "status": "error"}]


def test_join_is_answered_with_its_own_refs() -> None:
    """A broadcast has none."""
    with alphahub() as venue, venue.connected() as socket:
        assert socket.ask("3", "7", TOPIC, "phx_join", {}) == ["3", "7", TOPIC, "phx_reply", OK]
        assert socket.publish(venue, open=[]) == told(16, open=[])


def test_join_without_refs_is_taken() -> None:
    """As AlphaHub's own example says it: nulls come back."""
    with alphahub() as venue, venue.connected() as socket:
        assert socket.join(16) == [None, None, TOPIC, "phx_reply", OK]


def test_heartbeat_is_answered() -> None:
    """With its ref, and no join_ref."""
    with alphahub() as venue, venue.connected() as socket:
        assert socket.beat("9") == [None, "9", "phoenix", "phx_reply", OK]


def test_joining_twice_ends_the_first_join() -> None:
    """Its phx_close comes after the answer to the second, which goes on."""
    with alphahub() as venue, venue.connected() as socket:
        socket.join(16, "1")
        assert socket.join(16, "2") == ["2", "2", TOPIC, "phx_reply", OK]
        assert socket.read() == ["1", "1", TOPIC, "phx_close", {}]
        assert socket.publish(venue)[3] == "new_signals"
        assert venue.market.sent == {"alphahub": 1}


def test_leaving_is_answered_and_closes() -> None:
    """The reply, then the close; nothing is published to it any more."""
    with alphahub() as venue, venue.connected() as socket:
        socket.join(16, "1")
        assert socket.ask("1", "2", TOPIC, "phx_leave", {}) == ["1", "2", TOPIC, "phx_reply", OK]
        assert socket.read() == ["1", "1", TOPIC, "phx_close", {}]
        assert venue.sandbox.publish(16, open=[])["channels"] == 0
        assert socket.ask("1", "3", TOPIC, "phx_leave", {}) == ["1", "3", TOPIC, "phx_reply", OK]


def test_leave_of_an_earlier_join_is_not_heard() -> None:
    """The client raced a close: the later join stands."""
    with alphahub() as venue, venue.connected() as socket:
        socket.join(16, "1")
        socket.say("0", "2", TOPIC, "phx_leave", {})
        assert socket.beat()[2] == "phoenix"
        assert socket.publish(venue)[3] == "new_signals"


@pytest.mark.parametrize(("topic", "event"), [("rooms:1", "phx_join"), (TOPIC, "shout")])
def test_unmatched_topic(topic: str, event: str) -> None:
    """One that nobody serves, and one that was not joined."""
    with alphahub() as venue, venue.connected() as socket:
        assert socket.ask("1", "1", topic, event, {}) == unmatched(topic)


def test_algorithm_that_is_no_number_crashes_the_join() -> None:
    """An error with its reason."""
    with alphahub() as venue, venue.connected() as socket:
        answer = socket.ask("1", "1", "algorithms:x", "phx_join", {})
        assert answer[4] == {"response": {"reason": "join crashed"}, "status": "error"}


def test_a_socket_has_a_hundred_channels() -> None:
    """One more is refused; one of those again is not."""
    with alphahub() as venue, venue.connected() as socket:
        assert {socket.join(each)[4]["status"] for each in range(1, 101)} == {"ok"}
        assert socket.join(101)[4]["response"] == {"reason": "too many channels joined"}
        assert socket.join(1)[4] == OK


def test_unknown_event_crashes_a_channel() -> None:
    """phx_error, with the join's ref in both places."""
    with alphahub() as venue, venue.connected() as socket:
        socket.join(16, "4")
        assert socket.ask("4", "5", TOPIC, "shout", {}) == ["4", "4", TOPIC, "phx_error", {}]
        assert venue.sandbox.publish(16, open=[])["channels"] == 0


@pytest.mark.parametrize("frame", ["hello", '["phx_join"]', "{}", "7", '[1,1,1,"phx_join",{}]', b"\x00\x01"])
def test_frame_that_cannot_be_read_ends_the_socket(frame: str | bytes) -> None:
    """1011, as when the process behind it crashes."""
    with alphahub() as venue, venue.connected() as socket:
        socket.socket.send(frame)
        with pytest.raises(ConnectionClosedError) as closed:
            socket.read()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011


@pytest.mark.parametrize(("token", "vsn"), [("nobody's", "2.0.0"), (None, "1.0.0")])
def test_who_is_not_let_in(token: str | None, vsn: str) -> None:
    """403 for a token that is none, and for another version of the protocol."""
    with alphahub() as venue, pytest.raises(InvalidStatus) as refused, venue.connected(token, vsn):
        pass
    assert refused.value.response.status_code == 403


def test_socket_outlives_its_session() -> None:
    """The token is for connecting only."""
    with alphahub() as venue:
        token, _ = venue.tokens()
        with venue.connected(token) as socket:
            venue.ask("DELETE", "/api/v1/session", token)
            assert socket.join(16)[4] == OK


def test_each_channel_hears_its_own_algorithm() -> None:
    """Two sockets and three channels: what is sent is counted for each that it is written to."""
    with alphahub() as venue, venue.joined(14, 16) as both, venue.joined(16) as one:
        assert [venue.sandbox.publish(each, open=[])["channels"] for each in (14, 16, 17)] == [1, 2, 0]
        assert [both.read()[2], both.read()[2], one.read()[2]] == ["algorithms:14", TOPIC, TOPIC]
        assert venue.market.sent == {"alphahub": 3}


def test_who_listens_is_known() -> None:
    """By socket and by topic; who hangs up is gone from both."""
    with alphahub() as venue:
        with venue.joined(14, 16):
            venue.sandbox.attend("algorithms:16")
            assert venue.sandbox.state()["listening"] | {"trade_updates": 0} == {
                "alphahub": 1,
                "algorithms:14": 1,
                "algorithms:16": 1,
                "trade_updates": 0,
            }
        venue.sandbox.attend("alphahub", 0)
        venue.sandbox.attend("algorithms:16", 0)
