# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of connections is full, or nearly.

The kernel drops the first packet of each new connection that has no place in it: new connections of all containers and
of the host time out, while those that exist work.
"""

from __future__ import annotations

import typing as t

from .finding import ERROR, WARNING, Check, Finding, Subject

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "conntrack_full"
_NEARLY = 0.9


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """The host, if its table has less than a tenth left."""
    count = evidence.probes.sysctl("net/netfilter/nf_conntrack_count")
    limit = evidence.probes.sysctl("net/netfilter/nf_conntrack_max")
    if count is None or limit is None:  # the module is not loaded
        return
    evidence.require_host_settings("/proc/sys/net/netfilter")
    if not limit or count < _NEARLY * limit:
        return
    yield Finding(
        NAME,
        ERROR if count >= limit else WARNING,
        Subject(path="/proc/sys/net/netfilter/nf_conntrack_max"),
        message=f"the host tracks {count} connections, and has room for {limit}",
        evidence=(
            f"/proc/sys/net/netfilter/nf_conntrack_count: {count}",
            f"/proc/sys/net/netfilter/nf_conntrack_max: {limit}",
        ),
        remedy="raise the sysctl net.netfilter.nf_conntrack_max, or find who has so many: `conntrack -L`",
    )


CHECK = Check(NAME, find)
