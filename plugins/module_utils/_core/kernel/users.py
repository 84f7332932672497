# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and home directories of users (passwd(5), nsswitch.conf(5)), in a bounded time.

The C library may ask a server on the network for those that /etc/passwd does not have, and has no time
limit of its own.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import time
import typing as t

from .. import background
from ..named_tuple import NamedTuple

_PASSWD = "/etc/passwd"
_MAX_BYTES = 1 << 20
# The program may be resident. Answers are used again for this time, and a C library that hangs is not
# asked again.
_KEPT_SECONDS = 60.0


class Account(NamedTuple):
    """A user's name, and home directory. The name is the number as text where it is not known."""

    name: str
    home: str | None = None


class _Answers:
    """What was read lately, with the time at which it is read again."""

    def __init__(self) -> None:
        self.accounts: dict[int, tuple[float, Account]] = {}
        self.silent_until = 0.0
        self.problem: str | None = None


_answers = _Answers()


def accounts(uids: t.Iterable[int], timeout: float) -> dict[int, Account]:
    """The account of each user, in `timeout` seconds for all."""
    now = time.monotonic()
    wanted = set(uids)
    missing = {uid for uid in wanted if _answers.accounts.get(uid, (0.0,))[0] <= now}
    if missing:
        found = _in_passwd(missing)
        if missing - found.keys() and _answers.silent_until <= now:
            found.update(_ask(sorted(missing - found.keys()), timeout))
        for uid in missing:
            account = found.get(uid, Account(str(uid)))
            _answers.accounts[uid] = (now + _KEPT_SECONDS, account)
    return {uid: _answers.accounts[uid][1] for uid in wanted}


def problem() -> str | None:
    """Why names are missing from the latest answers."""
    return _answers.problem if time.monotonic() < _answers.silent_until else None


def _in_passwd(wanted: t.Container[int]) -> dict[int, Account]:
    found: dict[int, Account] = {}
    with contextlib.suppress(OSError), open(_PASSWD, "rb") as stream:
        for line in stream.read(_MAX_BYTES).split(b"\n"):
            fields = os.fsdecode(line).split(":")
            if len(fields) == 7 and fields[0] and fields[2].isdecimal():
                uid = int(fields[2])
                if uid in wanted:
                    found.setdefault(uid, Account(fields[0], fields[5]))
    return found


def _ask(uids: t.Sequence[int], timeout: float) -> dict[int, Account]:
    """What the C library answers. A thread that it keeps waiting is left behind."""
    found: dict[int, Account] = {}

    def ask() -> None:
        for uid in uids:
            try:
                entry = pwd.getpwuid(uid)
                found[uid] = Account(entry.pw_name or str(uid), entry.pw_dir)
            except KeyError:
                found[uid] = Account(str(uid))

    try:
        background.start(ask)(timeout)
    except background.Late:
        _answers.problem = f"the names of some users could not be read: no name service answered in {timeout:.1f} s"
        _answers.silent_until = time.monotonic() + _KEPT_SECONDS
    return dict(found)
