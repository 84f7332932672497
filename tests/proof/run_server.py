# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process that does a run for each request that it reads, a line of JSON.

It answers {"links": …, "failures": …} or {"refused": …}; any other exception ends it.
"""

from __future__ import annotations

import json
import sys

from isolated_host import ETC, RUN

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import etc_netns, run
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import LinkRequest


def main() -> None:
    etc_netns.DIRECTORY = str(ETC)
    print("ready", flush=True)
    for line in sys.stdin:
        request = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in json.loads(line).items()
        }
        try:
            result = run.run(LinkRequest(**request), state_dir=str(RUN / "linuxnet-netns"))
        except model.NetnsError as error:
            answer = {"refused": str(error)}
        else:
            answer = {"links": result.links, "failures": result.failures}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
