"""Indicators worked out with NumPy, bit for bit what Backtrader's `once` loops give.

`VECTORISED` maps a `once` method of Backtrader's to a function that does the same to whole columns. Such
a function returns False, with nothing done, where it cannot be exact (a zero divisor, which must raise as
ever; a NaN under `max`); the loop then runs. An indicator with a `once` of its own is not touched.

To add one: write the function, put it into the table, and let `tests/framework/engine/test_once.py`
compare it with the loop.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import backtrader as bt
import numpy as np
from backtrader import functions, linebuffer
from backtrader.indicators import basicops, crossover
from numpy.typing import NDArray

from framework.columns import Floats

Once = Callable[[Any, int, int], bool]

_FEW = 8
"""Below this many bars a loop is as fast."""

_BINARY: dict[Any, Callable[[Any, Any], Any]] = {
    operator.__add__: np.add, operator.__sub__: np.subtract, operator.__mul__: np.multiply,
    operator.__truediv__: np.divide, operator.__lt__: np.less, operator.__le__: np.less_equal,
    operator.__gt__: np.greater, operator.__ge__: np.greater_equal, operator.__eq__: np.equal,
    operator.__ne__: np.not_equal,
}  # fmt: skip
_UNARY: dict[Any, Callable[[Any], Any]] = {operator.__neg__: np.negative, operator.__abs__: np.abs}


def column(line: Any) -> Any:
    """Return a line's values as an array over the same memory, or the number that stands for a line."""
    if isinstance(line, linebuffer.PseudoArray):
        return line.wrapped if isinstance(line.wrapped, float | int) else None
    return np.frombuffer(line.array, dtype=np.float64) if len(line.array) else None


def _put(item: Any, start: int, end: int, values: Any) -> bool:
    np.frombuffer(item.array, dtype=np.float64)[start:end] = values
    return True


def _part(line: Any, start: int, end: int) -> Any:
    values = column(line)
    return values[start:end] if isinstance(values, np.ndarray) else values


def window_sums(values: Floats, period: int) -> Floats | None:
    """Return the correctly rounded sum of each `period` values in a row (`math.fsum`'s), or None.

    The values become integers in units of their lowest bit, split into two limbs that 64-bit integers
    add without loss; the sum of the limbs is rounded once. None where the values span too many bits.
    """
    if not np.isfinite(values).all():
        return None
    mantissa, exponent = np.frexp(values)
    lowest, highest = int(exponent.min()) - 53, int(exponent.max())
    room = 32 + min(61 - math.log2(len(values)), 52 - math.log2(period))
    if highest - lowest > room:
        lowest, highest = _bits(mantissa, exponent)
    if highest - lowest > room or not -900 < lowest < 900:
        return None
    scaled = values * 2.0**-lowest
    high = np.floor(scaled * 2.0**-32)
    low = scaled - high * 2.0**32
    sums = _windows(high.astype(np.int64), period), _windows(low.astype(np.int64), period)
    carry = sums[1] >> 32
    total = (sums[0] + carry).astype(np.float64) * 2.0**32 + (sums[1] - (carry << 32)).astype(np.float64)
    found: Floats = total * 2.0**lowest
    return found


def _bits(mantissa: Any, exponent: Any) -> tuple[int, int]:
    """Return the lowest and the highest bit that is set in any of these values."""
    whole = (mantissa * 2.0**53).astype(np.int64)
    if not whole.any():
        return 0, 0
    last = np.frexp((whole & -whole).astype(np.float64))[1]
    return int((exponent - 54 + last)[whole != 0].min()), int(exponent[whole != 0].max())


def _windows(values: NDArray[np.int64], period: int) -> NDArray[np.int64]:
    total = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(values)))
    found: NDArray[np.int64] = total[period:] - total[:-period]
    return found


