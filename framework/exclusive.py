"""A file that one process has for itself, for as long as it is open there."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import msvcrt

    def is_taken(descriptor: int) -> bool:
        """Take an open file for this process; return whether it was free. The system lets go of it at its closing."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def is_taken(descriptor: int) -> bool:
        """Take an open file for this process; return whether it was free. The system lets go of it at its closing."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
