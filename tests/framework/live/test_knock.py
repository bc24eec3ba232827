"""Whether a stream lets us in, at doors that say nothing, hang up, or answer with something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from framework.errors import AuthenticationError
from framework.live.knock import knock
from framework.live.stream import Frame


class Talk:
    """Says hello, and is let in by "welcome"; "full" is an event, "wrong" ends it."""

    headers: Mapping[str, str] = {}

    def __init__(self, url: str) -> None:
        self.url, self.is_ready = url, False

    def opening(self, now: float) -> Sequence[Frame]:
        return ["hello"]

    def receive(self, frame: Frame, now: float) -> tuple[Sequence[Frame], Sequence[Frame]]:
        if frame == "wrong":
            raise AuthenticationError("Door", "the keys are not accepted")
        self.is_ready = frame == "welcome"
        return [], [frame]


@contextmanager
def door(answer: Callable[[ServerConnection], Any]) -> Iterator[tuple[str, SimpleQueue[int]]]:
    """Serve a door that answers a hello; give its address, and how those who came have left."""
    left: SimpleQueue[int] = SimpleQueue()

    def opened(socket: ServerConnection) -> None:
        socket.recv()
        answer(socket)
        for _ in socket:
            pass
        left.put(socket.close_code or 0)

    with serve(opened, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}", left
        server.shutdown()
        thread.join()


def asked(url: str, seconds: float = 5.0) -> str:
    return knock("Door", Talk(url), lambda frame: "it is full" if frame == "full" else "", seconds)


def test_who_is_let_in_says_goodbye() -> None:
    """With a closing handshake, which frees the place at once."""
    with door(lambda socket: socket.send("welcome")) as (url, left):
        assert asked(url) == ""
        assert left.get(timeout=10) == 1000


def test_who_is_turned_away_asks_no_second_time() -> None:
    """The event says why."""
    with door(lambda socket: socket.send("full")) as (url, left):
        assert asked(url) == "it is full"
        assert (left.get(timeout=10), left.empty()) == (1000, True)


def test_a_door_that_says_nothing_is_given_up_on() -> None:
    """Within the time that there is."""
    with door(lambda socket: None) as (url, _):
        assert asked(url, 0.1).endswith("within 0.1 s")


def test_a_door_that_is_slammed_is_told() -> None:
    """It is not knocked at again."""
    with door(lambda socket: socket.close(1001)) as (url, left):
        assert "closed by the other side" in asked(url)
        assert (left.get(timeout=10), left.empty()) == (1001, True)


def test_what_waiting_cannot_cure_is_raised() -> None:
    """Wrong keys, say."""
    with (
        door(lambda socket: socket.send("wrong")) as (url, _),
        pytest.raises(AuthenticationError, match="not accepted"),
    ):
        asked(url)
