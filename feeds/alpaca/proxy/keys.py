"""The local key and secret: what a program of this machine shows to be served. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from framework.config import Credentials

HEADERS = ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")


def is_known(local: Credentials, key: object, secret: object) -> bool:
    """Return whether these are the local key and secret, in a time that tells nothing of them."""
    pairs = ((local.key, key), (local.secret, secret))
    found = [hmac.compare_digest(own.encode(), str(given).encode()) for own, given in pairs]
    return all(found)


def is_let_in(local: Credentials, headers: Mapping[str, str]) -> bool:
    """Return whether a request's headers have them."""
    return is_known(local, *(headers.get(name, "") for name in HEADERS))
