# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: it can change at any time. Do not use it from other collections or plugins.

"""The module netns_doctor: from parameters to a request, and from the result to the module's exit."""

from __future__ import annotations

import typing as t

from ._argspec import Module, Spec, host_options, items
from ._core import model
from ._core.checks import doctor, registry
from ._core.checks.request import DoctorRequest
from ._core.texts import printable


def spec() -> Spec:
    """The spec of netns_doctor."""
    return Spec(
        {
            **host_options(),
            "checks": {
                "type": "list",
                "elements": "str",
                "choices": [*registry.NAMES, *(f"!{name}" for name in registry.NAMES)],
            },
            "repair": {
                "type": "list",
                "elements": "str",
                "default": [],
                "choices": list(registry.REPAIRS),
            },
            "min_age": {"type": "float", "default": 60},
            "containers": {"type": "list", "elements": "str", "aliases": ["container"]},
        }
    )


def run_doctor() -> t.NoReturn:
    """Run the module."""
    module = Module(spec())
    try:
        result = doctor.run(_request(module.params), module.check_mode)
    except model.NetnsError as error:
        module.fail_json(msg=printable(str(error)))
    answer: dict[str, t.Any] = {
        "changed": result.changed,
        "findings": result.findings,
        "checked": result.checked,
        "incomplete": result.incomplete,
    }
    if module._diff:
        answer["diff"] = result.diff
    if result.failures:
        module.fail_json(msg="; ".join(result.failures), **answer)
    module.exit_json(**answer)


def _request(params: t.Mapping[str, t.Any]) -> DoctorRequest:
    return DoctorRequest(
        checks=items(params["checks"]),
        repair=tuple(params["repair"]),
        min_age=params["min_age"],
        containers=items(params["containers"]),
        engines=items(params["engines"]),
        sources=items(params["sources"]) or (),
        netns_dir=params["netns_dir"],
        timeout=params["timeout"],
    )
