# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run from wish to result, as the modules and the hook start it."""

from __future__ import annotations

import contextlib
import os
import typing as t

from . import ledger, model, snapshot
from .wish import Wish

if t.TYPE_CHECKING:
    from . import outcome


def run(
    wish: Wish,
    check: bool = False,
    state_dir: str = ledger.DIRECTORY,
    memory: snapshot.Memory | None = None,
) -> outcome.Outcome:
    """Make the host as the wish says; with `check` only say what would be done.

    `state_dir` is where the ledger is, the same for all that work on one host.
    Raises NetnsError, before anything is changed, for what cannot be done at all; after that, where the
    ledger cannot be written.
    """
    wish.check()
    if os.geteuid() != 0:
        raise model.NetnsError("only root can mount namespaces: set `become: true`")
    try:
        with ledger.locked(state_dir, create=not check), contextlib.ExitStack() as held:
            if memory is None:
                memory = snapshot.Memory(ledger.Ledger(state_dir))
                held.callback(memory.close)
            else:
                memory.book.refresh()
            readings = snapshot.ask(wish, memory)
            # The other half of the program, which is loaded while the engines answer.
            from . import apply, decide, outcome, plan  # noqa: PLC0415

            view = snapshot.take(wish, memory, held, readings)
            if wish.only is None:
                is_ready = decide.propagation(view.directory) == decide.READY
                memory.ready = view.directory.mount if is_ready else None
            todo = plan.make(wish, view)
            if not check:
                apply.carry_out(wish, todo, memory)
    except OSError as error:
        from . import apply  # noqa: PLC0415

        raise model.NetnsError(apply.explain(error)) from None
    return outcome.of(wish, view, todo)
