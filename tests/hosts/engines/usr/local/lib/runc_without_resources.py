# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""runc without resource limits, for machines whose cgroup2 has no controllers: pods always request CPU shares."""

from __future__ import annotations

import json
import os
import sys

arguments = sys.argv[1:]
if "create" in arguments:
    path = os.path.join(arguments[arguments.index("--bundle") + 1], "config.json")
    with open(path, encoding="utf-8") as stream:
        config = json.load(stream)
    if config.get("linux", {}).pop("resources", None) is not None:
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(config, stream)
os.execv("/usr/sbin/runc", ["runc", *arguments])
