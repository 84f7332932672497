# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request of a run: its options, and which combinations are refused."""

from __future__ import annotations

import os
import typing as t

from .. import model, names, selection
from ..engines import registry
from ..named_tuple import NamedTuple

# Who made a link, as the ledger records it.
MODULE, HOOK = "module", "hook"


class LinkRequest(NamedTuple):
    """The options of `netns_link`, as its documentation describes them.

    `containers` and `names` are None where they were not given: an empty list selects nothing.
    `only` narrows one run to these container ids by engine, or to all of an engine (None): other
    containers are neither read nor changed, and are still part of the desired state. `ended` has those of
    which the engine has reported that they ended. `prune_only` narrows `prune` to these names.
    """

    state: str = "present"
    containers: tuple[str, ...] | None = None
    all: bool = False
    pid: int | None = None
    path: str | None = None
    names: tuple[str, ...] | None = None
    name_template: str = "{name}"
    labels: t.Mapping[str, str] = {}
    engines: tuple[str, ...] | None = None
    sources: tuple[str, ...] = ()
    prune: bool = False
    force: bool = False
    resolv_conf: bool = False
    netns_dir: str = "/run/netns"
    timeout: float = 5.0
    maker: str = MODULE
    only: t.Mapping[str, frozenset[str] | None] | None = None
    ended: t.Mapping[str, frozenset[str]] = {}
    prune_only: frozenset[str] | None = None

    @property
    def absent(self) -> bool:
        """Whether links are to be removed."""
        return self.state == "absent"

    def is_for(self, container: model.Container) -> bool:
        """Whether a container is among those that this run is narrowed to."""
        if self.only is None:
            return True
        ids = self.only.get(container.engine, frozenset())
        return ids is None or container.id in ids

    def link_path(self, name: str) -> str:
        """The path of the link of this name."""
        return os.path.join(self.netns_dir, name)

    def check(self) -> None:
        """Raise SelectionError where options contradict each other or select nothing."""
        selector = selection.only_selector(
            {
                "containers": self.containers is not None,
                "all": self.all,
                "pid": self.pid is not None,
                "path": self.path is not None,
            }
        )
        registry.parse_sources(self.sources, self.engines)
        for option, items in (("containers", self.containers), ("name", self.names)):
            selection.check_items(option, items or ())
        selection.check_options(self.netns_dir, self.timeout)
        selection.check_path("path", self.path or "")
        if self.absent:
            self._check_absent(selector)
        else:
            self._check_present(selector)

    def _check_absent(self, selector: str | None) -> None:
        if selector in ("pid", "path"):
            raise model.SelectionError(
                f"{selector} does not select links to remove: give `name` alone, the link's own name"
            )
        if selector is not None and self.names is not None:
            raise model.SelectionError(
                f"{selector} and name exclude each other with state=absent: give one of them"
            )
        if selector is None and self.names is None and not self.prune:
            raise model.SelectionError(
                "nothing is selected: give `containers`, `all`, `name` or `prune`"
            )
        for name in self.names or ():
            problem = names.unusable(name)
            if problem:
                raise model.SelectionError(f"{name!r} cannot be the name of a link: {problem}")

    def _check_present(self, selector: str | None) -> None:
        if selector is None:
            if self.names is not None:
                raise model.SelectionError(
                    "name alone selects nothing: give the container, pid or path to link as well"
                )
            if not self.prune:
                raise model.SelectionError(
                    "nothing is selected: give `containers`, `all`, `pid`, `path` or `prune`"
                )
        selection.check_pid(self.pid)
        if self.names is not None:
            if len(self.names) != 1:
                raise model.SelectionError(
                    f"name has {len(self.names)} items: with state=present give exactly one, "
                    "for one container, pid or path"
                )
            if self.all:
                raise model.SelectionError("name is for one link: with `all` use `name_template`")
            problem = names.refusal(self.names[0])
            if problem:
                raise model.SelectionError(
                    f"{self.names[0]!r} cannot be the name of a link: {problem}"
                )
        elif self.pid is not None or self.path is not None:
            raise model.SelectionError(f"{selector} needs `name`, the name of the link")
        if self.resolv_conf and (self.pid is not None or self.path is not None):
            raise model.SelectionError(
                f"resolv_conf copies the DNS servers of a container, and {selector} does not select one"
            )
        names.Template(self.name_template)
