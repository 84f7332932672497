# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""engine.py SOCKET: Docker's API in a process of its own, so that the tests may fork.

Each line that it reads is told in JSON, and answered by an empty line: `containers` and `silent` are
what is true from then on, `event` is [action, id].
"""

from __future__ import annotations

import json
import sys

from support import Engine


def main() -> None:
    engine = Engine(sys.argv[1])
    for line in sys.stdin:
        told = json.loads(line)
        if "event" in told:
            engine.tell(*told["event"])
        else:
            engine.containers = told["containers"]
            engine.garbage = b"220 mail.example.org ESMTP\r\n\r\n" if told["silent"] else None
        print(flush=True)


if __name__ == "__main__":
    main()
