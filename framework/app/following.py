"""`--signals 14,16 --signals-tz UTC`: the algorithms of AlphaHub that a run follows, beside its bars."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from framework.app.options import listed
from framework.errors import ConfigError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feeds import AlphaHubSignals
    from feeds.alphahub.sandbox_signals import Publication
    from framework.ports import SignalSource, Source

SAMPLE = "sample"


def add_options(parser: argparse.ArgumentParser, *, has_past: bool) -> None:
    """Add the options; those of a backtest say where the signals of the past are."""
    account = "ALPHAHUB_EMAIL and ALPHAHUB_PASSWORD, or the credentials file"
    group = parser.add_argument_group(f"AlphaHub's signals ({account})")
    also = f", or {SAMPLE}" if has_past else ""
    group.add_argument("--signals", metavar="ID,ID", help=f"algorithms to follow, such as 16{also}")
    group.add_argument("--signals-tz", metavar="ZONE", help="zone of AlphaHub's times, which name none: UTC")
    if has_past:
        group.add_argument(
            "--signals-past", metavar="FILE", help="journal, JSON lines or CSV; default: AlphaHub's history"
        )


def check(options: argparse.Namespace) -> None:
    """Raise `ConfigError` for what cannot be or does not go together: before anything is asked of anybody."""
    algorithms = _algorithms(options)
    if algorithms == [SAMPLE]:
        _check_sample(options)
    elif algorithms:
        _check_named(algorithms, options)


def _check_sample(options: argparse.Namespace) -> None:
    if not _is_backtest(options):
        raise ConfigError(
            f"--signals {SAMPLE} is of a backtest; a sandbox that is started for the run publishes sample signals "
            "of the algorithm that is named: --sandbox --signals 16 --signals-tz UTC"
        )
    if options.signals_past:
        raise ConfigError(f"--signals {SAMPLE} are in no file; say whose --signals-past holds: --signals 16")


def _check_named(algorithms: list[str], options: argparse.Namespace) -> None:
    if _is_backtest(options) and (meant := nearest(options.signals, [SAMPLE])):
        raise ConfigError(f"--signals {options.signals} is no algorithm{meant}; give ids, such as 16, or {SAMPLE}")
    if not options.signals_tz:
        raise ConfigError(
            "AlphaHub's times bear no time zone, and none is assumed; say which they are in: --signals-tz UTC"
        )
    _of_alphahub(algorithms, options)


def _is_backtest(options: argparse.Namespace) -> bool:
    return hasattr(options, "signals_past")


def past(options: argparse.Namespace, bars: Source) -> list[SignalSource]:
    """Return what a backtest follows; raise as `check` does."""
    from feeds import SampleSignals

    check(options)
    algorithms = _algorithms(options)
    if algorithms == [SAMPLE]:
        return [SampleSignals(bars, seed=getattr(options, "seed", 0))]
    return [_of_alphahub(algorithms, options, past=options.signals_past)] if algorithms else []


def live(options: argparse.Namespace, base_url: str | None) -> tuple[AlphaHubSignals, ...]:
    """Return what a session follows; `base_url` is a sandbox's."""
    from feeds.alphahub.sandbox import ANYONE

    algorithms = _algorithms(options)
    access = {} if base_url is None else {"base_url": base_url, **ANYONE}
    return (_of_alphahub(algorithms, options, **access),) if algorithms else ()


def publications(options: argparse.Namespace, bars: Sequence[Source]) -> list[Publication]:
    """Return what a sandbox that is started for the run publishes: sample signals of each algorithm."""
    from feeds import SampleSignals

    return [
        each
        for algorithm in _algorithms(options)
        for source in bars
        for each in SampleSignals(source, algorithm, seed=options.seed).publications()
    ]


def _algorithms(options: argparse.Namespace) -> list[str]:
    for name in ("signals_tz", "signals_past"):
        if not options.signals and getattr(options, name, None):
            option = "--" + name.replace("_", "-")
            raise ConfigError(f"{option} is of signals; say whose: --signals 16")
    return listed(options.signals)


def _of_alphahub(algorithms: list[str], options: argparse.Namespace, **where: Any) -> AlphaHubSignals:
    from feeds import AlphaHubSignals

    return AlphaHubSignals(algorithms, tz=options.signals_tz, **where)
