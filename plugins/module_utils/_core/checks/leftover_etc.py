# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Marked files in /etc/netns whose link does not exist.

They survive a reboot, and `ip netns del` leaves them. `ip netns exec` of a later namespace of that name would use the
DNS servers of the container that had it before.

Repair: remove the marked file, and its directory where nothing else is in it, as `prune` does.
"""

from __future__ import annotations

import os
import typing as t

from ..facts.records import as_utf_8
from ..links import etc_netns
from ..links.netns_dir import NOTHING, VACANT
from .finding import NOTE, Check, Finding, Repair, Subject

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "leftover_etc"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each marked file of a link in netns_dir that is not there."""
    evidence.require_read(etc_netns.DIRECTORY, evidence.netns_dir)
    engines = evidence.request.engines
    for name, file in sorted(evidence.resolv_conf_files.items()):
        link = os.path.join(evidence.netns_dir, name)
        if file.mark is None or file.mark["link"] != link:
            continue
        if engines is not None and file.mark.get("engine") not in engines:
            continue
        path = etc_netns.path_of(name)
        if evidence.path_states.get(name, VACANT).kind != NOTHING or not evidence.is_old(path):
            continue
        yield Finding(
            NAME,
            NOTE,
            Subject(names=(as_utf_8(name),), path=as_utf_8(path)),
            message=f"{as_utf_8(path)} belongs to the link {as_utf_8(link)}, which does not exist",
            evidence=(
                f"{as_utf_8(path)}: its first line is the mark of this collection",
                f"{as_utf_8(evidence.netns_dir)}: it has no entry {as_utf_8(name)}",
            ),
            remedy=f"`netns_link` with `prune: true`, or `repair: [{NAME}]`",
            repair=Repair(as_utf_8(path), file.text, target=name),
        )


CHECK = Check(NAME, find, prunes=True)
