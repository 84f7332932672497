# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The least that a become plugin can do in Python: what `ip netns exec` does, and run the command.

    least_enter.py NAMESPACE COMMAND...

It checks nothing, hides the mounts below /sys, and lets the host's services resolve names.
"""

from __future__ import annotations

import ctypes
import os
import sys

_CLONE_NEWNET = 0x40000000
_CLONE_NEWNS = 0x00020000
_MNT_DETACH = 2
_MS_REC_SLAVE = (1 << 14) | (1 << 19)

namespace = os.open(sys.argv[1], os.O_RDONLY | os.O_CLOEXEC)
libc = ctypes.CDLL(None)
libc.setns(namespace, _CLONE_NEWNET)
libc.unshare(_CLONE_NEWNS)
libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC_SLAVE), None)
libc.umount2(b"/sys", _MNT_DETACH)
libc.mount(b"sysfs", b"/sys", b"sysfs", ctypes.c_ulong(0), None)
os.execvp(sys.argv[2], sys.argv[2:])
