# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What C(netns_facts) and C(netns_info) share: the options, and the way from them to the facts."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ._argspec import HOST_SPEC
from ._core import model, selection
from ._core.facts import gather, request, shape
from ._core.names import printable

_SUBSETS = ("all", "min", *request.SUBSETS)

# Goes with the documentation fragment "facts".
FACTS_SPEC: dict[str, t.Any] = {
    "gather_subset": {
        "type": "list",
        "elements": "str",
        "default": [request.CONTAINERS, request.INTERFACES],
        "choices": [*_SUBSETS, *(f"!{name}" for name in _SUBSETS)],
    },
    "containers": {"type": "list", "elements": "str", "aliases": ["name"]},
}


def run(result: t.Callable[[shape.Facts], t.Mapping[str, t.Any]]) -> None:
    """Gather what the parameters ask for and end the module with the result that is made of it."""
    module = AnsibleModule(argument_spec={**HOST_SPEC, **FACTS_SPEC}, supports_check_mode=True)
    try:
        netns = gather.gather(_request(module.params))
    except model.NetnsError as error:
        module.fail_json(msg=printable(str(error)))
    warning = shape.warning(netns)
    if warning:
        module.warn(printable(warning))
    module.exit_json(**result(netns))


def _request(parameters: t.Mapping[str, t.Any]) -> request.FactsRequest:
    patterns = parameters["containers"]
    if patterns is not None:
        patterns = [pattern.strip() for pattern in patterns]
        if not all(patterns):
            raise model.SelectionError(
                "`containers` holds an empty item: take it out; without the option all namespaces are given"
            )
    selection.check_options(parameters["netns_dir"], parameters["timeout"])
    subset = request.parse_subset(parameters["gather_subset"])
    return request.FactsRequest(
        netns_dir=parameters["netns_dir"],
        engines=parameters["engines"],
        timeout=parameters["timeout"],
        # Whose a namespace is must be known to select it by its containers.
        subset=subset if patterns is None else subset | {request.CONTAINERS},
        patterns=patterns,
    )
