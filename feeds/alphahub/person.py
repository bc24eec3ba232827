"""Whose account it is: e-mail and password, from the call, the environment, our file, or a module `creds`."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping

from feeds.alphahub.protocol import NAME, SERVICE, VARIABLES
from framework.config import Credentials, find_credentials
from framework.errors import ConfigError

MODULES = ("alphahub.creds", "creds")
"""Where the example client of AlphaHub has its users write `email` and `password`."""


def find_person(
    email: str | None = None, password: str | None = None, environ: Mapping[str, str] = os.environ
) -> Credentials:
    """Return the credentials; each of the two may come from elsewhere. Raise `ConfigError` where one is missing.

    A password may hold what no key does, spaces for one: it is sent in a form.
    """
    found = [email or environ.get(VARIABLES[0], ""), password or environ.get(VARIABLES[1], "")]
    if not any(found) and (kept := find_credentials(SERVICE, VARIABLES, environ={**environ, **_NONE})) is not None:
        return kept
    for at, name in enumerate(("email", "password")):
        found[at] = found[at] or _of_module(name)
    if not all(found):
        missing = " and ".join(name for name, each in zip(VARIABLES, found, strict=True) if not each)
        raise ConfigError(f"{NAME} needs an e-mail and a password; set {missing}, or give email= and password=")
    return Credentials(found[0].strip(), found[1])


_NONE = dict.fromkeys(VARIABLES, "")


def _of_module(name: str) -> str:
    """Return what a module of the user's holds, empty where there is none."""
    for module in MODULES:
        try:
            return str(getattr(importlib.import_module(module), name, "") or "")
        except ModuleNotFoundError as error:
            if error.name not in (module, module.partition(".")[0]):
                raise
    return ""
