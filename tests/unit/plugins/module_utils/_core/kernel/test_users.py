# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of users from /etc/passwd, and from a C library that answers, does not, or knows nobody."""

from __future__ import annotations

import pathlib
import threading
import time
import types
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import users

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
# a comment
+@staff::::::
short:x:5
ann:x:1000:1000:Ann:/home/ann:/bin/sh
anne:x:1000:1000:Ann:/home/anne:/bin/sh
bad:x:-7:1000:::
j\xe9r:x:1001:1001::/home/j:/bin/sh
"""


@pytest.fixture(autouse=True)
def passwd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    path = tmp_path / "passwd"
    path.write_bytes(PASSWD.encode("latin-1"))
    monkeypatch.setattr(users, "_PASSWD", str(path))
    monkeypatch.setattr(users, "_answers", users._Answers())
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The users that the C library is asked for."""
    uids: list[int] = []

    def getpwuid(uid: int) -> t.Any:
        uids.append(uid)
        if uid == 2001:
            raise KeyError(uid)
        return types.SimpleNamespace(pw_name="" if uid == 2002 else f"u{uid}", pw_dir=f"/h/{uid}")

    monkeypatch.setattr(users.pwd, "getpwuid", getpwuid)
    return uids


def test_names(asked: list[int]) -> None:
    assert users.accounts([0, 1000, 1001, 2000, 2001, 2002], 5) == {
        0: ("root", "/root"),
        1000: ("ann", "/home/ann"),
        1001: ("j\udce9r", "/home/j"),
        2000: ("u2000", "/h/2000"),
        2001: ("2001", None),
        2002: ("2002", "/h/2002"),
    }
    # The C library is asked for those that /etc/passwd does not have, and once.
    users.accounts([0, 2000, 2001], 5)
    assert asked == [2000, 2001, 2002]
    assert users.problem() is None
    assert users.accounts([], 5) == {}


def test_answers_are_not_kept_for_ever(
    asked: list[int], passwd: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "_KEPT_SECONDS", -1.0)
    assert users.accounts([1000], 5)[1000].name == "ann"
    passwd.unlink()
    assert users.accounts([1000], 5)[1000].name == "u1000"


def test_a_name_service_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    answer = threading.Event()

    def getpwuid(uid: int) -> t.Any:
        calls.append(uid)
        if uid != 2000:
            answer.wait(20)
        return types.SimpleNamespace(pw_name=f"u{uid}", pw_dir="/")

    monkeypatch.setattr(users.pwd, "getpwuid", getpwuid)
    started = time.monotonic()
    try:
        names = {uid: each.name for uid, each in users.accounts([1000, 2000, 2001], 0.2).items()}
        assert names == {1000: "ann", 2000: "u2000", 2001: "2001"}
        assert users.problem() == (
            "the names of some users could not be read: no name service answered in 0.2 s"
        )
        # It is not asked again for some time, for anybody.
        assert users.accounts([1000, 2001, 2002], 9)[2002] == ("2002", None)
        assert calls == [2000, 2001]
        assert time.monotonic() - started < 2
    finally:
        answer.set()
    users._answers.silent_until = 0.0
    users._answers.accounts.clear()
    assert users.problem() is None
    assert users.accounts([2001], 9)[2001].name == "u2001"
