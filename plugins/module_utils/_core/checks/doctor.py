# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of the doctor: read the host and run the checks twice, then repair what the request names."""

from __future__ import annotations

import os
import time
import typing as t

from .. import model, selection
from ..facts import incomplete
from ..facts.records import as_utf_8, selected_netns
from ..links import apply, ledger
from ..links import run as run_
from ..named_tuple import NamedTuple
from ..texts import printable
from . import evidence as evidence_
from . import registry
from .finding import Check, Finding, Unknown
from .repair import Context
from .request import DoctorRequest

# Seconds between the two readings. What was being created or removed at first is complete or gone then.
_SECOND_LOOK_DELAY = 1.0


class Result(NamedTuple):
    """The result as `netns_doctor` returns it. `failures` are the reasons why requested repairs failed."""

    changed: bool
    findings: list[dict[str, t.Any]]
    checked: list[str]
    incomplete: list[dict[str, str]]
    diff: list[dict[str, str]]
    failures: tuple[str, ...]


class _Look(NamedTuple):
    """What the checks found in one reading of the host. `unknown` is what could not be read, as (source, reason)."""

    evidence: evidence_.Evidence
    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    unknown: tuple[tuple[str, str], ...]


def run(
    request: DoctorRequest, check_mode: bool = False, state_dir: str = ledger.DIRECTORY
) -> Result:
    """Find what is wrong, and repair what the request names. Raises NetnsError for an invalid request."""
    request.check()
    if request.repair and os.geteuid() != 0:
        raise model.NetnsError("only root can repair what is wrong: set `become: true`")
    checks = [check for check in registry.CHECKS if request.selects(check.name)]
    look = _look(request, checks, state_dir)
    if look.findings:
        time.sleep(max(_SECOND_LOOK_DELAY, *(finding.settles for finding in look.findings)))
        again = _look(request, checks, state_dir)
        seen = {finding.key for finding in look.findings}
        look = again._replace(
            findings=tuple(finding for finding in again.findings if finding.key in seen)
        )
    failures: list[str] = []
    wanted = [each for each in look.findings if each.check in request.repair and each.repair]
    repaired = {each.key for each in wanted}
    if wanted and not check_mode:
        repaired = _repair(request, checks, wanted, state_dir, failures)
    done = [each for each in wanted if each.key in repaired]
    return Result(
        changed=bool(done),
        findings=[_row(finding, finding.key in repaired) for finding in look.findings],
        checked=list(look.checked),
        incomplete=_incomplete(look),
        diff=_diff(done),
        failures=tuple(map(printable, failures)),
    )


def _look(request: DoctorRequest, checks: t.Sequence[Check], state_dir: str) -> _Look:
    evidence = evidence_.read(request, state_dir)
    findings, checked, unknown = [], [], list(evidence.problems)
    for check in checks:
        try:
            found = list(check.find(evidence))
        except Unknown as error:
            unknown.append((f"{check.name}, {error.source}", error.reason))
            continue
        checked.append(check.name)
        findings += found
    return _Look(
        evidence,
        _selected(findings, evidence),
        tuple(checked),
        tuple(unknown),
    )


def _selected(findings: t.Iterable[Finding], evidence: evidence_.Evidence) -> tuple[Finding, ...]:
    """The findings about a namespace that `containers` selects, or about a name that matches it."""
    patterns = evidence.request.containers
    if patterns is None:
        return tuple(findings)
    inodes = {netns.inode for netns in selected_netns(evidence.records.values(), patterns)}
    return tuple(
        finding
        for finding in findings
        if finding.subject.inode in inodes
        or any(
            pattern == name or selection.matches(pattern, name)
            for pattern in patterns
            for name in (*finding.subject.names, *finding.subject.containers)
        )
    )