def window_extremes(values: Floats, period: int, pick: np.ufunc) -> Floats | None:
    """Return the largest (or smallest) of each `period` values in a row; None with NaN or a minus zero about."""
    if np.isnan(values).any() or (np.signbit(values) & (values == 0.0)).any():
        return None
    count = len(values) - period + 1
    blocks = -(-len(values) // period)
    worst = -np.inf if pick is np.maximum else np.inf
    padded = np.full(blocks * period, worst)
    padded[: len(values)] = values
    grid = padded.reshape(blocks, period)
    until = pick.accumulate(grid, axis=1).ravel()
    since = pick.accumulate(grid[:, ::-1], axis=1)[:, ::-1].ravel()
    found: Floats = pick(since[:count], until[period - 1 : period - 1 + count])
    return found


def average(item: Any, start: int, end: int) -> bool:
    period = item.p.period
    sums = _summed(item, start, end, period)
    return sums is not None and _put(item.line, start, end, sums / period)


def _summed(item: Any, start: int, end: int, period: int) -> Floats | None:
    if start < period - 1:
        return None
    values = column(item.data)
    return None if values is None else window_sums(values[start - period + 1 : end], period)


def operation_n(item: Any, start: int, end: int) -> bool:
    period, func = item.p.period, getattr(type(item), "func", None)
    if start < period - 1 or "func" in vars(item):
        return False
    values = column(item.data)
    if values is None:
        return False
    window = values[start - period + 1 : end]
    if func is math.fsum:
        found = window_sums(window, period)
    elif func in (max, min):
        found = window_extremes(window, period, np.maximum if func is max else np.minimum)
    else:
        return False
    return found is not None and _put(item.line, start, end, found)


def smoothing(item: Any, start: int, end: int) -> bool:
    values, kept = column(item.data), column(item.line)
    if values is None:
        return False
    rest, share, last = item.alpha1, item.alpha, float(kept[start - 1])
    if not isinstance(rest, float) or not isinstance(share, float):
        return False
    kept[start:end] = [last := last * rest + value for value in (values[start:end] * share).tolist()]
    return True


def two_lines(item: Any, start: int, end: int) -> bool:
    operate = _BINARY.get(item.operation)
    if operate is None or item.btime:
        return False
    left, right = (_operand(each, start, end) for each in (item.a, item.b))
    if left is None or right is None or (operate is np.divide and not np.all(right)):
        return False
    with np.errstate(all="ignore"):
        return _put(item, start, end, operate(left, right))


def _operand(value: Any, start: int, end: int) -> Any:
    if isinstance(value, linebuffer.LineBuffer):
        return _part(value, start, end)
    return value if isinstance(value, float | int) and abs(value) < 2**53 else None


def one_line(item: Any, start: int, end: int) -> bool:
    operate = _UNARY.get(item.operation)
    values = None if operate is None else _part(item.a, start, end)
    return operate is not None and values is not None and _put(item, start, end, operate(values))


def delay(item: Any, start: int, end: int) -> bool:
    if isinstance(item.a, linebuffer.PseudoArray):
        value = column(item.a)
        return value is not None and _put(item, start, end, value)
    if start + item.ago < 0:
        return False
    values = _part(item.a, start + item.ago, end + item.ago)
    return values is not None and _put(item, start, end, values)


def non_zero(item: Any, start: int, end: int) -> bool:
    left, right = column(item.data0), column(item.data1)
    if (
        left is None
        or right is None
        or not np.isfinite(left[start:end]).all()
        or not np.isfinite(right[start:end]).all()
    ):
        return False
    kept = column(item.line)
    found = np.concatenate((kept[start - 1 : start], left[start:end] - right[start:end]))
    places = np.maximum.accumulate(np.where(found != 0.0, np.arange(len(found)), 0))
    kept[start:end] = found[places[1:]]
    return True


def logic(item: Any, start: int, end: int) -> bool:
    columns = [_part(each, start, end) for each in item.args]
    if len(columns) < 2 or any(each is None for each in columns):
        return False
    kind = type(item)
    if kind in (bt.And, bt.Or):
        if item.flogic.keywords:
            return False
        join = np.logical_and if kind is bt.And else np.logical_or
        return _put(item, start, end, functools.reduce(join, [np.not_equal(each, 0.0) for each in columns]))
    if kind in (bt.Max, bt.Min):
        better = np.greater if kind is bt.Max else np.less
        pick = functools.reduce(lambda best, each: np.where(better(each, best), each, best), columns)
        return _put(item, start, end, pick)
    return False


def choice(item: Any, start: int, end: int) -> bool:
    columns = [_part(each, start, end) for each in (item.cond, item.a, item.b)]
    if any(each is None for each in columns):
        return False
    cond, one, other = columns
    return _put(item, start, end, np.where(np.not_equal(cond, 0.0), one, other))


VECTORISED: dict[Any, Once] = {
    basicops.Average.once: average,
    basicops.OperationN.once: operation_n,
    basicops.ExponentialSmoothing.once: smoothing,
    linebuffer.LinesOperation.once: two_lines,
    linebuffer.LineOwnOperation.once: one_line,
    linebuffer._LineDelay.once: delay,
    crossover.NonZeroDifference.once: non_zero,
    functions.MultiLogic.once: logic,
    functions.If.once: choice,
}


def worked_out(strategy: Any) -> None:
    """Work out a strategy's indicators for all bars: stock's `_once`, with the loops above in place."""
    with faster(strategy):
        strategy._once()


@contextmanager
def faster(strategy: Any) -> Iterator[None]:
    """Give every indicator and line under a strategy faster methods of its own for the time being."""
    given: list[tuple[Any, str]] = []

    def give(item: Any, name: str, value: Any) -> None:
        vars(item)[name] = value
        given.append((item, name))

    try:
        for item in _under(strategy, set()):
            vectorised = VECTORISED.get(getattr(type(item), "once", None))
            if vectorised is not None:
                give(item, "once", functools.partial(_once, item, vectorised))
            for line in item.lines:
                if type(line).forward is linebuffer.LineBuffer.forward and "forward" not in vars(line):
                    give(line, "forward", functools.partial(_forward, line))
        yield
    finally:
        for item, name in given:
            del vars(item)[name]


def _once(item: Any, vectorised: Once, start: int, end: int) -> None:
    if end - start < _FEW or not vectorised(item, start, end):
        type(item).once(item, start, end)


def _forward(line: Any, value: float = linebuffer.NAN, size: int = 1) -> None:
    line.idx += size
    line.lencount += size
    line.array.extend(line.array.__class__("d", (value,)) * size)


def _under(owner: Any, seen: set[int]) -> Iterator[Any]:
    """Yield a strategy and all that is worked out under it, each once."""
    if id(owner) in seen:
        return
    seen.add(id(owner))
    yield owner
    for kind in getattr(owner, "_lineiterators", {}).values():
        for each in list(kind):
            yield from _under(each, seen)
