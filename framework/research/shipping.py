"""A job as bytes for another process: strategies of a notebook included, and columns that are not copied.

What can be imported goes by its name. What cannot (a notebook's cell, a file that was named on the command line)
goes along as it is, with the help of cloudpickle, which does not know Backtrader's metaclasses: a class of
theirs is told as its `class` statement would be, then given its methods. Arrays are kept apart (pickle protocol
5), so that a worker reads them straight from a mapped file.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
from backtrader.metabase import MetaParams

from framework.errors import ConfigError
from framework.research.fingerprint import code_digest
from framework.research.job import Job
from framework.research.rows import one_line

_ALIGN = 64
_MADE = frozenset({"params", "p", "lines", "plotinfo", "plotlines", "linealias", "__dict__", "__weakref__", "_indcol"})
"""What the metaclasses make anew, and what no class statement holds."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A job as bytes. `digest` tells one from another."""

    code: bytes = field(compare=False, repr=False)
    arrays: Sequence[Any] = field(compare=False, repr=False)
    digest: str


def packed(job: Job) -> Packed:
    """Return a job as bytes; raise `ConfigError` where something of it cannot leave this process."""
    file, buffers = io.BytesIO(), list[pickle.PickleBuffer]()
    try:
        with _by_value(_nameless()):
            _Pickler(file, protocol=5, buffer_callback=buffers.append).dump(_marked(job))
    except Exception as error:
        raise ConfigError(
            f"{job.strategy.__name__} and what it runs with cannot be sent to a worker ({one_line(error)}); "
            "put it into a module that can be imported, or use workers=1"
        ) from error
    arrays = [each.raw().tobytes() for each in buffers]
    digest = blake2b(file.getvalue(), digest_size=16)
    for each in arrays:
        digest.update(each)
    return Packed(file.getvalue(), arrays, digest.hexdigest())


def unpacked(each: Packed) -> Job:
    """Return the job, its arrays where they are; raise `ConfigError` where its strategy is another one here."""
    job: Job = pickle.loads(each.code, buffers=each.arrays)
    if job.code and job.code != code_digest(job.strategy):
        name, module = job.strategy.__name__, job.strategy.__module__
        raise ConfigError(f"{name} is not as it was imported, {module} has changed since; import it anew")
    return job


def _marked(job: Job) -> Job:
    return replace(job, code=code_digest(job.strategy)) if is_importable(job.strategy) else job


def written(each: Packed, folder: Path) -> None:
    """Write a job into a folder: its code, its arrays one after the other, and where each of them is."""
    places, at = [], 0
    with (folder / "arrays").open("wb") as file:
        for array in each.arrays:
            places.append((at, len(array)))
            file.write(array + bytes(-len(array) % _ALIGN))
            at = file.tell()
    (folder / "job").write_bytes(pickle.dumps((each.code, places, each.digest)))


def opened(folder: Path) -> Job:
    """Return the job that was written into a folder, its arrays mapped and read only: all workers share them."""
    code, places, digest = pickle.loads((folder / "job").read_bytes())
    with (folder / "arrays").open("rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if any(n for _, n in places) else b"")
    return unpacked(Packed(code, [whole[at : at + size] for at, size in places], digest))


class _Pickler(cloudpickle.Pickler):
    """Cloudpickle, and Backtrader's classes."""

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, MetaParams) and not is_importable(thing):
            return _class, _statement(thing), _rest(thing), None, None, _dressed
        if isinstance(type(thing), MetaParams) and hasattr(thing, "p"):
            rest = {name: value for name, value in vars(thing).items() if name not in ("p", "params")}
            return _thing, (type(thing), dict(thing.p._getkwargs()), rest)
        return super().reducer_override(thing)


def is_importable(thing: Any) -> bool:
    """Return whether another process finds a class or a function under its name."""
    module = sys.modules.get(thing.__module__)
    if module is None or thing.__module__ == "__main__" or _is_nameless(module):
        return False
    found: Any = module
    for name in thing.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is thing


def _statement(each: Any) -> tuple[Any, str, tuple[type, ...], dict[str, Any]]:
    """Return what a class statement says before its body's functions."""
    lines = getattr(each, "lines", None)
    own = lines._getlines()[len(lines._getlinesbase()) :] if lines is not None else ()
    body = {"__module__": each.__module__, "__qualname__": each.__qualname__, "__doc__": each.__doc__}
    body |= {"params": _pairs(each, "params")} | ({"lines": tuple(own)} if own else {})
    told = {name: pairs for name in ("plotinfo", "linealias") if (pairs := _pairs(each, name))}
    return type(each), each.__name__, each.__bases__, body | told


def _pairs(each: Any, name: str) -> dict[str, Any]:
    found: Any = getattr(each, name, None)
    return dict(found._getpairs()) if hasattr(found, "_getpairs") else {}


def _rest(each: Any) -> dict[str, Any]:
    said = {"__module__", "__qualname__", "__doc__"} | _MADE
    return {name: value for name, value in vars(each).items() if name not in said}


def _class(kind: Any, name: str, bases: tuple[type, ...], body: Mapping[str, Any]) -> Any:
    module = body["__module__"]
    sys.modules.setdefault(module, ModuleType(module))  # Backtrader looks a class's module up by its name
    return kind(name, bases, dict(body))


def _dressed(each: Any, rest: Mapping[str, Any]) -> None:
    for name, value in rest.items():
        setattr(each, name, value)


def _thing(kind: Any, params: Mapping[str, Any], rest: Mapping[str, Any]) -> Any:
    """Return an object with these parameters, such as a `bt.CommInfoBase`, as it was: `__init__` may change them."""
    made = object.__new__(kind)
    made.p = made.params = kind.params()
    for name, value in params.items():
        setattr(made.p, name, value)
    vars(made).update(rest)
    return made


def _nameless() -> list[ModuleType]:
    """Return the modules that were loaded from a file, and that no other process finds by their name."""
    return [each for each in list(sys.modules.values()) if isinstance(each, ModuleType) and _is_nameless(each)]


def _is_nameless(module: ModuleType) -> bool:
    spec, name = getattr(module, "__spec__", None), module.__name__
    return spec is None and name not in ("__main__", "__mp_main__") and getattr(module, "__file__", None) is not None


@contextlib.contextmanager
def _by_value(modules: Sequence[ModuleType]) -> Iterator[None]:
    for each in modules:
        cloudpickle.register_pickle_by_value(each)
    try:
        yield
    finally:
        for each in modules:
            cloudpickle.unregister_pickle_by_value(each)
