# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the helper that enters namespaces makes of nsswitch.conf(5), and what it imports."""

from __future__ import annotations

import ast
import inspect
import sys

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import namespace


@pytest.mark.parametrize(
    ("hosts", "guarded"),
    [
        ("hosts: files dns", "hosts: files dns"),
        ("hosts:\tfiles dns # resolve", "hosts:\tfiles dns # resolve"),
        ("# hosts: resolve", "# hosts: resolve"),
        ("hosts: resolve", "hosts: dns"),
        ("hosts: files resolve", "hosts: files dns"),
        # Debian with libnss-resolve, Fedora, Arch Linux, Ubuntu with Avahi.
        ("hosts: files resolve [!UNAVAIL=return] dns", "hosts: files dns"),
        (
            "hosts:      files myhostname resolve [!UNAVAIL=return] dns",
            "hosts: files myhostname dns",
        ),
        (
            "hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns",
            "hosts: files myhostname dns",
        ),
        ("hosts: files mdns4_minimal [NOTFOUND=return] dns", "hosts: files dns"),
        # An action may contain spaces, and may stand directly at a service. Another's action stays.
        ("hosts: files resolve[ ! UNAVAIL = return ]dns", "hosts: files dns"),
        ("hosts: files [NOTFOUND=return] resolve", "hosts: files [NOTFOUND=return] dns"),
        ("  hosts : resolve # comment", "  hosts : dns"),
        ("passwd: resolve", "passwd: resolve"),
        ("hosts:", "hosts:"),
        ("hosts", "hosts"),
        ("hosts: files [", "hosts: files ["),
        ("hosts: resolve [", "hosts: dns"),
    ],
)
def test_services_that_answer_for_the_host_are_left_out(hosts: str, guarded: str) -> None:
    around = "passwd: files\n{}\nnetworks: files\n"
    assert namespace.without_host_services(around.format(hosts)) == around.format(guarded)


def test_the_file_stands_alone() -> None:
    tree = ast.parse(inspect.getsource(namespace))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [node for node in imports if isinstance(node, ast.ImportFrom) and node.level] == []
    names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    # Each of them costs time in each task. typing alone would cost more than entering does.
    assert names == {"_ctypes", "_signal", "fcntl", "os", "pwd", "stat", "sys"}
    assert names - set(sys.modules) == set()
