# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The little that checks read on the host beside the evidence, each only where there is a candidate."""

from __future__ import annotations

import os
import time

from .. import model
from ..kernel import procfs


class Probes:
    """Reads single values of the host; None is for what cannot be read."""

    def age(self, path: str) -> float | None:
        """For how many seconds a file has been as it is, at least.

        A namespace's file has the time when the kernel first showed it, which is not before it was made.
        """
        try:
            status = os.lstat(path)
        except OSError:
            return None
        return time.time() - max(status.st_ctime, status.st_mtime)

    def process_age(self, pid: int) -> float | None:
        """For how many seconds a process has run."""
        try:
            with procfs.opened(pid) as process:
                return procfs.age(process)
        except (model.GoneError, OSError):
            return None

    def command(self, pid: int) -> str | None:
        """The command name of a process."""
        try:
            with procfs.opened(pid) as process:
                return procfs.command(process)
        except (model.GoneError, OSError):
            return None
