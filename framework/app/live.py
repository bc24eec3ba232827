"""`switchback live my.py:MyStrategy --symbols AAPL,TSLA`: the backtest's strategy, on a venue."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from framework.app import telling

if TYPE_CHECKING:
    from framework.app.doctor import Start
    from framework.live.settings import Live
    from framework.live.status import Status
    from framework.ports import Source
    from framework.result import Result

USAGE = "switchback live STRATEGY --symbols A,B\n         [--paper | --real | --sandbox [URL]] [options]"
OWN = True
"""What `--sandbox` is without a URL: one that is started for the run."""


def add_options(parser: argparse.ArgumentParser) -> None:
    from framework.app import following
    from framework.app.options import add_params, add_pieces

    parser.usage = USAGE
    parser.add_argument("strategy", metavar="STRATEGY", help="path/to/file.py:Class, or module:Class")
    parser.add_argument("--symbols", metavar="A,B", help="what is traded, such as AAPL,TSLA")
    where = parser.add_argument_group("where").add_mutually_exclusive_group()
    where.add_argument("--paper", action="store_true", help="Alpaca's paper account: the default")
    where.add_argument("--real", action="store_true", help="real money; asks for the account's number")
    where.add_argument(
        "--sandbox", nargs="?", const=OWN, type=url, metavar="URL",
        help="a sandbox: one that runs, or without URL one started for the run",
    )  # fmt: skip
    venue = parser.add_argument_group("Alpaca (keys: APCA_API_KEY_ID and APCA_API_SECRET_KEY, or the credentials file)")
    venue.add_argument("--feed", default="iex", help="iex (free, the default), sip, or test")
    add_proxy(venue)
    venue.add_argument("--yes-real-money", metavar="ACCOUNT", help="the account's number, where nobody can be asked")
    _add_tape(parser)
    following.add_options(parser, has_past=False)
    run = add_pieces(parser)
    run.add_argument("--session", metavar="NAME", help="goes on under this name after a stop or a crash")
    run.add_argument("--adopt", metavar="A,B", help="take over what the account holds of these")
    run.add_argument("--until", choices=("close",), help="end with the trading day; default: run until stopped")
    run.add_argument("--grace", type=float, metavar="S", help="seconds to wait for a minute's other bars; 0.25")
    run.add_argument(
        "--limit", dest="limits", metavar="NAME=VALUE", action="append", default=[],
        help="what it may not go beyond, such as order_value=5000 or symbols=AAPL,TSLA; may be repeated",
    )  # fmt: skip
    add_params(parser)
    telling.add_options(parser)


def add_proxy(group: Any) -> None:
    group.add_argument(
        "--proxy", metavar="URL", help="a switchback proxy that streams come through; default: SWITCHBACK_PROXY"
    )


def _add_tape(parser: argparse.ArgumentParser) -> None:
    tape = parser.add_argument_group("a sandbox started for the run")
    tape.add_argument("--bars", metavar="FILE", help="plays these bars; without it, sample bars")
    tape.add_argument("--day", metavar="DAY", help="first day that is played; of sample bars the only one")
    tape.add_argument("--seed", type=int, default=0, help="of the sample bars")
    tape.add_argument("--speed", type=float, metavar="N", help="60 is a minute a second; default: lock-step")


def main(options: argparse.Namespace) -> int:
    from framework.app import doctor, naming, show
    from framework.app.lines import heard, lines
    from framework.app.main import EXIT_NOT_FLAT
    from framework.app.options import params, pieces

    _check(options)
    strategy = naming.strategy(options.strategy)
    with _side(options) as side, _endable():
        start = _start(side, options)
        with heard(lines(is_quiet=options.quiet, is_verbose=options.verbose), is_verbose=options.verbose):
            if code := doctor.examined_first(start, is_quiet=options.quiet):
                return code
        with telling.told(options, is_lockstep=side.is_lockstep) as watch:
            how = {**pieces(options), "params": params(options, strategy), "live": _live(options, watch)}
            result = _run(strategy, start, how)
    show.result(result)
    _tell(result)
    return EXIT_NOT_FLAT if result.not_flat else 0


def _start(side: Side, options: argparse.Namespace) -> Start:
    from brokers import AlpacaVenue
    from feeds import AlpacaBars
    from framework.app import following
    from framework.app.doctor import Start

    source = AlpacaBars(side.symbols, feed=options.feed, **side.access)
    venue = AlpacaVenue(paper=not options.real, **side.access)
    signals = following.live(options, side.base_url)
    return Start(venue, source, side.base_url or "", options.session, _live(options).limits, signals)


def _run(strategy: Any, start: Start, how: dict[str, Any]) -> Result:
    from framework.runner import run

    assert start.source is not None
    return run(strategy, source=[start.source, *start.signals], venue=start.venue, background=False, **how)


@dataclass(frozen=True, slots=True)
class Side:
    """What is traded, and how both adapters reach it: None is Alpaca's own hosts, and the user's own keys.

    `is_lockstep` is for a sandbox whose clock stands still between instants: it takes seconds.
    """

    symbols: tuple[str, ...]
    base_url: str | None = None
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    is_lockstep: bool = False
    proxy: str | bool | None = None

    @property
    def access(self) -> Access:
        return {"base_url": self.base_url, "key": self.key, "secret": self.secret, "proxy": self.proxy}


class Access(TypedDict):
    base_url: str | None
    key: str | None
    secret: str | None
    proxy: str | bool | None


@contextmanager
def _side(options: argparse.Namespace) -> Iterator[Side]:
    """Give the other side; a sandbox of its own lives as long as the block."""
    from framework.app.options import listed
    from framework.ground import told_clock

    symbols = tuple(listed(options.symbols))
    if options.sandbox is OWN:
        from framework.app import following
        from framework.app.sandbox import Sandbox

        played = _played(options, symbols)
        signals = following.publications(options, played)
        with Sandbox(played, speed=options.speed, signals=signals) as sandbox:
            named = tuple(each for source in played for each in source.symbols)
            yield Side(named, **sandbox.access, is_lockstep=options.speed is None, proxy=False)
        return
    is_lockstep = False
    if options.sandbox:
        # What is not there is said before anything else is asked.
        is_lockstep = getattr(told_clock(options.sandbox), "speed", 1.0) is None
    yield Side(symbols, options.sandbox, is_lockstep=is_lockstep, proxy=options.proxy)


def _played(options: argparse.Namespace, symbols: tuple[str, ...]) -> list[Source]:
    from framework.app.sandbox import DAY, SYMBOLS, sample

    if options.bars:
        from feeds import FileBars

        return [FileBars(options.bars, symbols or None, start=options.day)]
    return sample(symbols or SYMBOLS, options.day or DAY, options.seed)


def _live(options: argparse.Namespace, watch: Callable[[Status], None] | None = None) -> Live:
    from framework.app.options import listed
    from framework.live.limits import Limits
    from framework.live.settings import Live

    grace = {} if options.grace is None else {"grace": options.grace}
    return Live(
        session=options.session, adopt=tuple(listed(options.adopt)), real_money=options.yes_real_money,
        until=options.until, trade_log=options.trade_log, watch=watch, limits=Limits.parse(options.limits), **grace,
    )  # fmt: skip


def _check(options: argparse.Namespace) -> None:
    """Raise `ConfigError` where options do not go together; ask for the account's number where it is real money."""
    from framework.app import following
    from framework.errors import ConfigError
    from framework.live.limits import Limits
    from framework.wire import is_on_this_machine

    Limits.parse(options.limits)
    following.check(options)
    if options.sandbox is OWN and options.proxy:
        raise ConfigError("--proxy has a stream that is there already; name its sandbox: --sandbox URL")
    if options.sandbox is not OWN:
        for name in ("bars", "day", "speed"):
            if getattr(options, name) is not None:
                raise ConfigError(f"--{name} is for a sandbox that is started for the run; add --sandbox")
        if not options.symbols:
            raise ConfigError("a session needs to know what to trade; give --symbols AAPL,TSLA")
    if isinstance(options.sandbox, str) and not is_on_this_machine(options.sandbox):
        raise ConfigError(f"--sandbox {options.sandbox} is not on this machine, where sandboxes are; leave it out")
    check_real(options)


def check_real(options: argparse.Namespace) -> None:
    """Ask for the account's number where it is real money, and it was not given; raise `ConfigError`."""
    from framework.errors import ConfigError

    if options.yes_real_money and not options.real:
        raise ConfigError("--yes-real-money goes with --real; without it nothing real is traded")
    if options.real and not options.yes_real_money:
        options.yes_real_money = _asked()


def _asked() -> str:
    from framework.errors import ConfigError

    if sys.stdin.isatty():
        typed = input("This trades real money. Type the number of the account to trade: ").strip()
        if typed:
            return typed
    raise ConfigError("--real trades real money and needs the account's number: --yes-real-money ACCOUNT")


def url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text} is no URL such as http://127.0.0.1:8000; put STRATEGY first")
    return text


@contextmanager
def _endable() -> Iterator[None]:
    """Let SIGTERM, which a service is stopped with, be what Ctrl-C is: the session ends in order."""
    import signal

    before = signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(result: Result) -> None:
    from framework.config import sessions_folder

    for text in result.not_flat:
        print(f"\n{text}")
    print(f"\nSession {result.session}")
    print(f"  journal    {sessions_folder() / result.session}.sqlite")
    print(f"  look at it switchback journal {result.session}")
