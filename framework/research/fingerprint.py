"""What tells one thing that a run depends on from another, as text that is the same in every process.

Code is told by what was loaded (byte code, constants, defaults, and the user's own functions, classes and
constants that it names, wherever they are), not by its file, which may have changed since. A comment changes
nothing; a line of code, or another Python, does. What is installed is told by its name alone.
"""

from __future__ import annotations

import dis
import os
import pickle
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from pathlib import Path, PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from framework.columns import Columns
from framework.errors import ConfigError

_PLAIN = (type(None), bool, int, float, complex, str, bytes, date, time, timedelta, tzinfo, Decimal, PurePath, Enum)
_CODE = (FunctionType, MethodType, type, ModuleType, staticmethod, classmethod, property)
_OURS = tuple(str(Path(__file__).parents[2] / name) + os.sep for name in ("framework", "feeds", "brokers"))
"""Where our own packages are, which a user's folders of the same names are not."""
_PLACES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_IDLE = frozenset(
    {"__doc__", "__dict__", "__weakref__", "__module__", "__firstlineno__", "__static_attributes__", "__annotations__"}
    | {"__slots__", "__match_args__", "__annotate_func__", "__annotations_cache__", "__orig_bases__", "__parameters__"}
    | {"p", "plotinfo", "plotlines", "alias", "packages", "frompackages", "__abstractmethods__", "_abc_impl"}
)
"""What is in a class and is not its user's code, or not that of a run."""


def digest(*things: Any) -> str:
    """Return 32 hexadecimal digits that tell these from others; raise `ConfigError` for what cannot be told."""
    return blake2b("\n".join(map(Teller().told, things)).encode(), digest_size=16).hexdigest()


def code_digest(strategy: type) -> str:
    """Return 32 hexadecimal digits that tell a class's code, with all the user's code that it reaches."""
    return blake2b(Teller(is_code_only=True).told(strategy).encode(), digest_size=16).hexdigest()


def bars_digest(bars: Mapping[str, Columns]) -> str:
    """Return 32 hexadecimal digits that tell these bars from others."""
    found = blake2b(digest_size=16)
    for symbol, columns in bars.items():
        found.update(f"{symbol} {len(columns)}\n".encode())
        for each in fields(Columns):
            found.update(np.ascontiguousarray(getattr(columns, each.name)).view(np.uint8).data)
    return found.hexdigest()


