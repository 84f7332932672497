# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import signal
import time
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import dns, model

OWN = model.NetnsId(*(getattr(os.stat("/proc/self/ns/net"), name) for name in ("st_dev", "st_ino")))
NOTHING = dns.Dns((), (), ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # As Docker 20.10 writes it for a container on a network of its own.
        (
            "search example.org\nnameserver 127.0.0.11\noptions edns0 ndots:0\n",
            (["127.0.0.11"], ["example.org"], ["edns0", "ndots:0"]),
        ),
        # As systemd-resolved and the kubelet do.
        (
            "# By systemd-resolved\n\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nsearch .\n",
            (["192.0.2.53", "fe80::1%eth0"], ["."], []),
        ),
        (
            "search default.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\n",
            (
                ["10.96.0.10"],
                ["default.svc.cluster.local", "svc.cluster.local"],
                [],
            ),
        ),
        ("domain a.example\nsearch b.example c.example\n", ([], ["b.example", "c.example"], [])),
        ("search b.example c.example\ndomain a.example d.example\n", ([], ["a.example"], [])),
        ("options a\noptions b c\n", ([], [], ["a", "b", "c"])),
        ("nameserver\t2001:db8::1 # mine\r\n", (["2001:db8::1"], [], [])),
        (
            "nameserver 1.2.3\nnameserver db\nnameserver 1.2.3.4\0\nnameserver \udcff\n",
            ([], [], []),
        ),
        (
            " nameserver 192.0.2.1\n;nameserver 192.0.2.2\nnameserver\nNAMESERVER 192.0.2.3\n",
            ([],) * 3,
        ),
        ("sortlist 192.0.2.0\nnameservers 192.0.2.1\n", ([],) * 3),
        ("", ([],) * 3),
    ],
)
def test_parse(text: str, expected: tuple[list[str], list[str], list[str]]) -> None:
    assert dns.parse(text) == dns.Dns(*map(tuple, expected))


def results(
    monkeypatch: pytest.MonkeyPatch, read: t.Callable[[dns.ResolvConfSource], object], count: int
) -> list[dns.Result]:
    monkeypatch.setattr(dns, "_read_in_child", read)
    return dns.read([dns.ResolvConfSource(number, OWN) for number in range(count)])


def test_a_file_that_is_cut_short_loses_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"nameserver 192.0.2.1\n" + b"#" * ((1 << 16) - 40) + b"\nnameserver 192.0.2.2"
    data = data[: 1 << 16]
    short, cut = results(
        monkeypatch, lambda source: (data.ljust((1 << 16) - 1 + source.pid, b"3"), None), 2
    )
    assert short.dns == NOTHING._replace(nameservers=("192.0.2.1",))
    assert cut.dns == NOTHING._replace(nameservers=("192.0.2.1",))


def test_a_source_that_hangs_or_dies_does_not_hide_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "_IDLE_TIMEOUT", 3.0)

    def read(source: dns.ResolvConfSource) -> object:
        if source.pid == 1:
            signal.pause()
        if source.pid == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return (b"options a", None) if source.pid != 4 else (None, "Permission denied")

    assert results(monkeypatch, read, 6) == [
        dns.Result(NOTHING._replace(options=("a",))),
        dns.Result(None, "the process that reads its /etc/resolv.conf did not answer for 3 s"),
        dns.Result(NOTHING._replace(options=("a",))),
        dns.Result(None, "the process that reads its /etc/resolv.conf was killed by signal 9"),
        dns.Result(None, "Permission denied"),
        dns.Result(NOTHING._replace(options=("a",))),
    ]
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("hangs", [True, False])
def test_many_slow_sources_end_in_time(monkeypatch: pytest.MonkeyPatch, hangs: bool) -> None:
    monkeypatch.setattr(dns, "_IDLE_TIMEOUT", 0.1)
    monkeypatch.setattr(dns, "_TOTAL_TIMEOUT", 0.3)

    def read(_source: dns.ResolvConfSource) -> object:
        time.sleep(60 if hangs else 0.05)
        return b"", None

    started = time.monotonic()
    all_results = results(monkeypatch, read, 100)
    assert time.monotonic() - started < 20
    assert len(all_results) == 100
    assert all_results[-1] == dns.Result(
        None, "its /etc/resolv.conf was not read: those of other containers took 0 s"
    )
    assert all_results[0] != all_results[-1]


def test_a_source_that_is_started_twice_is_read_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    log = tmp_path / "log"

    def read(source: dns.ResolvConfSource) -> object:
        with log.open("a") as stream:
            stream.write(f"{source.pid}\n")
        return b"options o%d" % source.pid, None

    monkeypatch.setattr(dns, "_read_in_child", read)
    first, second, third = (dns.ResolvConfSource(number, OWN) for number in range(3))
    reader = dns.Reader()
    for sources in ([first, second, first], [second, third], [third], []):
        reader.start(sources)
    assert reader.wait() == {
        source: dns.Result(NOTHING._replace(options=(f"o{source.pid}",)))
        for source in (first, second, third)
    }
    assert sorted(log.read_text().split()) == ["0", "1", "2"]


def test_no_sources() -> None:
    assert dns.read([]) == []
