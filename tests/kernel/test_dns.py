# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""resolv.conf below the roots of real processes that try to lead out of them, or to block."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from support import CHROOT, Daemon, ScratchHost, wait_a_clock_tick

from ansible_collections.linuxnet.netns.plugins.module_utils._core import dns, model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import in_root, nsfs
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import etc_netns

RESOLV_CONF = "nameserver 192.0.2.53\n"
RESULT = dns.Result(dns.Dns(("192.0.2.53",), (), ()))
SECRET = "nameserver 192.0.2.66\n"


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """The root directory of a container, with a secret outside it."""
    (tmp_path / "secret").write_text(SECRET)
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    return root


def read(root: pathlib.Path, path: str = "etc/resolv.conf") -> bytes:
    before = sorted(os.listdir("/proc/self/fd"))
    fd = os.open(root, os.O_PATH)
    try:
        return in_root.read(fd, path, 1 << 16)
    finally:
        os.close(fd)
        assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_plain_file(root: pathlib.Path) -> None:
    (root / "etc/resolv.conf").write_text(RESOLV_CONF)
    assert read(root) == RESOLV_CONF.encode()
    assert read(root, "/etc//./resolv.conf") == RESOLV_CONF.encode()
    assert read(root, "etc/../../../etc/resolv.conf") == RESOLV_CONF.encode()
    (root / "etc/resolv.conf").write_text("#" * (1 << 20))
    assert len(read(root)) == 1 << 16


@pytest.mark.parametrize(
    "target",
    [
        "../run/real",
        "/run/real",
        "../../../../../run/real",
        "/../run/./real",
        "/run/chain",
        "/run/up/run/real",
    ],
)
def test_symbolic_links_are_resolved_below_the_root(root: pathlib.Path, target: str) -> None:
    (root / "run").mkdir()
    (root / "run/real").write_text(RESOLV_CONF)
    (root / "run/chain").symlink_to("real")
    (root / "run/up").symlink_to("..")
    (root / "etc/resolv.conf").symlink_to(target)
    assert read(root) == RESOLV_CONF.encode()


@pytest.mark.parametrize("target", ["/secret", "../../secret", "../secret", "{outside}", "/etc/x"])
def test_symbolic_links_that_lead_out_of_the_root(root: pathlib.Path, target: str) -> None:
    (root / "etc/resolv.conf").symlink_to(target.format(outside=root.parent / "secret"))
    with pytest.raises(FileNotFoundError):
        read(root)


def test_endless_symbolic_links(root: pathlib.Path) -> None:
    (root / "etc/resolv.conf").symlink_to("resolv.conf")
    with pytest.raises(OSError, match="too many"):
        read(root)
    (root / "etc/resolv.conf").unlink()
    (root / "etc/resolv.conf").symlink_to("./" * 2000 + "x")
    with pytest.raises(OSError, match="too many"):
        read(root)


@pytest.mark.parametrize(
    ("kind", "description"),
    [
        ("fifo", "a FIFO"),
        ("directory", "a directory"),
        ("socket", "a socket"),
        ("device", "a character device"),
    ],
)
def test_only_regular_files_are_opened(root: pathlib.Path, kind: str, description: str) -> None:
    path = root / "etc/resolv.conf"
    if kind == "fifo":
        os.mkfifo(path)
        # The writer would end if anybody opened the FIFO for reading.
        writer = subprocess.Popen(["sh", "-c", f"echo >{path}"])
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        os.mknod(path, 0o140666)
    else:
        os.mknod(path, 0o20666, os.makedev(1, 5))
    with pytest.raises(OSError, match=f"is {description}, not a regular file"):
        read(root)
    if kind == "fifo":
        assert writer.poll() is None
        writer.kill()
        writer.wait()


@pytest.mark.parametrize("path", ["/proc/kmsg", "/proc/self/mounts", "/sys/kernel/notes"])
def test_pseudo_file_systems_are_not_read(path: str) -> None:
    with pytest.raises(OSError, match="is on a pseudo file system of the kernel"):
        read(pathlib.Path("/"), path)


def test_a_symbolic_link_in_proc_does_not_lead_out(
    root: pathlib.Path, scratch: ScratchHost
) -> None:
    """It is resolved by its text, and not as the kernel would follow it."""
    inner = root / "proc"
    inner.mkdir()
    subprocess.run(["mount", "--bind", "/proc", inner], check=True)
    scratch.dir = root
    try:
        (root / "etc/resolv.conf").symlink_to(f"/proc/{os.getpid()}/root{root.parent}/secret")
        with pytest.raises(FileNotFoundError):
            read(root)
    finally:
        subprocess.run(["umount", inner], check=True)


