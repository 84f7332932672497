# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request to run a command in namespaces: its options, and which combinations are refused."""

from __future__ import annotations

import typing as t

from .. import model, selection
from ..engines import registry
from ..named_tuple import NamedTuple
from .command import Command
from .pool import Limits

MAX_FORKS = 256
MAX_OUTPUT = 1 << 26


class ExecRequest(NamedTuple):
    """The options of `netns_exec`, as its documentation describes them.

    `containers` and `links` are None where they were not given: an empty list selects nothing.
    """

    command: Command
    limits: Limits
    containers: tuple[str, ...] | None = None
    all: bool = False
    pid: int | None = None
    path: str | None = None
    links: tuple[str, ...] | None = None
    labels: t.Mapping[str, str] = {}
    engines: tuple[str, ...] | None = None
    sources: tuple[str, ...] = ()
    netns_dir: str = "/run/netns"

    def check(self) -> None:
        """Raise SelectionError where options contradict each other, select nothing, or run nothing."""
        selector = selection.only_selector(
            {
                "containers": self.containers is not None,
                "all": self.all,
                "pid": self.pid is not None,
                "path": self.path is not None,
                "links": self.links is not None,
            }
        )
        if selector is None:
            raise model.SelectionError(
                "no namespace is selected: give `containers`, `all`, `links`, `pid` or `path`"
            )
        for option, items in (("containers", self.containers), ("links", self.links)):
            selection.check_items(option, items or ())
        selection.check_pid(self.pid)
        registry.parse_sources(self.sources, self.engines)
        selection.check_options(self.netns_dir, self.limits.timeout)
        selection.check_path("path", self.path or "")
        if not self.command.argv or not self.command.argv[0]:
            raise model.SelectionError("the command is empty: give a program and its arguments")
        for option, number, most in (
            ("forks", self.limits.forks, MAX_FORKS),
            ("max_output", self.limits.max_output, MAX_OUTPUT),
        ):
            if not 0 < number <= most:
                raise model.SelectionError(f"{option} is {number}: give a number from 1 to {most}")
        texts = [*self.command.argv, self.command.chdir or ""]
        for name, value in self.command.environment.items():
            if not name or "=" in name:
                raise model.SelectionError(
                    f"env has {name!r}, which cannot be the name of a variable"
                )
            texts += [name, value]
        if any("\0" in text for text in texts):
            raise model.SelectionError("the command, chdir or env has a NUL character: remove it")
