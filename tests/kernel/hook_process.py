# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hook_process.py NETNS_DIR STATE_DIR ETC_DIR [SIGNAL]: `netns-hook run`, without engines.

With SIGNAL, the process sends itself this signal at each call and return of a function of the hook: at the
first one of the first round, at the second one of the second, and so on. A round ends with each reload.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import typing as t

from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import (
    config,
    main,
    service,
    systemd,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import etc_netns

_HOOK = os.path.dirname(main.__file__)


class SelfSignals:
    """Sends a signal at each moment in turn."""

    def __init__(self, number: signal.Signals) -> None:
        self._number = number
        self._moment = self._target = 0

    def next_round(self) -> None:
        self._moment = 0
        self._target += 1

    def profile(self, frame: t.Any, event: str, _argument: object) -> None:
        if not frame.f_code.co_filename.startswith(_HOOK) or event not in ("call", "return"):
            return
        if frame.f_code is systemd.notify.__code__:
            # Between two messages to systemd, not within one.
            return
        self._moment += 1
        if self._moment == self._target:
            os.kill(os.getpid(), self._number)


def run(netns_dir: str, state_dir: str, etc_dir: str, number: str = "") -> int:
    etc_netns.DIRECTORY = etc_dir
    settings = config.Config(engines=(), resync_interval=3600, netns_dir=netns_dir)
    signals = SelfSignals(signal.Signals[number]) if number else None

    def load() -> config.Config:
        if signals:
            signals.next_round()
        return settings

    config.load = load  # type: ignore[assignment]
    service.Service = functools.partial(  # type: ignore[assignment,misc]
        service.Service, watch_specs=(), state_dir=state_dir
    )
    if signals:
        sys.setprofile(signals.profile)
    try:
        return main.main(["run"], "test")
    finally:
        sys.setprofile(None)


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
