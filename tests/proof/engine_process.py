# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""engine_process.py SOCKET: Docker's API in a process of its own, so that the tests can fork.

Each line that it reads is a message in JSON, and is answered by an empty line: `containers`, `networks` and
`silent` set the state of the engine, `event` is an event to report, [action, id].
"""

from __future__ import annotations

import json
import sys

from support import Engine


def main() -> None:
    engine = Engine(sys.argv[1])
    for line in sys.stdin:
        message = json.loads(line)
        if "event" in message:
            engine.report_event(*message["event"])
        else:
            engine.containers, engine.networks = message["containers"], message["networks"]
            engine.garbage = b"220 mail.example.org ESMTP\r\n\r\n" if message["silent"] else None
        print(flush=True)


if __name__ == "__main__":
    main()
