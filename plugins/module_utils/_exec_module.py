# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: it can change at any time. Do not use it from other collections or plugins.

"""The module netns_exec: from parameters to a request, and from the result to the module's exit."""

from __future__ import annotations

import shlex
import typing as t

from ._argspec import Module, Spec, host_options, items, label, resolved, selectors
from ._core import model
from ._core.enter import namespace, run
from ._core.enter.command import Command
from ._core.enter.pool import Limits
from ._core.enter.request import ExecRequest
from ._core.texts import printable


def spec() -> Spec:
    """The spec of netns_exec. ExecRequest.check has the rules about `all`, as in netns_link."""
    return Spec(
        {
            **host_options(),
            **selectors(),
            "links": {"type": "list", "elements": "str", "aliases": ["link"]},
            "command": {"type": "str"},
            "argv": {"type": "list", "elements": "str"},
            "chdir": {"type": "str"},
            "env": {"type": "dict"},
            "stdin": {"type": "str"},
            "stdin_add_newline": {"type": "bool", "default": True},
            "strip_empty_ends": {"type": "bool", "default": True},
            "user": {"type": "str"},
            # Each command, and each engine.
            "timeout": {"type": "float", "default": 30},
            "forks": {"type": "int", "default": 8},
            "max_output": {"type": "int", "default": 65536},
            "etc": {"type": "str", "choices": ["auto", "host"], "default": "auto"},
            "dns_guard": {"type": "bool", "default": True},
        },
        mutually_exclusive=[("containers", "pid", "path", "links"), ("command", "argv")],
        required_one_of=[("command", "argv")],
    )


def run_exec() -> t.NoReturn:
    """Run the module."""
    module = Module(spec())
    try:
        result = run.run(_request(module.params), check=module.check_mode)
    except (model.NetnsError, namespace.EnterError) as error:
        module.fail_json(msg=printable(str(error)))
    for warning in result.warnings:
        module.warn(printable(warning))
    rows = [_stripped(row) if module.params["strip_empty_ends"] else row for row in result.rows]
    answer: dict[str, t.Any] = {
        "changed": any(row["rc"] is not None or row["problem"] is None for row in rows),
        "results": rows,
    }
    # Ansible takes any `rc` but 0 for a failure.
    if len(rows) == 1 and rows[0]["rc"] is not None:
        answer.update({name: answer["results"][0][name] for name in ("rc", "stdout", "stderr")})
    if result.failures:
        module.fail_json(msg=printable("; ".join(result.failures)), **answer)
    module.exit_json(**answer)


def _stripped(row: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        name: value.rstrip("\r\n") if value and name in ("stdout", "stderr") else value
        for name, value in row.items()
    }


def _request(params: t.Mapping[str, t.Any]) -> ExecRequest:
    return ExecRequest(
        command=_command(params),
        limits=Limits(params["timeout"], params["forks"], params["max_output"]),
        containers=items(params["containers"]),
        all=params["all"],
        pid=params["pid"],
        path=params["path"],
        links=items(params["links"]),
        labels={str(name): label(value) for name, value in params["labels"].items()},
        engines=items(params["engines"]),
        sources=items(params["sources"]) or (),
        netns_dir=resolved(params["netns_dir"]),
    )


def _command(params: t.Mapping[str, t.Any]) -> Command:
    argv = params["argv"]
    if argv is None:
        try:
            argv = shlex.split(params["command"])
        except ValueError as error:
            raise model.SelectionError(
                f"command: {error}: close the quotation, or use `argv`"
            ) from None
    stdin = params["stdin"]
    if stdin is not None and params["stdin_add_newline"]:
        stdin += "\n"
    return Command(
        argv=tuple(argv),
        chdir=params["chdir"],
        environment={str(name): label(value) for name, value in (params["env"] or {}).items()},
        stdin=None if stdin is None else stdin.encode("utf-8", "surrogateescape"),
        # On the host, before anything is entered: a directory service may have to be asked.
        account=namespace.find_account(params["user"]) if params["user"] else None,
        etc=params["etc"] == "auto",
        dns_guard=params["dns_guard"],
    )
