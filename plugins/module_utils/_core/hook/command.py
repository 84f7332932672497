# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engineer who is logged in asks of the hook."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import typing as t

from .. import model, names
from ..links import ledger, run, transitions
from ..links.result import Result
from . import config, oneshot

# As `systemctl status` has it for what is not active.
_NOT_ACTIVE = 3
_SERVICE, _PATH = "linuxnet-netns-hook.service", "linuxnet-netns-hook-sync.path"
_STATES = {
    transitions.CREATED: "missing",
    transitions.REPAIRED: "broken",
    transitions.RELINKED: "outdated",
    transitions.REMOVED: "left over",
    transitions.UNCHANGED: "linked",
    transitions.SKIPPED: "not linked",
    transitions.CONFLICT: "conflict",
}


def _say(line: str, stream: t.TextIO | None = None) -> None:
    # Not by print(), which is taken for a mistake in what modules can load.
    (stream or sys.stdout).write(f"{line}\n")


def main(arguments: t.Sequence[str], version: str) -> int:
    """Run one command. Raises NetnsError."""
    parser = argparse.ArgumentParser(
        prog="netns-hook", description="Keeps links to the network namespaces of containers."
    )
    parser.add_argument("--version", action="version", version=version)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--config", default=config.PATH, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    actions: tuple[tuple[str, t.Callable[[argparse.Namespace], int] | None, str], ...] = (
        ("list", _list, "show every link of ours, whose it is, and whether it is as it should be"),
        ("sync", _sync, "look at everything now, and put right what is not"),
        ("status", _status, "show what the hook is set to do, and whether it runs"),
        ("check", _check, "see whether a file of settings is right"),
        ("run", None, "follow the engines, as the service does"),
        ("trigger", _trigger, "look until nothing changes any more, as the udev trigger does"),
    )
    for name, action, words in actions:
        sub = commands.add_parser(name, help=words, description=words)
        sub.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        sub.set_defaults(action=action)
        if name == "check":
            sub.add_argument("file", nargs="?", default=config.PATH)
    options = parser.parse_args(arguments)
    if os.geteuid() != 0 and options.command != "check":
        raise model.NetnsError("only root can look into namespaces and mount them: use sudo")
    if options.command == "run":
        parser.error("run takes no options")
    chosen: t.Callable[[argparse.Namespace], int] = options.action
    return chosen(options)


def _check(options: argparse.Namespace) -> int:
    config.load(options.file)
    return 0


def _trigger(options: argparse.Namespace) -> int:
    oneshot.settle(lambda: config.load(options.config))
    return 0


def _sync(options: argparse.Namespace) -> int:
    result = run.run(config.load(options.config).request())
    if options.json:
        _say(json.dumps({"changed": result.changed, "links": result.links}, indent=2))
    else:
        changes = [row for row in result.links if row["action"] != transitions.UNCHANGED]
        _table(
            ("ACTION", "NAME", "INODE", "OWNER", "REASON"),
            [
                (row["action"], row["name"], row["netns"], _owner(row), row["reason"])
                for row in changes
            ],
        )
        _say(f"{len(result.links) - len(changes)} links are as they should be")
    return _tell(result)


def _list(options: argparse.Namespace) -> int:
    """By what a run would do now, and what else the ledger has."""
    settings = config.load(options.config)
    result = run.run(settings.request(), check=True)
    entries = {
        entry.name: entry
        for path, entry in ledger.Ledger().entries.items()
        if os.path.dirname(path) == settings.netns_dir
    }
    rows = []
    for row in result.links:
        entry = entries.pop(row["name"], None)
        state = _STATES[row["action"]]
        rows.append({**row, "state": state, "maker": entry.maker if entry else None})
    rows += [
        {
            "name": entry.name,
            "path": entry.path,
            "netns": entry.netns.inode,
            "engine": entry.engine,
            "container": {"id": entry.container_id, "name": entry.container_name}
            if entry.key
            else None,
            "pod": entry.pod._asdict() if entry.pod else None,
            "pid": entry.pid,
            "state": "not the hook's",
            "maker": entry.maker,
            "reason": None,
        }
        for entry in entries.values()
    ]
    rows.sort(key=lambda row: row["name"])
    for row in rows:
        row.pop("action", None)
    if options.json:
        _say(json.dumps(rows, indent=2))
    else:
        _table(
            ("NAME", "INODE", "OWNER", "MADE BY", "STATE", "REASON"),
            [
                (
                    row["name"],
                    row["netns"],
                    _owner(row),
                    {"hook": "hook", "module": "netns_link"}.get(row["maker"] or ""),
                    row["state"],
                    row["reason"],
                )
                for row in rows
            ],
        )
    return _tell(result)


def _status(options: argparse.Namespace) -> int:
    settings = config.load(options.config)
    unit = _SERVICE if settings.trigger == "events" else _PATH
    told = _systemctl(unit)
    links = [entry for entry in ledger.Ledger().entries.values() if entry.maker == "hook"]
    facts = {
        "unit": unit,
        "state": told.get("ActiveState", "unknown"),
        "says": told.get("StatusText", ""),
        "trigger": settings.trigger,
        "engines": settings.engines,
        "labels": dict(settings.labels),
        "name_template": settings.name_template,
        "resolv_conf": settings.resolv_conf,
        "resync_interval": settings.resync_interval,
        "links": len(links),
    }
    if options.json:
        _say(json.dumps(facts, indent=2))
    else:
        labels = ", ".join(f"{name}={value}" for name, value in settings.labels.items())
        words = {
            **facts,
            "engines": ", ".join(settings.engines) if settings.engines is not None else "every one",
            "labels": labels or "any",
            "resolv_conf": "yes" if settings.resolv_conf else "no",
            "resync_interval": f"{settings.resync_interval} s",
        }
        for name, value in words.items():
            if value != "":
                _say(f"{name:>15}: {value}")
    return 0 if facts["state"] == "active" else _NOT_ACTIVE


def _systemctl(unit: str) -> dict[str, str]:
    command = ["systemctl", "show", "--property=ActiveState,StatusText", unit]
    try:
        # No module runs this, so that there is none to ask for it.
        # pylint: disable-next=ansible-bad-function
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise model.NetnsError(f"systemctl: {error}") from None
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def _owner(row: t.Mapping[str, t.Any]) -> str:
    if row["pod"]:
        pod = "/".join(filter(None, (row["pod"]["namespace"], row["pod"]["name"])))
        return f"{row['engine']} pod {pod}"
    if row["container"]:
        return f"{row['engine']} {row['container']['name']} {row['container']['id'][:12]}"
    return f"process {row['pid']}" if row["pid"] else ""


def _tell(result: Result) -> int:
    for warning in result.warnings:
        _say(f"netns-hook: {names.printable(warning)}", sys.stderr)
    for failure in result.failures:
        _say(f"netns-hook: {names.printable(failure)}", sys.stderr)
    return 1 if result.failures else 0


def _table(head: t.Sequence[str], rows: t.Sequence[t.Sequence[t.Any]]) -> None:
    lines = [
        head,
        *(["" if cell is None else names.printable(str(cell)) for cell in row] for row in rows),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        _say("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
