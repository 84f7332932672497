# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The little that checks read on the host beside the evidence, each only where there is a candidate."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from .. import model, untrusted
from ..engines import daemons, docker_proxy
from ..kernel import netlink, nftables, procfs, rtnetlink

# The inode number that the kernel gives the first PID namespace (linux/proc_ns.h).
_FIRST_PID_NAMESPACE = 0xEFFFFFFC
_CNI_NETWORKS = "/var/lib/cni/networks"
_MAX_NETWORKS = 1000
_MAX_NUMBER = 64


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

    def age_of_target(self, path: str) -> float | None:
        """The same of the namespace that an open descriptor in /proc leads to."""
        try:
            status = os.stat(path)
        except OSError:
            return None
        return time.time() - status.st_ctime

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

    def sees_all_processes(self) -> bool:
        """Whether /proc shows the processes of the machine, and not of a PID namespace in it."""
        try:
            return os.stat("/proc/self/ns/pid").st_ino == _FIRST_PID_NAMESPACE
        except OSError:
            return False

    def sysctl(self, name: str) -> int | None:
        """A number in /proc/sys."""
        if ".." in name.split("/"):
            return None
        return _number(f"/proc/sys/{name}")

    def filters_vlans(self, ifindex: int) -> bool:
        """Whether a bridge of this namespace may separate its ports by VLAN."""
        try:
            with netlink.Socket() as rtnl:
                return rtnetlink.filters_vlans(rtnetlink.get_interface(rtnl, ifindex))
        except OSError:
            return True

    def proxy_age(self, port: model.Port) -> float | None:
        """For how many seconds a docker-proxy has passed a port on; None where none does."""
        ages = []
        for process, _command in daemons.running(docker_proxy.COMMAND):
            if (
                daemons.option(process, "host-port") == str(port.port)
                and daemons.option(process, "container-ip") == port.to_address
            ):
                with contextlib.suppress(model.GoneError, OSError):
                    ages.append(procfs.age(process))
        return min(ages, default=None)

    def forward_rules(self) -> tuple[list[nftables.Chain], list[nftables.Rule]]:
        """The chains that drop what is forwarded, and the rules that accept. Raises OSError."""
        return nftables.read() if nftables.is_loaded() else ([], [])

    def cni_reservations(self, addresses: t.Iterable[str]) -> list[str]:
        """The files by which CNI's host-local plugin has these addresses reserved."""
        try:
            networks = sorted(os.listdir(_CNI_NETWORKS))[:_MAX_NETWORKS]
        except OSError:
            return []
        paths = [
            os.path.join(_CNI_NETWORKS, network, address)
            for network in networks
            for address in addresses
        ]
        return [path for path in paths if os.path.isfile(path)]


def _number(path: str) -> int | None:
    try:
        data, _status = untrusted.read_file(path, _MAX_NUMBER)
        return int(data)
    except (untrusted.UnusableFileError, OSError, ValueError):
        return None
