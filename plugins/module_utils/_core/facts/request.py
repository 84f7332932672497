# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request for facts, and the subsets of `gather_subset`."""

from __future__ import annotations

import types
import typing as t

from .. import model, selection
from ..engines import registry
from ..named_tuple import NamedTuple

CONTAINERS, INTERFACES, ROUTES = "containers", "interfaces", "routes"
PROCESSES, DNS, SOCKETS = "processes", "dns", "sockets"
SUBSETS = (CONTAINERS, INTERFACES, ROUTES, PROCESSES, DNS, SOCKETS)


class FactsRequest(NamedTuple):
    """The facts that are requested. `engines` and `patterns` are None where they select all.

    `sources` are further ones to read, beside those that are found.
    """

    netns_dir: str
    engines: t.Sequence[str] | None
    timeout: float
    subset: frozenset[str]
    patterns: t.Sequence[str] | None = None
    sources: registry.Sources = types.MappingProxyType({})

    def check(self) -> None:
        """Raise SelectionError for a value that cannot be used."""
        if "" in (self.patterns or ()):
            raise model.SelectionError(
                "`containers` contains an empty item: remove it; without the option, all namespaces are returned"
            )
        selection.check_options(self.netns_dir, self.timeout)


def parse_subset(items: t.Iterable[str]) -> frozenset[str]:
    """The subsets that `gather_subset` selects, beyond what is always returned.

    Exclusions win wherever they are in the list; exclusions alone start from all subsets. DNS needs
    the containers, because they determine whose resolv.conf is read: it includes them, and is
    excluded with them. The sockets include them for the ports that engines publish.
    """
    requested = set(items)
    excluded = {item[1:] for item in requested if item.startswith("!")}
    included = {item for item in requested if not item.startswith("!")}
    if "all" in included or (excluded and not included):
        included = set(SUBSETS)
    if "all" in excluded:
        # As in `setup`: "!all" removes what is not requested by its own name.
        included = requested.intersection(SUBSETS)
    if included.intersection((DNS, SOCKETS)):
        included.add(CONTAINERS)
    if CONTAINERS in excluded:
        excluded.add(DNS)
    return frozenset(included.intersection(SUBSETS) - excluded)
