"""A parent that has loaded everything and forks a child for each session: `python crash_child.py`.

It reads one JSON object a line: what to play, and at which crossing of a numbered point the child is to be killed
(0: at none). It answers with one a line: how the child ended. What the child leaves is in the session's folder.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from drills.drill_stage import CASH, SESSION, quick, quick_http  # noqa: E402
from drills.drill_strategies import Hungry  # noqa: E402

from brokers.alpaca.hours import REGULAR  # noqa: E402
from framework.engine.live_broker import LiveBroker  # noqa: E402
from framework.ground import Rig  # noqa: E402
from framework.live import heard  # noqa: E402
from framework.live.bridge import Bridge  # noqa: E402
from framework.live.hub import Hub  # noqa: E402
from framework.live.journal import SqliteJournal  # noqa: E402
from framework.live.records import Records  # noqa: E402
from framework.live.settings import Live  # noqa: E402
from framework.live.transport import AioHttp  # noqa: E402
from framework.stage import Piece  # noqa: E402
from framework.trade import trade  # noqa: E402


class Points:
    """Counts the crossings of all points, in all threads, and kills this process at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.count, self.kill_at = 0, kill_at
        self._lock = threading.Lock()

    def cross(self) -> None:
        with self._lock:
            self.count += 1
            if self.count == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: type[Any], name: str) -> None:
        """Make the time before and the time after a method points."""
        usual: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(usual)
        def crossed(*args: Any, **kwargs: Any) -> Any:
            self.cross()
            done = usual(*args, **kwargs)
            self.cross()
            return done

        setattr(owner, name, crossed)

    def around_request(self) -> None:
        """Make points of the time before a request for an order leaves, and of the time after its answer has come."""
        usual = AioHttp._once

        async def crossed(http: AioHttp, request: Any, *args: Any) -> Any:
            is_order = request.method != "GET" and "/v2/" in request.url
            if is_order:
                self.cross()
            answer = await usual(http, request, *args)
            if is_order:
                self.cross()
            return answer

        AioHttp._once = crossed  # type: ignore[method-assign]

    def set_all(self) -> Points:
        self.around(Records, "commit")
        self.around(SqliteJournal, "append_many")
        self.around(Hub, "emit")
        self.around(LiveBroker, "take")
        self.around(Bridge, "post")
        self.around_request()
        return self


def play(asked: dict[str, Any]) -> None:
    """Play one session, and write down what it ends with."""
    folder = Path(asked["folder"])
    os.environ["SWITCHBACK_SESSIONS"] = str(folder)
    heard.PATIENCE = 0.3
    points = Points(asked["kill_at"]).set_all()
    source, venue = quick(asked["url"], asked["key"], asked["secret"], asked["symbols"])
    params = {"seed": asked["seed"], "until": datetime.fromisoformat(asked["until"]), "appetite": 0.6}
    piece = Piece(Hungry, params, venue, CASH, 0.0, 0.0, None, (), None, True)
    live = Live(session=SESSION, durable="OFF")
    result = trade(piece, [source], venue, (), 0, lambda kinds: [1 for _ in kinds], live, Rig(http=quick_http))
    (folder / "end.json").write_text(json.dumps({**left(result), "points": points.count}))


def left(result: Any) -> dict[str, Any]:
    broker, datas = result.strategy.broker, result.strategy.datas
    return {
        "notes": result.notes,
        "start": result.cash,
        "cash": broker.getcash(),
        "positions": {data._name: broker.getposition(data).size for data in datas},
        "open": list(broker.open_ids),
        "bars": {symbol: [str(end) for end in bars.end] for symbol, bars in result.bars.items()},
        "words": [story.word for story in result.strategy.stories.values()],
    }


def forked(asked: dict[str, Any]) -> dict[str, Any]:
    """Let a child play; return its exit code, negative for the signal that ended it."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return {"code": os.waitstatus_to_exitcode(status)}
    try:
        with (Path(asked["folder"]) / "child.log").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            play(asked)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def asked_for() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


if __name__ == "__main__":
    REGULAR.sessions  # noqa: B018 - it is slow to load, and every child has it then
    for each in asked_for():
        sys.stdout.write(json.dumps(forked(each)) + "\n")
        sys.stdout.flush()