class Teller:
    """Tells things as text. A class, a function or an object that comes back is told by its number.

    With `is_code_only` values are left out (but a strategy's parameters): a class may count its runs, and its code
    stays what it is.
    """

    def __init__(self, *, is_code_only: bool = False) -> None:
        self._is_code_only = is_code_only
        self._is_strict = True
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []
        self._around: set[int] = set()

    def told(self, thing: Any) -> str:
        """Return a thing as text; raise `ConfigError` where it cannot be told from another."""
        if isinstance(thing, _PLAIN):
            return f"{type(thing).__qualname__} {thing!r}"
        if isinstance(thing, tuple | list | set | frozenset | range | Mapping | np.ndarray | np.generic | CodeType):
            return self._value(thing)
        if id(thing) in self._numbers:
            return f"again {self._numbers[id(thing)]}"
        self._numbers[id(thing)] = len(self._numbers)
        self._kept.append(thing)  # an id is a thing's own only while it lives
        return f"{type(thing).__qualname__}({self._named(thing)})"

    def _value(self, thing: Any) -> str:
        """Tell a value, which is no other for being somewhere else in memory."""
        if id(thing) in self._around:
            return "itself"
        self._around.add(id(thing))
        try:
            return f"{type(thing).__qualname__}({self._inside(thing)})"
        finally:
            self._around.discard(id(thing))

    def _inside(self, thing: Any) -> str:
        match thing:
            case tuple() | list():
                return self._all(thing)
            case range():
                return repr(thing)
            case set() | frozenset():
                return ",".join(sorted(Teller().told(each) for each in thing))
            case Mapping():
                return ",".join(sorted(f"{self.told(name)}:{self.told(each)}" for name, each in thing.items()))
            case CodeType():
                return self._code(thing)
        return f"{thing.dtype} {thing.shape} {blake2b(np.ascontiguousarray(thing).tobytes()).hexdigest()}"

    def _named(self, thing: Any) -> str:
        match thing:
            case ModuleType():
                return thing.__name__
            case staticmethod() | classmethod() | MethodType():
                return self._all([thing.__func__, getattr(thing, "__self__", None)])
            case property():
                return self._all([thing.fget, thing.fset, thing.fdel])
            case type():
                return _name(thing) if is_installed(thing) else self._class(thing)
            case FunctionType():
                return _name(thing) if is_installed(thing) else self._function(thing)
            case BuiltinFunctionType():
                return _name(thing)
        return self._object(thing)

    def _class(self, each: type) -> str:
        own = [f"{key}={self._member(key, value)}" for key, value in sorted(vars(each).items()) if key not in _IDLE]
        return f"{_name(each)} of {self._all(each.__bases__)}: {';'.join(own)}"

    def _member(self, key: str, value: Any) -> str:
        if hasattr(value, "_getpairs"):
            return self.told(dict(value._getpairs()))
        if key == "lines" and hasattr(value, "_getlines"):
            return self.told(list(value._getlines()))
        return self._used(value)

    def _function(self, each: FunctionType) -> str:
        used = {name: each.__globals__[name] for name in sorted(_globals(each.__code__)) if name in each.__globals__}
        parts = [self.told(each.__code__), self.told(each.__defaults__), self.told(each.__kwdefaults__)]
        parts += [self._cell(cell) for cell in each.__closure__ or ()]
        parts += [f"{name}={self._used(value)}" for name, value in used.items()]
        parts += [self._used(found) for value in used.values() for found in _reached(value, each.__code__)]
        return f"{_name(each)} {' '.join(parts)}"

    def _used(self, value: Any) -> str:
        """Tell what code uses; what cannot be told there (a lock, a file) is told by its type."""
        if self._is_code_only and not isinstance(value, _CODE):
            return ""
        before, self._is_strict = self._is_strict, False
        try:
            return self.told(value)
        finally:
            self._is_strict = before

    def _cell(self, cell: Any) -> str:
        try:
            return self._used(cell.cell_contents)
        except ValueError:  # not filled yet
            return "empty"

    def _code(self, code: CodeType) -> str:
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        return f"{code.co_code.hex()} {names} {counts} {code.co_exceptiontable.hex()} {self._all(code.co_consts)}"

    def _object(self, thing: Any) -> str:
        kind = self.told(type(thing))
        params: Any = getattr(thing, "p", None)
        if hasattr(params, "_getkwargs"):
            rest = {name: each for name, each in vars(thing).items() if name not in ("p", "params")}
            return f"{kind} {self.told(dict(params._getkwargs()))} {self.told(rest)}"
        if is_dataclass(thing):
            return f"{kind} {self._all(getattr(thing, each.name) for each in fields(thing))}"
        if hasattr(thing, "__dict__") and not is_installed(type(thing)):
            return f"{kind} {self.told(vars(thing))}"
        return f"{kind} {self._pickled(thing)}"

    def _pickled(self, thing: Any) -> str:
        try:
            return blake2b(pickle.dumps(thing, protocol=5)).hexdigest()
        except Exception:
            if not self._is_strict:
                return ""
            raise ConfigError(f"{thing!r} cannot be told from another for the store; leave store out") from None

    def _all(self, things: Iterable[Any]) -> str:
        return ",".join(map(self.told, things))


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _inner(code: CodeType) -> list[CodeType]:
    return [each for each in code.co_consts if isinstance(each, CodeType)]


def _globals(code: CodeType) -> set[str]:
    """Return the names that code looks up in its module, inner functions' included."""
    own = {str(each.argval) for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*map(_globals, _inner(code)))


def _names(code: CodeType) -> set[str]:
    """Return all names in code, those of attributes too."""
    return set(code.co_names).union(*map(_names, _inner(code)))


def _reached(value: Any, code: CodeType) -> list[Any]:
    """Return what code may take from a module of the user's that it names."""
    if not isinstance(value, ModuleType) or is_installed(value):
        return []
    return [getattr(value, name) for name in sorted(_names(code)) if hasattr(value, name)]


def is_installed(thing: Any) -> bool:
    """Return whether a class, a function or a module is Python's, Switchback's or an installed library's."""
    name = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None) or ""
    root = name.partition(".")[0]
    if root in sys.stdlib_module_names and root != "__main__":
        return True
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and file.startswith((*_PLACES, *_OURS))
