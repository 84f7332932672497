# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters for the facts of one host or of many. Each is documented in the file beside this one."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils import _fleet


def _filter(function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    @functools.wraps(function)
    def called(*arguments: t.Any) -> t.Any:
        try:
            return function(*arguments)
        except _fleet.FleetError as error:
            raise AnsibleFilterError(str(error)) from error

    return called


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {
            "find_netns": _filter(_fleet.find),
            "netns_rows": _filter(_fleet.rows),
            "netns_table": _filter(_fleet.table),
            "netns_csv": _filter(_fleet.comma_separated),
        }
