# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a resident process, the hook's service, keeps between runs."""

from __future__ import annotations

from ..engines import registry
from .ledger import Ledger


class SessionCache:
    """What is kept from run to run, so that a run reads only what has changed.

    `ledger` is read again only where another process has written it. `ready_mount` is the id of the mount
    of netns_dir that is known to need no preparation, None for no mount. `connections` are those to engines.
    `budget` is the time that engines have in the present run.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.ready_mount: int | None = None
        self.connections: registry.Connections = {}
        self.budget = registry.Budget(0)

    def close(self) -> None:
        """Close the connections."""
        for clients in self.connections.values():
            for client in clients.values():
                client.close()
        self.connections.clear()
