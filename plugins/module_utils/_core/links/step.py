# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a plan, and their results."""

from __future__ import annotations

from .. import model
from ..named_tuple import NamedTuple
from . import etc_netns, ledger, transitions
from .netns_dir import VACANT, PathState
from .origins import Origin


class StepResult(NamedTuple):
    """The result of a step: the action that was taken, and why.

    `failed` is whether the kernel refused it: then the task fails, as for a conflict.
    """

    action: str
    reason: str | None
    failed: bool = False


class Step(NamedTuple):
    """One name in netns_dir and what happens to it.

    `origin` is the namespace to link. `entry` is the ledger entry to write for it, `old_entry` the
    present one (None: the link is not managed). `clear` is whether the entry at the path is removed
    first, with its file, for a new one. `forget` is whether the ledger drops the path afterwards. `resolv_conf` is
    the text of a resolv.conf to write, `remove_resolv_conf` whether the file is removed, and `found_resolv_conf` the
    present one.
    `exact` steps were requested by name: where one cannot be done, the task fails.
    """

    name: str
    action: str
    reason: str | None = None
    exact: bool = False
    path_state: PathState = VACANT
    origin: Origin | None = None
    container: model.Container | None = None
    entry: ledger.Entry | None = None
    old_entry: ledger.Entry | None = None
    clear: bool = False
    forget: bool = False
    resolv_conf: str | None = None
    remove_resolv_conf: bool = False
    found_resolv_conf: etc_netns.File | None = None

    @property
    def links_already(self) -> bool:
        """Whether the path leads to the namespace already."""
        return self.origin is not None and self.path_state.netns == self.origin.netns

    @property
    def changes(self) -> bool:
        """Whether something is done."""
        return self.action in transitions.CHANGES

    def conflict(self, reason: str | None) -> Step:
        """The same step as a conflict: nothing is done at this name."""
        return self._replace(
            action=transitions.CONFLICT,
            reason=reason,
            entry=None,
            forget=False,
            resolv_conf=None,
            remove_resolv_conf=False,
        )


class Plan(NamedTuple):
    """The steps sorted by name, what to warn of, and why the task fails after them.

    `vanished` are managed links that another program has removed: the ledger drops them.
    """

    steps: tuple[Step, ...]
    vanished: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    def expected_results(self) -> tuple[StepResult, ...]:
        """The results if every step succeeds, which is the answer of check mode."""
        return tuple(StepResult(step.action, step.reason) for step in self.steps)
