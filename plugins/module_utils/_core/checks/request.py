# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request of the doctor: its options, and which values are refused."""

from __future__ import annotations

from .. import model, selection
from ..engines import registry
from ..named_tuple import NamedTuple

_MAX_AGE = 86400 * 365


class DoctorRequest(NamedTuple):
    """The options of `netns_doctor`, as its documentation describes them.

    `checks` are names, or names after "!"; None or exclusions alone start from all.
    """

    checks: tuple[str, ...] | None = None
    repair: tuple[str, ...] = ()
    min_age: float = 60.0
    containers: tuple[str, ...] | None = None
    engines: tuple[str, ...] | None = None
    sources: tuple[str, ...] = ()
    netns_dir: str = "/run/netns"
    timeout: float = 5.0

    def check(self) -> None:
        """Raise SelectionError for a value that cannot be used."""
        registry.parse_sources(self.sources, self.engines)
        selection.check_items("containers", self.containers or ())
        selection.check_options(self.netns_dir, self.timeout)
        # Comparisons with NaN are false.
        if not 0 <= self.min_age <= _MAX_AGE:
            raise model.SelectionError(
                f"min_age is {self.min_age:g}: give the seconds that something has to last, {_MAX_AGE} at most"
            )

    def selects(self, name: str) -> bool:
        """Whether a check is selected. Exclusions win wherever they are in the list."""
        items = self.checks if self.checks is not None else ()
        included = [item for item in items if not item.startswith("!")]
        if f"!{name}" in items:
            return False
        return name in included or (not included and (self.checks is None or bool(items)))
