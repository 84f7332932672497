# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of `netns-hook` for the administrator: list, sync, doctor, status and check."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import typing as t

from .. import model, texts
from ..links import ledger, run, transitions
from ..links.request import HOOK
from ..links.result import Result
from . import config

# The exit status of `systemctl status` for a unit that is not active.
_NOT_ACTIVE = 3
_SERVICE_UNIT, _PATH_UNIT = "linuxnet-netns-hook.service", "linuxnet-netns-hook-sync.path"
# In the output of `list`: a link of netns_link that is no part of the hook's run.
_IGNORED = "ignored"


def _print_line(line: str, stream: t.TextIO | None = None) -> None:
    # Not by print(), which ansible-test forbids in module_utils.
    (stream or sys.stdout).write(f"{line}\n")


def main(arguments: t.Sequence[str], version: str) -> int:
    """Run one command. Returns the exit status. Raises NetnsError."""
    parser = argparse.ArgumentParser(
        prog="netns-hook", description="Links the network namespaces of containers for ip netns."
    )
    parser.add_argument("--version", action="version", version=version)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--config", default=config.PATH, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # run and trigger are here for the help: main.py starts them.
    table: tuple[tuple[str, t.Callable[[argparse.Namespace], int] | None, str], ...] = (
        ("list", _list, "show each link, its owner, and the action that sync would take"),
        ("sync", _sync, "reconcile all links with the running containers now"),
        ("doctor", _doctor, "look for what is wrong with the namespaces of this host"),
        ("status", _status, "show the settings, and whether the hook is active"),
        ("check", _check, "check a file of settings"),
        ("run", None, "run the service, which follows the engines"),
        ("trigger", None, "reconcile all links until nothing changes, for the udev trigger"),
    )
    for name, handler, words in table:
        subparser = commands.add_parser(name, help=words, description=words)
        subparser.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        subparser.set_defaults(handler=handler)
        if name == "check":
            subparser.add_argument("file", nargs="?", default=config.PATH)
        if name == "doctor":
            _add_doctor_options(subparser)
    options = parser.parse_args(arguments)
    if os.geteuid() != 0 and options.command != "check":
        raise model.NetnsError("only root can enter and mount network namespaces: use sudo")
    if options.handler is None:
        parser.error(f"{options.command} takes no options")
    chosen: t.Callable[[argparse.Namespace], int] = options.handler
    return chosen(options)


def _add_doctor_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--repair",
        action="append",
        default=[],
        metavar="CHECK",
        help="repair what this check finds",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="repair nothing, and show what would be"
    )


def _doctor(options: argparse.Namespace) -> int:
    """Show what is wrong. Returns 1 if something is, beside notes, and was not repaired."""
    from ..checks import doctor, registry  # noqa: PLC0415 - the other commands do without
    from ..checks.request import DoctorRequest  # noqa: PLC0415

    unknown = [name for name in options.repair if name not in registry.REPAIRS]
    if unknown:
        raise model.NetnsError(
            f"{unknown[0]} is not a check that can repair: give one of {', '.join(registry.REPAIRS)}"
        )
    settings = config.load(options.config)
    result = doctor.run(
        DoctorRequest(
            repair=tuple(options.repair),
            sources=settings.sources,
            netns_dir=settings.netns_dir,
        ),
        options.dry_run,
    )
    if options.json:
        values = result._asdict()
        del values["diff"], values["failures"]
        _print_line(json.dumps(values, indent=2))
    else:
        for finding in result.findings:
            state = " (repaired)" if finding["repaired"] else ""
            _print_line(f"{finding['severity']}: {finding['check']}{state}: {finding['message']}")
            for line in finding["evidence"]:
                _print_line(f"  {line}")
            _print_line(f"  -> {finding['remedy']}")
        _print_line(f"{len(result.findings)} findings of {len(result.checked)} checks")
        for problem in result.incomplete:
            _print_line(f"netns-hook: {problem['source']}: {problem['reason']}", sys.stderr)
    for failure in result.failures:
        _print_line(f"netns-hook: {failure}", sys.stderr)
    left = [each for each in result.findings if not each["repaired"] and each["severity"] != "note"]
    return 1 if left or result.failures else 0


def _check(options: argparse.Namespace) -> int:
    config.load(options.file)
    return 0


def _sync(options: argparse.Namespace) -> int:
    result = run.run(config.load(options.config).link_request())
    if options.json:
        _print_line(json.dumps({"changed": result.changed, "links": result.links}, indent=2))
    else:
        rows = [row for row in result.links if row["action"] != transitions.UNCHANGED]
        _print_table(
            ("ACTION", "NAME", "INODE", "OWNER", "REASON"),
            [
                (row["action"], row["name"], row["netns"], _owner(row), row["reason"])
                for row in rows
            ],
        )
        _print_line(f"{len(result.links) - len(rows)} links are unchanged")
    return _print_problems(result)