@contextlib.contextmanager
def container(root: pathlib.Path) -> t.Iterator[dns.ResolvConfSource]:
    command = ["unshare", "--net", sys.executable, "-c", CHROOT, str(root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        wait_a_clock_tick()
        yield dns.ResolvConfSource(
            process.pid, nsfs.netns_id(os.stat(f"/proc/{process.pid}/ns/net"))
        )
    finally:
        process.kill()
        process.communicate()


def test_read(root: pathlib.Path) -> None:
    other = root.parent / "other"
    (other / "etc").mkdir(parents=True)
    (root / "etc/resolv.conf").write_text(RESOLV_CONF)
    (other / "etc/resolv.conf").symlink_to("/etc")
    with container(root) as good, container(other) as bad, container(root / "etc") as none:
        assert dns.read([good, bad, none, good]) == [
            RESULT,
            dns.Result(None, "etc/resolv.conf is a directory, not a regular file"),
            dns.Result(),
            RESULT,
        ]
        # The process is in another namespace.
        assert dns.read([good._replace(netns=bad.netns)]) == [dns.Result()]
    assert dns.read([good]) == [dns.Result()]


def test_a_root_without_permission(root: pathlib.Path) -> None:
    with container(root) as source:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setresuid(65534, 65534, 65534)
                if dns.read([source]) == [dns.Result(None, "Permission denied")]:
                    status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0


def test_a_file_that_hangs_does_not_hide_others(
    root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that a program in the container serves."""
    monkeypatch.setattr(dns, "_IDLE_TIMEOUT", 3.0)
    (root / "etc/resolv.conf").write_text(RESOLV_CONF)
    real_read = in_root.read

    def hangs(fd: int, path: str, max_bytes: int) -> bytes:
        if os.fstat(fd).st_ino == os.stat(root / "etc").st_ino:
            os.read(os.pipe()[0], 1)
        return real_read(fd, path, max_bytes)

    monkeypatch.setattr(in_root, "read", hangs)
    with container(root) as good, container(root / "etc") as bad:
        results = dns.read([good, bad, good])
        assert [results[0], results[2]] == [RESULT, RESULT]
        assert (
            results[1].problem
            == "the process that reads its /etc/resolv.conf did not answer for 3 s"
        )


def test_a_process_that_does_not_exist() -> None:
    assert dns.read([dns.ResolvConfSource(2**22 + 1, model.NetnsId(4, 1))]) == [dns.Result()]


def test_resolv_conf_of_links_by_the_containers_own_file(
    scratch: ScratchHost,
    daemon: Daemon,
    root: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    """Of containers whose engine lists no resolv.conf for them, as LXC, nspawn and rootless engines."""
    text = "# mine\nsearch lan\nnameserver 192.0.2.53\noptions ndots:2\nnameserver ::1\n"
    (root / "etc/resolv.conf").write_text(text)
    other = tmp_path / "other"
    (other / "etc").mkdir(parents=True)
    (other / "etc/resolv.conf").mkdir()
    with container(root) as good, container(other) as bad, container(root / "etc") as none:
        for name, source in (("good", good), ("bad", bad), ("none", none)):
            daemon.add(name, source.pid, name.encode().hex().ljust(64, "0"))
        result = scratch.run(all=True, resolv_conf=True)
        reasons = {row["name"]: row["reason"] for row in result.links}
        assert {row["action"] for row in result.links} == {"created"}
        assert reasons == {
            "good": None,
            "bad": "the container's DNS servers could not be read, so no resolv.conf was written: "
            "etc/resolv.conf is a directory, not a regular file",
            "none": "the container has no DNS servers, so no resolv.conf was written",
        }
        assert os.listdir(scratch.etc) == ["good"]
        _mark, *lines = (scratch.etc / "good/resolv.conf").read_text().splitlines()
        assert lines == [
            "nameserver 192.0.2.53",
            "nameserver ::1",
            "search lan",
            "options ndots:2",
        ]
        assert scratch.act(all=True, resolv_conf=True)["good"] == "unchanged"


def test_a_resolv_conf_that_another_program_writes_meanwhile_stays(
    scratch: ScratchHost, daemon: Daemon, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "etc/resolv.conf").write_text(RESOLV_CONF)
    path = scratch.etc / "web/resolv.conf"
    prepare = etc_netns.remove_leftovers

    def write_and_prepare() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("nameserver 192.0.2.7\n")
        prepare()

    with container(root) as process:
        daemon.add("web", process.pid, "a1" * 32)
        for options in ({"all": True}, {"state": "absent", "names": ("web",)}):
            with monkeypatch.context() as patch:
                patch.setattr(etc_netns, "remove_leftovers", write_and_prepare)
                (row,) = scratch.run(resolv_conf=True, **options).links
            assert (row["action"], row["reason"]) == (
                "conflict",
                f"another program wrote {path} meanwhile: run again",
            )
            assert path.read_text() == "nameserver 192.0.2.7\n"
            path.unlink()
            scratch.act(all=True, resolv_conf=True)
