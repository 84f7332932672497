# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes to interfaces in network namespaces, which a forked child enters (setns(2))."""

from __future__ import annotations

import os
import typing as t

from .. import model
from . import fork, netlink, netns_reader, nsfs, rtnetlink

_IDLE_TIMEOUT = 30.0


def move_to_host(ref: nsfs.NetnsRef, interface: rtnetlink.Interface) -> None:
    """Move an interface of a namespace to that of PID 1.

    Raises NetnsError where it is not the same any more, and OSError where the namespace of PID 1 may not be opened.
    """
    host = os.open("/proc/1/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _change(
            ref, interface, lambda rtnl: rtnetlink.move_interface(rtnl, interface.ifindex, host)
        )
    finally:
        os.close(host)


def delete(ref: nsfs.NetnsRef, interface: rtnetlink.Interface) -> None:
    """Delete an interface of a namespace. Raises NetnsError where it is not the same any more."""
    _change(ref, interface, lambda rtnl: rtnetlink.delete_interface(rtnl, interface.ifindex))


def _change(
    ref: nsfs.NetnsRef,
    interface: rtnetlink.Interface,
    change: t.Callable[[netlink.Socket], None],
) -> None:
    def work() -> t.Iterator[str | None]:
        try:
            with netns_reader.socket_in(ref, nsfs.netns_id(os.stat("/proc/self/ns/net"))) as rtnl:
                (now,) = rtnetlink.parse_interfaces(
                    rtnetlink.get_interface(rtnl, interface.ifindex)
                )
                if (now.name, now.mac, now.kind) != (interface.name, interface.mac, interface.kind):
                    yield "another interface has its place meanwhile"
                    return
                change(rtnl)
        except OSError as error:
            yield error.strerror or str(error)
        else:
            yield None

    try:
        problems = list(fork.results(work, _IDLE_TIMEOUT))
    except fork.ChildError as error:
        raise model.NetnsError(f"the process that changes the interface {error}") from None
    if problems != [None]:
        raise model.NetnsError("; ".join(filter(None, problems)))