def _list(options: argparse.Namespace) -> int:
    """Show what a run would do now, and the other entries of the ledger."""
    settings = config.load(options.config)
    result = run.run(settings.link_request(), check=True)
    entries = {
        entry.name: entry
        for path, entry in ledger.Ledger().entries.items()
        if os.path.dirname(path) == settings.netns_dir
    }
    rows, reasons = [], {}
    for row in result.links:
        entry = entries.pop(row["name"], None)
        rows.append({**row, "maker": entry.maker if entry else None})
        if row["container"]:
            reasons[row["engine"], row["container"]["id"]] = row["reason"]
    rows += [
        {
            "name": entry.name,
            "path": entry.path,
            "inode": entry.netns.inode,
            "netns": entry.netns.inode,
            "engine": entry.engine,
            "container": {"id": entry.container_id, "name": entry.container_name}
            if entry.key
            else None,
            "pod": entry.pod._asdict() if entry.pod else None,
            # A container may have another first process by now.
            "pid": None if entry.key else entry.pid,
            **_unplanned(entry, reasons),
            "maker": entry.maker,
        }
        for entry in entries.values()
    ]
    rows.sort(key=lambda row: row["name"])
    if options.json:
        # 1.0.0 had the key `state` instead of `action`.
        _print_line(json.dumps([{**row, "state": row["action"]} for row in rows], indent=2))
    else:
        makers = {"hook": "hook", "module": "netns_link"}
        _print_table(
            ("NAME", "INODE", "OWNER", "MADE BY", "ACTION", "REASON"),
            [
                (
                    row["name"],
                    row["netns"],
                    _owner(row),
                    makers.get(row["maker"] or ""),
                    row["action"],
                    row["reason"],
                )
                for row in rows
            ],
        )
    return _print_problems(result)


def _unplanned(
    entry: ledger.Entry, reasons: t.Mapping[tuple[str, str], str | None]
) -> dict[str, str | None]:
    """The action and reason of a link that the plan leaves out.

    `reasons` are those of the plan, by engine and container. The plan contains the container of each link
    that the hook made, except of engines that were not read.
    """
    if entry.maker != HOOK:
        return {"action": _IGNORED, "reason": None}
    reason = reasons.get((entry.engine or "", entry.container_id or ""))
    return {"action": transitions.SKIPPED, "reason": reason or f"{entry.engine} was not read"}


def _status(options: argparse.Namespace) -> int:
    settings = config.load(options.config)
    unit = _SERVICE_UNIT if settings.trigger == "events" else _PATH_UNIT
    properties = _systemctl_show(unit)
    links = [entry for entry in ledger.Ledger().entries.values() if entry.maker == "hook"]
    values = {
        "unit": unit,
        "state": properties.get("ActiveState", "unknown"),
        "status": properties.get("StatusText", ""),
        "trigger": settings.trigger,
        "engines": settings.engines,
        "sources": list(settings.sources),
        "labels": dict(settings.labels),
        "name_template": settings.name_template,
        "resolv_conf": settings.resolv_conf,
        "resync_interval": settings.resync_interval,
        "doctor": settings.doctor,
        "links": len(links),
    }
    if options.json:
        # 1.0.0 had the key `says` instead of `status`.
        _print_line(json.dumps({**values, "says": values["status"]}, indent=2))
    else:
        labels = ", ".join(f"{name}={value}" for name, value in settings.labels.items())
        texts = {
            **values,
            "engines": ", ".join(settings.engines) if settings.engines is not None else "all",
            "sources": ", ".join(settings.sources),
            "labels": labels or "any",
            "resolv_conf": "yes" if settings.resolv_conf else "no",
            "resync_interval": f"{settings.resync_interval} s",
            "doctor": "yes" if settings.doctor else "no",
        }
        for name, text in texts.items():
            if text != "":
                _print_line(f"{name:>15}: {text}")
    return 0 if values["state"] == "active" else _NOT_ACTIVE


def _systemctl_show(unit: str) -> dict[str, str]:
    command = ["systemctl", "show", "--property=ActiveState,StatusText", unit]
    try:
        # Ansible's run_command() needs an AnsibleModule, and no module runs this.
        # pylint: disable-next=ansible-bad-function
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise model.NetnsError(f"systemctl: {error}") from None
    return dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)


def _owner(row: t.Mapping[str, t.Any]) -> str:
    if row["pod"]:
        pod = "/".join(filter(None, (row["pod"]["namespace"], row["pod"]["name"])))
        return f"{row['engine']} pod {pod}"
    if row["container"]:
        return f"{row['engine']} {row['container']['name']} {row['container']['id'][:12]}"
    return f"process {row['pid']}" if row["pid"] else ""


def _print_problems(result: Result) -> int:
    """Print warnings and failures. Returns the exit status."""
    for problem in (*result.warnings, *result.failures):
        _print_line(f"netns-hook: {texts.printable(problem)}", sys.stderr)
    return 1 if result.failures else 0


def _print_table(head: t.Sequence[str], rows: t.Sequence[t.Sequence[t.Any]]) -> None:
    lines = [
        head,
        *(["" if cell is None else texts.printable(str(cell)) for cell in row] for row in rows),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        _print_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
