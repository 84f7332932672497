# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the udev trigger starts: looks at everything until nothing changes any more.

A request is a file, which a path unit starts the oneshot for as long as it is there. It is taken away
before the look that it asks for, so that one that comes during the look is there when this ends.
"""

from __future__ import annotations

import os
import time
import typing as t

from .. import model
from ..links import ledger, run
from . import report

if t.TYPE_CHECKING:
    from .config import Config

REQUEST = "/run/linuxnet-netns-hook"
# What told of a container may come before the container runs.
_RETRY_DELAYS = (0.2, 0.8)
_LONGEST = 60.0


def settle(
    settings: t.Callable[[], Config], state_dir: str = ledger.DIRECTORY, request: str = REQUEST
) -> None:
    """Look at everything, and again until that changes nothing. Raises NetnsError.

    The settings are read for each look, as they may be what a request is about.
    """
    reporter = report.Reporter(state_dir)
    end = time.monotonic() + _LONGEST
    # Looks since something was asked for, or was to be done; the timer asks for one alone.
    quiet = len(_RETRY_DELAYS) - 1
    while True:
        asked = _take(request)
        try:
            result = run.run(settings().request(), state_dir=state_dir)
        except model.NetnsError as error:
            reporter.trouble(str(error))
            raise
        reporter.tell(result, "trigger", None)
        quiet = 0 if asked or result.changed else quiet + 1
        if quiet >= len(_RETRY_DELAYS) or time.monotonic() >= end:
            return
        time.sleep(_RETRY_DELAYS[quiet])


def _take(request: str) -> bool:
    """Take a request away. Returns whether there was one."""
    try:
        os.unlink(request)
    except FileNotFoundError:
        return False
    return True
