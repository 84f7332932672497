# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the repairs of checks do to a host, each by means of `links` or by a descriptor that was checked."""

from __future__ import annotations

import typing as t

from .. import model
from ..kernel import netns_changer, nsfs, rtnetlink
from ..links import apply, ledger, run, transitions
from ..links.netns_dir import PathState
from ..links.request import LinkRequest
from ..links.session import SessionCache
from ..links.step import Plan, Step
from .request import DoctorRequest


class Context:
    """The host that is repaired."""

    def __init__(self, request: DoctorRequest, netns_dir: str, state_dir: str) -> None:
        self._request = request
        self._netns_dir = netns_dir
        self._state_dir = state_dir

    def clear(self, directory: str, name: str, path_state: PathState) -> None:
        """Remove an entry, if it is still what the state describes."""
        session = SessionCache(ledger.Ledger(self._state_dir))
        request = LinkRequest(netns_dir=directory)
        entry = session.ledger.entries.get(request.link_path(name))
        step = Step(
            name,
            transitions.REMOVED,
            path_state=path_state,
            old_entry=entry,
            forget=entry is not None,
        )
        (result,) = apply.apply(request, Plan((step,)), session).results
        if result.action != transitions.REMOVED:
            raise model.NetnsError(result.reason or result.action)

    def share_netns_dir(self) -> None:
        """Have mounts in netns_dir propagate, if nothing is mounted in it."""
        apply.share(self._netns_dir, SessionCache(ledger.Ledger(self._state_dir)))

    def move_to_host(self, ref: nsfs.NetnsRef, interface: rtnetlink.Interface) -> None:
        """Move an interface into the host's namespace, if it is still the same. Raises NetnsError or OSError."""
        netns_changer.move_to_host(ref, interface)

    def delete_interface(self, ref: nsfs.NetnsRef, interface: rtnetlink.Interface) -> None:
        """Delete an interface, if it is still the same."""
        netns_changer.delete(ref, interface)

    def prune(self, names: t.Collection[str]) -> dict[str, str]:
        """Remove these links, where their containers have ended. Returns why some were left."""
        request = LinkRequest(
            prune=True,
            prune_only=frozenset(names),
            engines=self._request.engines,
            sources=self._request.sources,
            netns_dir=self._netns_dir,
            timeout=self._request.timeout,
        )
        result = run.run(request, state_dir=self._state_dir)
        removed = {row["name"] for row in result.links if row["action"] == transitions.REMOVED}
        reasons = {row["name"]: row["reason"] for row in result.links}
        return {
            name: reasons.get(name) or "; ".join(result.failures)
            for name in names
            if name not in removed
        }
