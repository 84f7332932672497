# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be true of what readers return, whatever they are given."""

from __future__ import annotations

import contextlib
import os
import pathlib
import typing as t

import hostile_inputs

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model, names


def check_container(container: model.Container) -> None:
    """What has to be true of each container that a reader returns."""
    pod = (container.pod.namespace, container.pod.name, container.pod.uid) if container.pod else ()
    for text in (
        container.id,
        container.name,
        container.status,
        container.image,
        container.network_mode,
        container.user,
        *pod,
        *container.labels,
        *container.labels.values(),
    ):
        assert isinstance(text, str)
        text.encode()
    assert isinstance(container.pid, int)
    assert not isinstance(container.pid, bool)
    assert container.pid >= 0
    assert isinstance(container.created, float)
    assert isinstance(container.running, bool)
    if container.unread is not None:
        # Unknown is not gone, and nothing of it is taken for granted.
        assert container.running
        assert (container.pid, container.pin, container.resolv_conf) == (0, None, None)
        container.unread.encode("utf-8", "surrogateescape")
    assert isinstance(container.sandbox, bool)
    for path in (container.pin, container.resolv_conf):
        assert path is None or (path.startswith("/") and "\0" not in path)
    for placeholder in names.PLACEHOLDERS:
        with contextlib.suppress(model.SelectionError):
            check_name(names.Template(f"{{{placeholder}}}").fill(container))


def check_name(name: str) -> None:
    """What has to be true of each name that a link may get."""
    if names.refusal(name) is None:
        assert name not in ("", ".", "..")
        assert not set(name) & {"/", "\0", "\n"}
        assert len(os.fsencode(name)) <= 255


def check_reading(reading: model.Reading) -> None:
    """What has to be true of each engine's reading."""
    assert (reading.error is None) == (reading.state == model.READ)
    if reading.error is not None:
        reading.error.encode("utf-8", "surrogateescape")
    for container in reading.containers:
        check_container(container)


def check_isolation(
    read: t.Callable[[], model.Reading], path: pathlib.Path, spoil: t.Callable[[], None]
) -> model.Container:
    """Spoil a file of one container: only this one is unread, for a reason that names the file. Returns it."""
    before = read()
    spoil()
    after = read()
    assert (before.error, after.error, before.unread) == (None, None, ())
    (unread,) = after.unread
    assert str(path) in str(unread.unread)
    assert (unread.running, unread.pid, unread.pin, unread.problem) == (True, 0, None, None)
    assert [each for each in after.containers if each is not unread] == [
        each for each in before.containers if each.id != unread.id
    ]
    check_reading(after)
    return unread


def check_odd_file(
    read: t.Callable[[], model.Reading], path: pathlib.Path, file: hostile_inputs.File
) -> model.Container:
    """Put an odd file in the place of that of one container, see `check_isolation`."""
    unread = check_isolation(read, path, lambda: file.put(path))
    assert file.error in str(unread.unread)
    return unread


def refuse_to_open(monkeypatch: t.Any, path: pathlib.Path, error: OSError) -> None:
    """Have the kernel refuse to open one file in a directory that is open."""
    real = os.open

    def refuse(name: t.Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None and str(name).endswith(path.name):
            directory = os.readlink(f"/proc/self/fd/{dir_fd}")
            if pathlib.Path(directory, name) == path:
                raise error
        return real(name, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