def _repair(
    request: DoctorRequest,
    checks: t.Sequence[Check],
    wanted: t.Sequence[Finding],
    state_dir: str,
    failures: list[str],
) -> set[tuple[t.Any, ...]]:
    """Repair the `wanted` findings. Returns the keys of those that were repaired, and adds to `failures`."""
    repaired: set[tuple[t.Any, ...]] = set()
    one_by_one = [check for check in checks if check.repair and _of(check, wanted)]
    if one_by_one:
        try:
            with run_.umask(), ledger.locked(state_dir):
                # Everything is read again under the lock, right before it is changed.
                evidence = evidence_.read(request, state_dir)
                context = Context(request, evidence.netns_dir, state_dir)
                keys = {finding.key for finding in wanted}
                for check in one_by_one:
                    repaired |= _repair_found(check, keys, evidence, context, failures)
        except (model.NetnsError, OSError) as error:
            failures.append(_reason(error))
    context = Context(request, os.path.realpath(request.netns_dir), state_dir)
    for check in checks:
        findings = _of(check, wanted)
        if check.prunes and findings:
            names = {each.key: each.repair.target for each in findings if each.repair}
            try:
                kept = context.prune(list(names.values()))
            except (model.NetnsError, OSError) as error:
                failures.append(f"{check.name}: {_reason(error)}")
                continue
            for finding in findings:
                name = names[finding.key]
                if name not in kept:
                    repaired.add(finding.key)
                elif kept[name]:
                    failures.append(f"{check.name}: {_about(finding)}: {kept[name]}")
    return repaired


def _repair_found(
    check: Check,
    keys: t.AbstractSet[tuple[t.Any, ...]],
    evidence: evidence_.Evidence,
    context: Context,
    failures: list[str],
) -> set[tuple[t.Any, ...]]:
    """Repair what one check finds in this evidence, if its key is among `keys`. Returns and adds as _repair() does."""
    try:
        findings = [each for each in check.find(evidence) if each.key in keys]
    except Unknown as error:
        failures.append(f"{check.name}, {error.source}: {error.reason}")
        return set()
    repaired: set[tuple[t.Any, ...]] = set()
    for finding in findings:
        if finding.repair and check.repair:
            try:
                check.repair(finding.repair, context)
                repaired.add(finding.key)
            except (model.NetnsError, OSError) as error:
                failures.append(f"{check.name}: {_about(finding)}: {_reason(error)}")
    return repaired


def _reason(error: model.NetnsError | OSError) -> str:
    return apply.explain(error) if isinstance(error, OSError) else str(error)


def _of(check: Check, findings: t.Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.check == check.name]


def _about(finding: Finding) -> str:
    subject = finding.subject
    return subject.path or subject.interface or f"net:[{subject.inode}]"


def _row(finding: Finding, repaired: bool) -> dict[str, t.Any]:
    subject = finding.subject
    return {
        "check": finding.check,
        "severity": finding.severity,
        "subject": {
            "inode": subject.inode,
            "names": list(subject.names),
            "path": subject.path,
            "interface": subject.interface,
            "containers": list(subject.containers),
        },
        "message": printable(as_utf_8(finding.message)),
        "evidence": [printable(as_utf_8(item)) for item in finding.evidence],
        "remedy": printable(as_utf_8(finding.remedy)),
        "repairable": finding.repair is not None,
        "repaired": repaired,
    }


def _incomplete(look: _Look) -> list[dict[str, str]]:
    problems = incomplete.problems(look.evidence.sources, look.evidence.details)
    problems += [
        {"source": printable(source), "reason": printable(reason)}
        for source, reason in look.unknown
    ]
    return problems


def _diff(done: t.Iterable[Finding]) -> list[dict[str, str]]:
    """One diff for each place: the lines of all that was repaired there, before and after."""
    diffs: dict[str, dict[str, str]] = {}
    for finding in done:
        repair = finding.repair
        if repair is not None:
            diff = diffs.setdefault(
                repair.where,
                {
                    "before_header": repair.where,
                    "after_header": repair.where,
                    "before": "",
                    "after": "",
                },
            )
            diff["before"] += repair.before
            diff["after"] += repair.after
    return list(diffs.values())
