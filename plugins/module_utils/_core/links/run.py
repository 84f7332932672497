# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run from request to result, as the modules and the hook start it."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .. import model
from ..kernel import nsfs
from . import ledger, snapshot
from .request import LinkRequest
from .session import SessionCache

if t.TYPE_CHECKING:
    from . import result


def run(
    request: LinkRequest,
    check: bool = False,
    state_dir: str = ledger.DIRECTORY,
    session: SessionCache | None = None,
) -> result.Result:
    """Bring the host to the state that is requested; with `check`, only report what would be done.

    `state_dir` is where the ledger is, the same for all that work on one host.
    Raises NetnsError, before anything is changed, for what cannot be done at all; after that, where the
    ledger cannot be written.
    """
    request.check()
    if os.geteuid() != 0:
        raise model.NetnsError("only root can mount namespaces: set `become: true`")
    nsfs.check_proc()
    try:
        with umask(), ledger.locked(
            state_dir, create=not check
        ), contextlib.ExitStack() as open_files:
            if session is None:
                session = SessionCache(ledger.Ledger(state_dir))
                open_files.callback(session.close)
            else:
                session.ledger.refresh()
            if request.only is None and not check:  # not at each event of an engine
                ledger.prepare_code_cache(state_dir)
            query = snapshot.query_engines(request, session)
            # The other half of the program, which is loaded while the engines answer.
            from . import apply, plan, result, transitions  # noqa: PLC0415

            host = snapshot.take(request, session, open_files, query)
            if request.only is None:
                mount = host.directory.mount
                is_ready = transitions.propagation(host.directory) == transitions.READY
                session.ready_mount = mount.id if mount and is_ready else None
            steps = plan.make(request, host)
            if check:
                results = steps.expected_results()
            else:
                results, warnings = apply.apply(request, steps, session)
                if query.recorded:
                    query.recorded.remember()
                steps = steps._replace(warnings=(*steps.warnings, *warnings))
    except OSError as error:
        from . import apply  # noqa: PLC0415

        raise model.NetnsError(apply.explain(error)) from None
    return result.of(request, host, steps, results)


@contextlib.contextmanager
def umask() -> t.Iterator[None]:
    """Other users can read what is made: netns_dir, and each resolv.conf. The ledger has a mode of its own."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)
