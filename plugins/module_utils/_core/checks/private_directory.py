# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""netns_dir does not share its mounts with other mount namespaces.

Mounts in a directory that is not shared are seen only where they were made: services with a sandbox, containers that
mount /run/netns, and `ip netns` of another mount namespace do not see new names, or still see names that are gone.

Repair: mount the directory on itself and share it, as `ip netns` does, where nothing is mounted in it. Pins that are
in it would be covered.
"""

from __future__ import annotations

import typing as t

from ..facts.records import as_utf_8
from .finding import WARNING, Check, Finding, Repair, Subject
from .repair import Context

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "private_directory"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """netns_dir, if it is not shared or not the host's."""
    evidence.require_read(evidence.netns_dir)
    path = as_utf_8(evidence.netns_dir)
    directory = evidence.directory
    subject = Subject(path=path)
    if directory.mount is None:
        return
    if evidence.host_problem is not None:
        yield Finding(
            NAME,
            WARNING,
            subject,
            message=f"{path} is not the directory that the host has: what is mounted in it does not reach the host",
            evidence=(
                "/proc/self/mountinfo and /proc/1/mountinfo: the two are not in one peer group",
            ),
            remedy=evidence.host_problem,
        )
        return
    if directory.shared or not evidence.is_old(evidence.netns_dir):
        return
    if directory.mount_point and not directory.self_bind:
        return
    yield Finding(
        NAME,
        WARNING,
        subject,
        message=f"{path} is not shared: other mount namespaces do not see the names that are made in it",
        evidence=(
            f"/proc/self/mountinfo: mount {directory.mount.id}, which {path} is on, has no shared:N",
        ),
        remedy=f"unmount what is in {path} when nothing uses it; the next `ip netns add` or netns_link shares it then"
        if directory.has_mounts
        else f"`repair: [{NAME}]` shares it; the first `ip netns add` does it as well",
        repair=None if directory.has_mounts else Repair(path, "private\n", "shared\n"),
    )


def _repair(repair: Repair, context: Context) -> None:
    context.share_netns_dir()


CHECK = Check(NAME, find, repair=_repair)
