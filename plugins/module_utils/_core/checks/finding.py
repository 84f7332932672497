# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check finds, and what a check is."""

from __future__ import annotations

import typing as t

from ..named_tuple import NamedTuple

if t.TYPE_CHECKING:
    from .evidence import Evidence
    from .repair import Context

ERROR, WARNING, NOTE = SEVERITIES = ("error", "warning", "note")


class Subject(NamedTuple):
    """What a finding is about; what does not apply is None or empty."""

    inode: int | None = None
    names: tuple[str, ...] = ()
    path: str | None = None
    interface: str | None = None
    containers: tuple[str, ...] = ()


class Repair(NamedTuple):
    """How a finding can be repaired: the lines of the diff, and `target`, which the check's repair needs.

    `where` is what the lines are about, as the diff's header.
    """

    where: str
    before: str
    after: str = ""
    target: t.Any = None


class Finding(NamedTuple):
    """Something that is wrong.

    `evidence` is what was read, and where. `repair` is None where the check offers none for it.
    `identity` tells it apart from a later finding about the same subject. `settles` is how many seconds another
    program, such as the hook, may need to end it.
    """

    check: str
    severity: str
    subject: Subject
    message: str
    evidence: tuple[str, ...]
    remedy: str
    repair: Repair | None = None
    identity: tuple[t.Any, ...] = ()
    settles: float = 0.0

    @property
    def key(self) -> tuple[t.Any, ...]:
        """What is the same when the same thing is found again."""
        return (self.check, self.subject, self.identity)


class Unknown(Exception):
    """A check cannot know whether something is wrong; the arguments are what could not be read, and why."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source
        self.reason = reason


class Check(NamedTuple):
    """A check. Its name is that of its file.

    `repair` repairs a finding, under the locks, and right after `find` has found it again there. It raises
    NetnsError or OSError where it cannot. With `prunes`, a run of `links` repairs all findings, and takes the locks
    and checks itself; the target of each repair is the name of a link. A check has one of them or none.
    """

    name: str
    find: t.Callable[[Evidence], t.Iterable[Finding]]
    repair: t.Callable[[Repair, Context], None] | None = None
    prunes: bool = False

    @property
    def repairs(self) -> bool:
        """Whether it offers a repair."""
        return self.repair is not None or self.prunes
