# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entry point of the command `netns-hook`, which also starts the service and the udev trigger."""

from __future__ import annotations

import sys
import typing as t

from .. import model, texts
from . import config, systemd

_PROGRAM = "netns-hook"


def main(arguments: t.Sequence[str], version: str) -> int:
    """Run the program with these arguments. Returns the exit status."""
    try:
        # Units start these two. They need none of the imports of the other commands.
        if list(arguments) == ["run"]:
            return _serve()
        if list(arguments) == ["trigger"]:
            return _trigger()
        from . import command  # noqa: PLC0415

        return command.main(arguments, version)
    except model.NetnsError as error:
        sys.stderr.write(f"{_PROGRAM}: {texts.printable(str(error))}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _serve() -> int:
    from .signals import Signals  # noqa: PLC0415 - the udev trigger does not need it

    with Signals() as signals:
        # Only now, because the import takes a while.
        from . import service  # noqa: PLC0415

        settings = config.load()
        while service.Service(settings).loop(signals) == service.RELOAD:
            systemd.notify_reloading()
            try:
                settings = config.load()
            except model.NetnsError as error:
                systemd.log(systemd.WARNING, f"the former settings stay in effect: {error}")
    return 0


def _trigger() -> int:
    from . import oneshot  # noqa: PLC0415 - the service does not need it

    oneshot.reconcile_until_stable(config.load)
    return 0
