"""`switchback signals 14 16 --tz UTC`: print what AlphaHub's algorithms publish, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING, Any

from framework.errors import ConfigError

if TYPE_CHECKING:
    from framework.model import Link, Remark


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("algorithms", nargs="*", metavar="ID", help="of algorithms; default: 14 16 17 18")
    parser.add_argument("--tz", metavar="ZONE", help="zone of AlphaHub's times, which name none: UTC, America/New_York")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, for a backtest to read")
    parser.add_argument(
        "--journal", metavar="FILE", help="remember here what was printed, so that a restart misses nothing"
    )
    where = parser.add_argument_group("where").add_mutually_exclusive_group()
    where.add_argument("--base-url", metavar="URL", help="another host that speaks AlphaHub's dialect")
    where.add_argument("--sandbox", metavar="URL", help="a sandbox that runs, with its own e-mail and password")
    watch = parser.add_argument_group("what is expected")
    watch.add_argument("--alarm", metavar="HH:MM", help="say so where nothing has come by then")
    watch.add_argument("--usual", metavar="HH:MM", help="when signals use to come: history is asked more often then")
    watch.add_argument("--zone", metavar="ZONE", help="whose clock is meant by these")
    more = parser.add_argument_group("how")
    more.add_argument("--connections", type=int, default=2, metavar="N", help="default: 2")
    more.add_argument("--late", type=float, default=300.0, metavar="SECONDS", help="older ones are late; default: 300")


def main(options: argparse.Namespace) -> int:
    """Print until interrupted."""
    if not options.tz:
        raise ConfigError(
            "AlphaHub's times bear no time zone, and none is assumed; say which they are in: --tz UTC, "
            "or --tz America/New_York"
        )
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    connection = _connection(options)
    running = asyncio.create_task(connection.run())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        return 0
    return 0


def _connection(options: argparse.Namespace) -> Any:
    from feeds.alphahub.connection import ALGORITHMS, AlphaHubConnection
    from feeds.alphahub.protocol import BASE_URL

    printing = _Printing(is_json=options.json)
    return AlphaHubConnection(
        *_account(options.sandbox),
        options.algorithms or ALGORITHMS,
        printing.signal,
        (options.sandbox or options.base_url or BASE_URL).rstrip("/"),
        journal=options.journal,
        received=options.json,
        tz=options.tz,
        on_late=printing.late,
        on_news=printing.news,
        connections=options.connections,
        late=options.late,
        usual=options.usual,
        alarm=options.alarm,
        zone=options.zone,
    )


def _account(sandbox: str | None) -> tuple[str | None, str | None]:
    if sandbox is None:
        return None, None
    from feeds.alphahub.sandbox import ANYONE

    return ANYONE["email"], ANYONE["password"]


class _Printing:
    """Signals on standard output, as AlphaHub's example client prints them or as JSON; the rest on standard error."""

    def __init__(self, *, is_json: bool) -> None:
        self._is_json = is_json

    def signal(self, algorithm: int, info: Any) -> None:
        self._print("SIGNAL", algorithm, info)

    def late(self, algorithm: int, info: Any, why: str) -> None:
        self._print("LATE", algorithm, info, why)

    def news(self, news: Link | Remark) -> None:
        from framework.model import Remark

        if isinstance(news, Remark):
            told = news.text
        else:
            told = f"{news.stream} is {'up' if news.is_up else 'down'}{f': {news.reason}' if news.reason else ''}"
        print(f"switchback: {told}", file=sys.stderr, flush=True)

    def _print(self, word: str, algorithm: int, info: Any, why: str = "") -> None:
        if self._is_json:
            print(json.dumps(_line(algorithm, info, why)), flush=True)
        else:
            print(word, algorithm, info, *([why] if why else []), flush=True)


def _line(algorithm: int, info: Any, why: str) -> dict[str, Any]:
    """Return a publication as `AlphaHubSignals(past=...)` reads it; what it says of itself in our words is left out."""
    ours = {"received": info["received"], "algorithm": algorithm, **({"late": why} if why else {})}
    return {**ours, **{name: value for name, value in info.items() if name not in (*ours, "late")}}
