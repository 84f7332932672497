# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters for the facts of one host or of many hosts. NAME.yml documents the filter NAME."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils import (
    _fleet_findings,
    _fleet_page,
    _fleet_ports,
    _fleet_search,
    _fleet_table,
    _fleet_target,
)
from ..plugin_utils._fleet_schema import FleetError


def _filter(function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    @functools.wraps(function)
    def wrapper(*arguments: t.Any, **options: t.Any) -> t.Any:
        try:
            return function(*arguments, **options)
        except FleetError as error:
            raise AnsibleFilterError(str(error)) from error

    return wrapper


class FilterModule:
    """The class that Ansible loads the filters from."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {
            "find_netns": _filter(_fleet_search.find),
            "netns_rows": _filter(_fleet_table.rows),
            "netns_table": _filter(_fleet_table.table),
            "netns_csv": _filter(_fleet_table.comma_separated),
            "netns_findings": _filter(_fleet_findings.rows),
            "netns_findings_table": _filter(_fleet_findings.table),
            "netns_findings_csv": _filter(_fleet_findings.comma_separated),
            "netns_page": _filter(_fleet_page.data),
            "netns_ports": _filter(_fleet_ports.rows),
            "netns_target": _filter(_fleet_target.target),
        }
