# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a plan, by the results of its steps."""

from __future__ import annotations

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger, result
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.netns_dir import (
    NETNS,
    Directory,
    PathState,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.origins import Origin
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import LinkRequest
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.snapshot import Snapshot
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.step import (
    Plan,
    Step,
    StepResult,
)

OLD, NEW = model.NetnsId(4, 11), model.NetnsId(4, 12)
REQUEST = LinkRequest(all=True)
SNAPSHOT = Snapshot(model.NetnsId(4, 1), Directory(), {}, {})
CREATED = Step(
    "db",
    "created",
    origin=Origin(NEW, pid=7),
    entry=ledger.Entry("/run/netns/db", NEW, None, "module"),
)
REMOVED = Step("web", "removed", path_state=PathState(NETNS, "a link", 5, OLD, (11,)))
PLAN = Plan((CREATED, REMOVED), failures=("podman was not read",))


def test_in_check_mode_every_step_succeeds() -> None:
    expected = result.of(REQUEST, SNAPSHOT, PLAN, PLAN.expected_results())
    assert expected.changed
    assert [(row["name"], row["inode"], row["pid"], row["action"]) for row in expected.links] == [
        ("db", 12, 7, "created"),
        ("web", 11, None, "removed"),
    ]
    assert all(row["netns"] == row["inode"] for row in expected.links)
    assert expected.failures == ("podman was not read",)
    (diff,) = expected.diff
    assert (diff["before"], diff["after"]) == ("web net:[11]\n", "db net:[12]\n")


def test_a_step_that_failed_has_changed_nothing() -> None:
    results = (StepResult("conflict", "no"), StepResult("removed", None))
    real = result.of(REQUEST, SNAPSHOT, PLAN, results)
    assert real.changed
    assert [(row["action"], row["reason"]) for row in real.links] == [
        ("conflict", "no"),
        ("removed", None),
    ]
    assert real.failures == ("/run/netns/db: no", "podman was not read")
    (diff,) = real.diff
    assert (diff["before"], diff["after"]) == ("web net:[11]\n", "")
    failed = result.of(REQUEST, SNAPSHOT, Plan((CREATED,)), (StepResult("skipped", "gone"),))
    assert (failed.changed, failed.diff, failed.failures) == (False, [], ())
