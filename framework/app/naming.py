"""Strategies by name: `module:Class`, or `path/to/file.py:Class`."""

from __future__ import annotations

import importlib
import sys
import traceback
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import backtrader as bt

from framework.errors import ConfigError, nearest

OF_A_FILE = "switchback_user_"
"""How the module begins that a strategy's file becomes."""


def strategy(name: str) -> type[bt.Strategy]:
    """Return the strategy class that `name` names; the class may be left out where a file has only one.

    Raises `ConfigError`, in one line, where the file or module is not there, does not import, or has no
    such strategy.
    """
    where, _, class_name = name.partition(":") if not name.endswith(".py") else (name, "", "")
    module = _file(Path(where)) if where.endswith(".py") else _module(where)
    found = _strategies(module)
    if not class_name and len(found) == 1:
        return next(iter(found.values()))
    if class_name not in found:
        has = ", ".join(found) or "no bt.Strategy subclass"
        asked = f"no strategy {class_name!r}" if class_name else "no class named"
        raise ConfigError(f"{name}: {asked} in {where}{nearest(class_name, found)}; it has: {has}")
    return found[class_name]


def _strategies(module: ModuleType) -> dict[str, type[bt.Strategy]]:
    """Return the strategies that a module defines itself."""
    values = {name: value for name, value in vars(module).items() if isinstance(value, type)}
    return {
        name: value
        for name, value in values.items()
        if issubclass(value, bt.Strategy) and value.__module__ == module.__name__
    }


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        folder = path.parent
        others = [each.name for each in folder.glob("*.py")] if folder.is_dir() else []
        raise ConfigError(f"there is no file {path.resolve()}{nearest(path.name, others)}")
    name = f"{OF_A_FILE}{path.stem}"
    loader = SourceFileLoader(name, str(path))
    module = ModuleType(name)
    module.__file__ = str(path)
    # Backtrader looks its classes' modules up by name; a script's own folder is where it imports from.
    sys.modules[name] = module
    _search_first(path.resolve().parent)
    try:
        loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"{path} does not import: {_at(error, path)}") from error
    return module


def _module(name: str) -> ModuleType:
    _search_first(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        hint = "or name a file: path/to/file.py:Class"
        raise ConfigError(f"there is no module {name}{_found_at(name)}: {error}; {hint}") from error
    except Exception as error:
        raise ConfigError(f"{name} does not import: {type(error).__name__}: {error}") from error


def _search_first(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _found_at(name: str) -> str:
    """Return where the package of a missing module was found: a user's folder may hide another's."""
    package = sys.modules.get(name.partition(".")[0])
    places = list(getattr(package, "__path__", []))
    return f" (package {package.__name__} is at {places[0]})" if package and places else ""


def _at(error: Exception, path: Path) -> str:
    """Return an error with the line of the file that it came from."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
    place = f", line {line}" if line else ""
    return f"{type(error).__name__}: {getattr(error, 'msg', error)}{place}"
