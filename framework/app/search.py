"""`switchback search my.py:MyStrategy -s fast=5:105 -s size=0.1..2.0 --trials 200 --where "fast<slow"`."""

from __future__ import annotations

import argparse
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework.errors import ConfigError, nearest

if TYPE_CHECKING:
    import backtrader as bt

    from framework.research.searched import Search


def add_options(parser: argparse.ArgumentParser) -> None:
    from framework.app import many, sweep

    many.add_strategy(parser)
    search = parser.add_argument_group("search")
    search.add_argument(
        "-s", dest="space", metavar="NAME=WHAT", action="append", default=[], required=True,
        help="what a parameter may be: 5:105:5 (from 5, below 105, in steps of 5), 0.1..2.0 (any number between), "
        "1..1000:log (by orders of magnitude) or a,b,c (one of these); may be repeated",
    )  # fmt: skip
    search.add_argument("--trials", type=int, default=100, metavar="N", help="how many to try; default: 100")
    search.add_argument(
        "--objective", default="sharpe", metavar="FIGURE[:smallest],...", help="what is to be great; default: sharpe"
    )
    search.add_argument(
        "--where", action="append", default=[], metavar="CONDITION",
        help="parameters that may be run at all, such as 'fast<slow'; may be repeated",
    )  # fmt: skip
    search.add_argument(
        "--constraint", action="append", default=[], metavar="CONDITION",
        help="runs that may be the best, such as 'max_drawdown>-0.2'; may be repeated",
    )  # fmt: skip
    search.add_argument("--search-seed", type=int, default=0, metavar="N", help="another one is another search")
    search.add_argument(
        "--batch", type=int, default=8, metavar="N", help="trials proposed together: the most workers; default: 8"
    )
    many.add_workers(search)
    sweep.add_out(parser.add_argument_group("what to show and to write"))
    many.add_run(parser)


def main(options: argparse.Namespace) -> None:
    from framework.app import many, naming, show
    from framework.page import checked
    from framework.research.outcome import KEYS
    from framework.research.searching import search

    for path in (options.csv, options.plot):
        if path:
            checked(path)
    strategy = naming.strategy(options.strategy)
    space, defaults = space_of(options, strategy), dict(strategy.params._getitems())
    allowed = [condition(each, "--where", list(defaults)) for each in options.where]
    constraints = [condition(each, "--constraint", [*KEYS, "fills", *space]) for each in options.constraint]
    with many.asked(options, strategy) as how:
        found = search(
            strategy,
            space=space,
            trials=options.trials,
            objective=objective_of(options.objective),
            where=lambda params: all(each({**defaults, **how["params"], **params}) for each in allowed),
            constraints=constraints,
            seed=options.search_seed,
            batch=options.batch,
            **how,
        )
    show.written(_write(found, options))
    show.search(found, options.top)


def space_of(options: argparse.Namespace, strategy: type[bt.Strategy]) -> dict[str, Any]:
    """Return what `-s` asks for: each value read as the parameter's default is."""
    from framework.app.many import named

    defaults = dict(strategy.params._getitems())
    told = named("-s", options.space, "NAME=WHAT, such as period=5:105 or size=0.1..2.0", "give it once")
    return {name: _dimension(option, what, defaults.get(name)) for option, name, what in told}


_BETWEEN = re.compile(r"\s*(-?[\d.]+?(?:e-?\d+)?)\s*\.\.\s*(-?[\d.]+(?:e-?\d+)?)\s*(:log)?\s*", re.IGNORECASE)


def _dimension(option: str, what: str, default: Any) -> Any:
    from framework.app.options import listed, read
    from framework.app.sweep import values

    if isinstance(default, str):
        return listed(what)
    if found := _BETWEEN.fullmatch(what):
        low, high = (read(each, 1 if default is None else default, option) for each in found.group(1, 2))
        ends = (float(low), float(high)) if isinstance(default, float) else (low, high)
        return (*ends, "log") if found[3] else ends
    given = values(option, what, default)
    return range(given[0], given[-1] + 1, given[1] - given[0]) if _is_range(what, given) else given


def _is_range(what: str, given: Sequence[Any]) -> bool:
    return ":" in what and len(given) > 1 and isinstance(given[0], int) and given[1] > given[0]


def objective_of(text: str) -> dict[str, str]:
    """Return the figures that are asked for, and their directions."""
    from framework.app.options import listed

    pairs = [each.partition(":") for each in listed(text)]
    return {name.strip(): direction.strip() or "greatest" for name, _, direction in pairs}


_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt,
}  # fmt: skip


def condition(text: str, option: str, names: Sequence[str]) -> Callable[[Mapping[str, Any]], bool]:
    """Return a comparison of a name with a number or another name: "fast<slow", "max_drawdown > -0.2"."""
    found = re.fullmatch(r"\s*(\w+)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*", text)
    if not found:
        raise ConfigError(f"{option} {text!r}: compare a name with a number or another name, such as 'fast<slow'")
    compared = _COMPARED[found[2]]
    left, right = _term(found[1], text, option, names), _term(found[3], text, option, names)
    return lambda given: bool(compared(left(given), right(given)))


def _term(word: str, text: str, option: str, names: Sequence[str]) -> Callable[[Mapping[str, Any]], Any]:
    if word in names:
        return lambda given: given[word]
    try:
        number = float(word)
    except ValueError:
        hint = nearest(word, names) or f"; there is {', '.join(names[:5])}"
        raise ConfigError(f"{option} {text!r}: {word} is no number and no name{hint}") from None
    return lambda _: number


def _write(found: Search, options: argparse.Namespace) -> list[Path]:
    written = []
    if options.csv:
        found.table.to_csv(options.csv, index=False)
        written.append(Path(options.csv))
    if options.plot:
        found.plot().savefig(options.plot)
        written.append(Path(options.plot))
    return written
