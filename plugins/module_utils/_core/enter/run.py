# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of `netns_exec`, from request to result."""

from __future__ import annotations

import codecs
import contextlib
import datetime
import functools
import os
import typing as t

from .. import model
from ..engines import registry
from ..kernel import nsfs
from ..links import opening
from ..named_tuple import NamedTuple
from . import pool, targets
from .request import ExecRequest

# How many namespaces the message names in which the command failed.
_MAX_NAMED = 20


class Result(NamedTuple):
    """`rows` are the results of the module, and `failures` are why the run failed."""

    rows: list[dict[str, t.Any]]
    warnings: list[str]
    failures: list[str]


def run(request: ExecRequest, check: bool = False) -> Result:
    """Run the command in the selected namespaces; with `check`, only report which these are.

    Raises NetnsError, before anything runs, for what cannot be done at all.
    """
    request.check()
    if os.geteuid() != 0:
        raise model.NetnsError("only root can enter namespaces: set `become: true`")
    nsfs.check_proc()
    budget = registry.Budget(request.limits.timeout)
    with contextlib.ExitStack() as open_files:
        found = targets.find(request, budget, open_files)
        outcomes: list[pool.Outcome | None] = [None] * len(found.targets)
        jobs = {
            number: pool.Job(
                functools.partial(opening.open_origin, target.origin, budget), target.link
            )
            for number, target in enumerate(found.targets)
            if target.origin is not None
        }
        if jobs and not check:
            ran = pool.run(request.command, list(jobs.values()), request.limits)
            for number, outcome in zip(jobs, ran):
                outcomes[number] = outcome
    results = list(zip(found.targets, outcomes))
    return Result(
        [_row(request, *result) for result in results],
        found.warnings,
        _failures(request, results) + found.failures,
    )


def _failures(
    request: ExecRequest,
    outcomes: t.Iterable[tuple[targets.ExecTarget, pool.Outcome | None]],
) -> list[str]:
    """The namespaces in which the command failed, each with the reason."""
    failures = []
    for target, outcome in outcomes:
        reason = outcome and _failure(request, outcome)
        if reason:
            failures.append(f"{target.label}: {reason}")
    if len(failures) > _MAX_NAMED:
        failures[_MAX_NAMED:] = [f"and {len(failures) - _MAX_NAMED} more"]
    return failures


def _failure(request: ExecRequest, outcome: pool.Outcome) -> str | None:
    if outcome.timed_out:
        return f"the command was killed after {request.limits.timeout:g} s: raise `timeout` if it needs longer"
    if outcome.problem:
        return outcome.problem
    if outcome.rc is not None and outcome.rc < 0:
        return f"the command was killed by signal {-outcome.rc}"
    return f"the command ended with exit code {outcome.rc}" if outcome.rc else None


def _row(
    request: ExecRequest, target: targets.ExecTarget, outcome: pool.Outcome | None
) -> dict[str, t.Any]:
    container = target.container
    pod = container.pod if container else None
    outcome = outcome or pool.Outcome(problem=target.skip)
    ran = outcome.rc is not None
    return {
        "inode": target.origin.netns.inode if target.origin else None,
        "names": list(target.names),
        "engine": container.engine if container else None,
        "pod": pod._asdict() if pod else None,
        "containers": [
            {"id": each.id, "name": each.name}
            for each in sorted(target.containers, key=lambda each: (each.name, each.id))
            # A sandbox only keeps the namespace; it is shown as the pod.
            if not each.sandbox
        ],
        "rc": outcome.rc,
        "stdout": _text(outcome.stdout, outcome.truncated) if ran else None,
        "stderr": _text(outcome.stderr, outcome.truncated) if ran else None,
        "delta": str(datetime.timedelta(seconds=outcome.seconds)) if ran else None,
        "timed_out": outcome.timed_out,
        "truncated": outcome.truncated,
        "problem": _failure(request, outcome) if outcome.timed_out else outcome.problem,
    }


def _text(data: bytes, truncated: bool) -> str:
    """Output as text: bytes that are not UTF-8 are escaped, and a character that is cut off is left out."""
    return codecs.getincrementaldecoder("utf-8")("backslashreplace").decode(data, not truncated)
