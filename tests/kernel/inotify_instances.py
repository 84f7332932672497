# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inotify instances for tests where those of root are used up."""

from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import libc

# No user has this ID, and each process that runs tests has another.
_FIRST_UID = 0x70000000


def take_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count inotify instances of a test for a user of its own.

    The kernel allows each user a number of them (fs.inotify.max_user_instances), and root's are shared
    by all engines, systemd and udev of a machine and of the containers on it.
    """
    inotify_init = libc.inotify_init

    def init(flags: int) -> int:
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(_FIRST_UID + os.getpid())
        try:
            return inotify_init(flags)
        finally:
            if is_root:
                os.seteuid(0)

    try:
        os.close(init(0))
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        pytest.skip("no inotify instance is left here: see fs.inotify.max_user_instances")
    monkeypatch.setattr(libc, "inotify_init", init)
