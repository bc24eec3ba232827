"""`switchback doctor`: what a live start needs, yes or no per line, and for each no what to do."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from brokers import AlpacaVenue
    from feeds import AlpacaBars, AlphaHubSignals
    from framework.live.checkup import Answer, Check, Finding
    from framework.live.killswitch import Pulled
    from framework.live.limits import Limits

USAGE = "switchback doctor [STRATEGY] [--symbols A,B]\n         [--paper | --real | --sandbox URL] [options]"

SLOWLY = 120.0
"""Seconds that a download of history may take."""


def add_options(parser: argparse.ArgumentParser) -> None:
    from framework.app.live import add_proxy, url
    from framework.app.options import add_history, add_params

    parser.usage = USAGE
    parser.add_argument("strategy", nargs="?", metavar="STRATEGY", help="path/to/file.py:Class: is its history there?")
    parser.add_argument("--symbols", metavar="A,B", help="what is to be traded, such as AAPL,TSLA")
    where = parser.add_argument_group("where").add_mutually_exclusive_group()
    where.add_argument("--paper", action="store_true", help="Alpaca's paper account: the default")
    where.add_argument("--real", action="store_true", help="the account with real money")
    where.add_argument("--sandbox", type=url, metavar="URL", help="a sandbox that runs")
    start = parser.add_argument_group("the start that is looked at")
    start.add_argument("--feed", default="iex", help="iex (free, the default), sip, or test")
    start.add_argument("--session", metavar="NAME", help="its name: is its journal whole, free, and this account's?")
    add_proxy(start)
    add_history(start)
    add_params(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def main(options: argparse.Namespace) -> int:
    from framework.live.checkup import examined

    show = _as_json if options.json else _shown()
    findings = []
    for finding in examined(_asked(options)):
        findings.append(finding)
        show(finding)
    if not options.json:
        print(f"\n{_summary(findings)}")
    return _code(_refusals(findings))


def examined_first(start: Start, *, is_quiet: bool = False) -> int:
    """Return 0 where a session may start, else its exit code: 1 where all that is against it may pass, or 2.

    On standard error it says what is against it, or else that nothing is.

    Only what disturbs nobody is looked at. A second connection to a stream, closed a moment before the session opens
    its own, could still have the one place that there is: the streams are left to `switchback doctor`.
    """
    from framework.live.checkup import Verdict, examined

    findings = list(examined(each for each in checks(start) if not each.disturbs))
    for each in findings:
        if each.verdict in (Verdict.NO, Verdict.WARNING):
            print(f"doctor: {each.verdict.value}: {each.line}", file=sys.stderr, flush=True)
    refusals = _refusals(findings)
    if not refusals and not is_quiet:
        passed = sum(each.verdict is not Verdict.SKIPPED for each in findings)
        print(f"doctor: {passed} checks passed", file=sys.stderr, flush=True)
    return _code(refusals)


def _code(refusals: Iterable[Finding]) -> int:
    """Return the exit code: a service that is started again need not give up for an outage."""
    from framework.app.main import EXIT_FAILED, EXIT_WRONG_INPUT

    found = list(refusals)
    if not found:
        return 0
    return EXIT_FAILED if all(each.may_pass for each in found) else EXIT_WRONG_INPUT


@dataclass(frozen=True, slots=True)
class Start:
    """The start that is looked at. `sandbox` is a sandbox's URL, or empty; without symbols there is no `source`."""

    venue: AlpacaVenue
    source: AlpacaBars | None
    sandbox: str
    session: str | None
    limits: Limits
    signals: tuple[AlphaHubSignals, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.source.symbols if self.source else ()

    def now(self) -> datetime:
        """Return venue time; raise `ConfigError` where a sandbox does not answer."""
        from framework.ground import told_clock

        return told_clock(self.sandbox).now()


def checks(start: Start) -> tuple[Check, ...]:
    """Return the checks of a start, in the order in which they are told: what others need comes first."""
    from brokers.alpaca.checkup import AccountCheckup
    from framework.config import sessions_folder
    from framework.live import machine
    from framework.live.checkup import Check
    from framework.live.journal_check import journal
    from framework.live.killswitch import all_pulled

    folder = sessions_folder()
    account = AccountCheckup(start.venue, start.symbols, start.now, is_own_time=bool(start.sandbox))
    sandbox = (Check("sandbox", lambda: _answers(start)),) if start.sandbox else ()
    return (
        *machine.checks(folder),
        Check("limits", lambda: limits_told(start.limits)),
        Check("kill switch", lambda: halts_told(all_pulled(folder), start.session)),
        *sandbox,
        *account.checks(),
        *_of_source(start),
        *_of_signals(start),
        Check("journal", lambda: journal(folder, start.session, account.number), needs=("disk",), seconds=60.0),
        account.stream(),
    )


def _of_signals(start: Start) -> tuple[Check, ...]:
    from feeds.alphahub.checkup import account

    return tuple(account(each) for each in start.signals)


def _of_source(start: Start) -> tuple[Check, ...]:
    from feeds.alpaca.checkup import proxied, recent, stream

    if start.source is None:
        return ()
    return (*proxied(start.source), recent(start.source, start.now), stream(start.source))


def _answers(start: Start) -> Answer:
    from framework.live.checkup import yes

    start.now()
    return yes(f"{start.sandbox} answers")


def halts_told(pulled: Iterable[Pulled], session: str | None) -> Answer:
    """Say whether the session would begin halted: it may, and opens no position then."""
    from framework.live.checkup import warning, yes

    ours = [each for each in pulled if each.session in ("", session)]
    if not ours:
        return yes("not pulled")
    told = "; ".join(f"{each.session or 'every session'} is {each}" for each in ours)
    return warning(told, f"no position is opened until: switchback resume {ours[0].session}".rstrip())


def limits_told(limits: Limits) -> Answer:
    """Say which limits are set."""
    from dataclasses import fields

    from framework.live.checkup import yes

    given = {each.name: value for each in fields(limits) if (value := getattr(limits, each.name)) is not None}
    told = ", ".join(f"{name} {value}" for name, value in given.items() if name != "stale")
    return yes(told or f"none are given, but that no position is opened on prices older than {limits.stale:g} s")


# -- the command


def _asked(options: argparse.Namespace) -> tuple[Check, ...]:
    """Return the checks that the options ask for; raise `ConfigError` for options that cannot be."""
    from brokers import AlpacaVenue
    from feeds import AlpacaBars
    from framework.app.options import listed
    from framework.errors import ConfigError
    from framework.live.limits import Limits
    from framework.wire import is_on_this_machine

    url, symbols = options.sandbox, listed(options.symbols)
    if url and not is_on_this_machine(url):
        raise ConfigError(f"--sandbox {url} is not on this machine, where sandboxes are; leave it out")
    source = AlpacaBars(symbols, feed=options.feed, base_url=url, proxy=options.proxy) if symbols else None
    venue = AlpacaVenue(paper=not options.real, base_url=url, proxy=options.proxy)
    start = Start(venue, source, url or "", options.session, Limits())
    return (*checks(start), *_of_strategy(start, options))


def _of_strategy(start: Start, options: argparse.Namespace) -> tuple[Check, ...]:
    """Return the checks of a strategy: that it is there, and that its history is."""
    from functools import cache

    from framework.live.checkup import Check, skipped, yes

    if options.strategy is None:
        return (Check("history", lambda: skipped("no STRATEGY was named"), disturbs=True),)
    loaded = cache(lambda: _loaded(options))

    def history() -> Answer:
        return _history(start, options, *loaded()) if start.source else skipped("give --symbols AAPL,TSLA")

    return (
        Check("strategy", lambda: yes(_named(*loaded()))),
        Check("history", history, needs=("strategy", "data", "keys", "sandbox"), seconds=SLOWLY, disturbs=True),
    )


def _loaded(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    from framework.app import naming
    from framework.app.options import params
    from framework.parameters import checked

    strategy = naming.strategy(options.strategy)
    return strategy, checked(strategy, params(options, strategy), {}, {})


def _named(strategy: Any, params: dict[str, Any]) -> str:
    return str(strategy.__name__) + "".join(f", {name}={value}" for name, value in params.items())


def _history(start: Start, options: argparse.Namespace, strategy: Any, params: dict[str, Any]) -> Answer:
    from framework.app.options import listed
    from framework.engine.probe import minimum_periods
    from framework.live.depth import depth
    from framework.model import Timeframe

    assert start.source is not None
    longer = [Timeframe.parse(each) for each in listed(options.resample)]
    warmup: int | Literal["auto"] = "auto" if options.warmup is None else int(options.warmup)
    return depth(start.source, start.now(), longer, warmup, lambda kinds: minimum_periods(strategy, params, kinds))


# -- how it is told


def _refusals(findings: Iterable[Finding]) -> list[Finding]:
    from framework.live.checkup import Verdict

    return [each for each in findings if each.verdict is Verdict.NO]


def _summary(findings: Iterable[Finding]) -> str:
    from collections import Counter

    from framework.live.checkup import Verdict

    counts = Counter(each.verdict for each in findings)
    told = ", ".join(f"{counts[each]} {each.value}" for each in Verdict if counts[each])
    return f"{told}: {'not fit to start' if counts[Verdict.NO] else 'fit to start'}"


def _as_json(finding: Finding) -> None:
    row = {"name": finding.name, "verdict": finding.verdict.value, "text": finding.text, "remedy": finding.remedy}
    print(json.dumps(row, ensure_ascii=False), flush=True)


def _shown() -> Callable[[Finding], None]:
    """Return what shows a finding: in colours and wrapped in a terminal, else a line for each."""
    from rich.console import Console

    console = Console(highlight=False)
    return lambda finding: _in_terminal(console, finding) if console.is_terminal else _as_line(finding)


def _as_line(finding: Finding) -> None:
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    print(f"{finding.verdict.value:<8} {finding.name:<12} {finding.text}{remedy}", flush=True)


_STYLES = {"yes": "green", "warning": "yellow", "no": "bold red", "skipped": "dim"}


def _in_terminal(console: Console, finding: Finding) -> None:
    from rich.table import Table
    from rich.text import Text

    verdict = finding.verdict.value
    said = Text(finding.text, "dim" if verdict == "skipped" else "")
    if finding.remedy:
        said.append(f"\n> {finding.remedy}", "bold")
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=8)
    row.add_column(width=12)
    row.add_column(overflow="fold")
    row.add_row(Text(verdict, _STYLES[verdict]), finding.name, said)
    console.print(row)
