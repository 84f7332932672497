# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: it can change at any time. Do not use it from other collections or plugins.

"""The module netns_link: from parameters to a request, and from the result to the module's exit."""

from __future__ import annotations

import typing as t

from ._argspec import Module, Spec, host_options, items, label, resolved, selectors
from ._core import model
from ._core.links import run
from ._core.links.request import LinkRequest
from ._core.texts import printable


def spec() -> Spec:
    """The spec of netns_link.

    `all` and `prune` are false by default, and a default counts as given in required_one_of, as `false`
    does in mutually_exclusive. LinkRequest.check has these rules, and those that depend on `state`.
    """
    return Spec(
        {
            **host_options(),
            **selectors(),
            "name": {"type": "list", "elements": "str"},
            "name_template": {"type": "str", "default": "{name}"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "prune": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "resolv_conf": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("containers", "pid", "path")],
        required_by={"pid": ["name"], "path": ["name"]},
    )


def run_link() -> t.NoReturn:
    """Run the module."""
    module = Module(spec())
    try:
        result = run.run(_request(module.params), check=module.check_mode)
    except model.NetnsError as error:
        module.fail_json(msg=printable(str(error)))
    for warning in result.warnings:
        module.warn(printable(warning))
    answer: dict[str, t.Any] = {"changed": result.changed, "links": result.links}
    if module._diff:
        answer["diff"] = result.diff
    if result.failures:
        module.fail_json(msg=printable("; ".join(result.failures)), **answer)
    module.exit_json(**answer)


def _request(params: t.Mapping[str, t.Any]) -> LinkRequest:
    return LinkRequest(
        state=params["state"],
        containers=items(params["containers"]),
        all=params["all"],
        pid=params["pid"],
        path=params["path"],
        names=items(params["name"]),
        name_template=params["name_template"],
        labels={str(name): label(value) for name, value in params["labels"].items()},
        engines=items(params["engines"]),
        sources=items(params["sources"]) or (),
        prune=params["prune"],
        force=params["force"],
        resolv_conf=params["resolv_conf"],
        # So that one directory has one name.
        netns_dir=resolved(params["netns_dir"]),
        timeout=params["timeout"],
    )
