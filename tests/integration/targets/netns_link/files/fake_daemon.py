# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""fake_daemon.py PATH [BODY]: a daemon that accepts every request, and returns a response with BODY or none at all.

It ends when the socket PATH is removed.
"""

from __future__ import annotations

import os
import socket
import sys


def main() -> None:
    """Accept connections until PATH is removed."""
    path, *response = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    listener.settimeout(0.5)
    open_connections = []
    while os.path.exists(path):
        try:
            connection, _address = listener.accept()
        except socket.timeout:
            continue
        open_connections.append(connection)
        if response:
            body = response[0].encode()
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )


if __name__ == "__main__":
    main()
