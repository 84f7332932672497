# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: it can change at any time. Do not use it from other collections or plugins.

"""The modules netns_facts and netns_info: from parameters to the facts."""

from __future__ import annotations

import typing as t

from ._argspec import Module, Spec, host_options, items
from ._core import model
from ._core.engines import registry
from ._core.facts import gather, request
from ._core.texts import printable

if t.TYPE_CHECKING:
    from ._core.facts import shape


def spec() -> Spec:
    """The spec of netns_facts and netns_info."""
    subsets = ("all", "min", *request.SUBSETS)
    return Spec(
        {
            **host_options(),
            # Of the documentation fragment "_facts".
            "gather_subset": {
                "type": "list",
                "elements": "str",
                "default": [request.CONTAINERS, request.INTERFACES],
                "choices": [*subsets, *(f"!{name}" for name in subsets)],
            },
            "containers": {"type": "list", "elements": "str", "aliases": ["container", "name"]},
        }
    )


def run_facts(result: t.Callable[[shape.Facts], t.Mapping[str, t.Any]]) -> None:
    """Run the module, which ends with the result that the function makes of the facts."""
    module = Module(spec())
    try:
        netns = gather.gather(_request(module.params))
    except model.NetnsError as error:
        module.fail_json(msg=printable(str(error)))
    from ._core.facts import shape  # noqa: PLC0415 - loaded while the kernel is searched

    warning = shape.warning(netns)
    if warning:
        module.warn(printable(warning))
    module.exit_json(**result(netns))


def _request(params: t.Mapping[str, t.Any]) -> request.FactsRequest:
    patterns = items(params["containers"])
    subset = request.parse_subset(params["gather_subset"])
    return request.FactsRequest(
        netns_dir=params["netns_dir"],
        engines=params["engines"],
        sources=registry.parse_sources(params["sources"], params["engines"]),
        timeout=params["timeout"],
        # Namespaces are selected by their containers, which must be known for that.
        subset=subset if patterns is None else subset | {request.CONTAINERS},
        patterns=patterns,
    )
