# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Advisory locks on open directories, with a timeout (flock(2))."""

from __future__ import annotations

import fcntl
import time

from .. import model

_LOCK_TIMEOUT = 60.0
_RETRY_DELAY = 0.02


def lock(fd: int, path: str) -> None:
    """Take the lock until the descriptor is closed. Raises NetnsError after a minute."""
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise model.NetnsError(
                    f"another program has held the lock on {path} for {_LOCK_TIMEOUT:.0f} s: see which "
                    f"with `fuser -v {path}`, and run again when it has ended"
                ) from None
            time.sleep(_RETRY_DELAY)
