# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The oneshot of the udev trigger: reconciles all links until nothing changes any more.

The request file asks for it: a path unit starts the oneshot for as long as that file exists. The oneshot
removes the file before it reads the host, so a request that comes later leaves a new file, and systemd
starts the oneshot again.
"""

from __future__ import annotations

import os
import time
import typing as t

from .. import model
from ..links import ledger, run
from . import report

if t.TYPE_CHECKING:
    from .config import Config

REQUEST_FILE = "/run/linuxnet-netns-hook"
# What triggers the request, such as a new veth, comes before its container runs. With Podman on a loaded host, that was
# four seconds before.
_RETRY_DELAYS = (0.2, 0.8, 3.0)
_MAX_SECONDS = 60.0


def reconcile_until_stable(
    load_settings: t.Callable[[], Config],
    state_dir: str = ledger.DIRECTORY,
    request_file: str = REQUEST_FILE,
) -> None:
    """Reconcile all links, and again until that changes nothing. Raises NetnsError.

    Each run loads the settings, because a change of the settings also comes as a request.
    """
    reporter = report.Reporter(state_dir)
    was_requested = False
    end = time.monotonic() + _MAX_SECONDS
    # Runs since the last request or change. The timer makes no request and needs one run only.
    idle_runs = len(_RETRY_DELAYS) - 1
    while True:
        requested = _remove_request(request_file)
        was_requested = was_requested or requested
        try:
            settings = load_settings()
            result = run.run(settings.link_request(), state_dir=state_dir)
        except model.NetnsError as error:
            reporter.log_failed_run(str(error))
            raise
        reporter.log_result(result, "trigger", None)
        idle_runs = 0 if requested or result.changed else idle_runs + 1
        if idle_runs >= len(_RETRY_DELAYS) or time.monotonic() >= end:
            break
        time.sleep(_RETRY_DELAYS[idle_runs])
    # A request is about a container, which is to be linked at once. The timer makes none.
    if settings.doctor and not was_requested:
        from . import examination, findings  # noqa: PLC0415 - only where it is asked for

        findings_reporter = findings.FindingsReporter(state_dir)
        try:
            found = examination.examine(settings.netns_dir, state_dir, settings.sources)
        except examination.FailedError as error:
            findings_reporter.log_failure(str(error))
        else:
            findings_reporter.log(found)


def _remove_request(request_file: str) -> bool:
    """Remove the request file. Returns whether it existed."""
    try:
        os.unlink(request_file)
    except FileNotFoundError:
        return False
    return True
