# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import (
    model,
    selection,
    untrusted,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger

FULL = ledger.Entry(
    path="/run/netns/web",
    netns=model.NetnsId(4, 4026532184),
    file=17,
    maker="module",
    previous=model.NetnsId(4, 4026532100),
    engine="docker",
    source="/run/docker.sock",
    container_id="a" * 64,
    container_name="web",
    pod=model.Pod("shop", "web", "u-1"),
    labels={"app": "shop"},
    pid=12,
    start_time=34,
    from_template=True,
)
PLAIN = ledger.Entry("/run/netns/vpn", model.NetnsId(4, 4026532185), None, "module")


def read(directory: pathlib.Path) -> dict[str, ledger.Entry]:
    return ledger.Ledger(str(directory)).entries


def test_what_is_recorded_is_read_again(tmp_path: pathlib.Path) -> None:
    written = ledger.Ledger(str(tmp_path))
    assert written.entries == {}
    written.record([FULL, PLAIN])
    assert read(tmp_path) == {FULL.path: FULL, PLAIN.path: PLAIN}
    written.record(removed=[FULL.path, "/run/netns/never"])
    assert read(tmp_path) == {PLAIN.path: PLAIN}


@pytest.mark.parametrize("entry", [FULL, PLAIN])
@pytest.mark.parametrize("file", [None, 17, 18])
def test_the_file_of_an_entry_is_recorded_later(
    tmp_path: pathlib.Path, entry: ledger.Entry, file: int | None
) -> None:
    """Also by a ledger that has read the entry, or that another process changed since, as the hook's."""
    before = entry._replace(file=file)
    written = ledger.Ledger(str(tmp_path))
    written.record([before, entry._replace(path="/run/netns/other")])
    ledger.Ledger(str(tmp_path)).record([before._replace(pid=99)])
    written.refresh()
    expected = before._replace(pid=99, file=17)
    for recorded in (written, ledger.Ledger(str(tmp_path))):
        recorded.record_files([(entry.path, 17)])
        assert recorded.entries[entry.path] == read(tmp_path)[entry.path] == expected
        assert expected in recorded.to_namespaces([entry.netns])


def test_version_1_0_0_reads_what_is_recorded(tmp_path: pathlib.Path) -> None:
    """It takes an entry with any other field for invalid, and compares the maker with that of the hook."""
    ledger.Ledger(str(tmp_path)).record([FULL])
    _path, fields = json.loads((tmp_path / "ledger").read_text().splitlines()[1])
    assert fields.keys() == {*FULL._fields} - {"path", "from_template"}
    assert fields["maker"] == "module:template"


def test_a_ledger_cut_anywhere_claims_what_was_written_whole(tmp_path: pathlib.Path) -> None:
    written = ledger.Ledger(str(tmp_path))
    written.record([PLAIN])
    written.record([FULL])
    path = tmp_path / "ledger"
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        entries = read(tmp_path)
        assert FULL.path not in entries or entries[FULL.path] == FULL
        # The next line does not join the incomplete one.
        ledger.Ledger(str(tmp_path)).record([PLAIN])
        assert read(tmp_path)[PLAIN.path] == PLAIN


@pytest.mark.parametrize("wrong", hostile_inputs.VALUES, ids=hostile_inputs.case_id)
def test_hostile_entries(tmp_path: pathlib.Path, wrong: t.Any) -> None:
    """With any value in any field of an entry, what is read is valid or nothing."""
    ledger.Ledger(str(tmp_path)).record([FULL])
    header, line = (tmp_path / "ledger").read_bytes().splitlines()
    for spoiled in hostile_inputs.with_value_anywhere(json.loads(line), wrong):
        (tmp_path / "ledger").write_bytes(header + b"\n" + json.dumps(spoiled).encode() + b"\n")
        read_again = ledger.Ledger(str(tmp_path))
        for path, entry in read_again.entries.items():
            assert (path, entry.path[0]) == (entry.path, "/")
            assert entry.name not in ("", ".", "..")
            assert entry.file is None or untrusted.is_number(entry.file)
            selection.has_labels(entry.labels, {"app": "shop"})
            assert all(isinstance(text, str) for text in entry.labels.values())
        read_again.record([PLAIN])
        assert read(tmp_path) == read_again.entries


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b"9" * 100_000, b"\xff", b"{}", b"[]", b"[[], {}]"]
)
def test_garbage_beside_an_entry(tmp_path: pathlib.Path, line: bytes) -> None:
    ledger.Ledger(str(tmp_path)).record([PLAIN])
    with (tmp_path / "ledger").open("ab") as stream:
        stream.write(line + b"\n")
    assert read(tmp_path) == {PLAIN.path: PLAIN}


@pytest.mark.parametrize("file", hostile_inputs.UNUSABLE_FILES, ids=hostile_inputs.case_id)
def test_a_ledger_that_is_not_a_file(tmp_path: pathlib.Path, file: hostile_inputs.File) -> None:
    file.put(tmp_path / "ledger")
    with pytest.raises((model.NetnsError, OSError), match=file.error):
        ledger.Ledger(str(tmp_path))


def test_the_ledger_of_another_boot_claims_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.Ledger(str(tmp_path)).record([PLAIN])
    monkeypatch.setattr(ledger, "boot_id", lambda: "another")
    assert read(tmp_path) == {}


def test_a_ledger_in_memory_is_refreshed_when_another_process_writes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident, other = ledger.Ledger(str(tmp_path)), ledger.Ledger(str(tmp_path))
    other.record([FULL])
    resident.refresh()
    assert resident.entries == {FULL.path: FULL}
    resident.record([PLAIN])
    loads: list[int] = []
    load = ledger.Ledger._load
    monkeypatch.setattr(ledger.Ledger, "_load", lambda self: (loads.append(1), load(self))[1])
    resident.refresh()
    assert not loads, "no other process has written"
    other = ledger.Ledger(str(tmp_path))
    for _each in range(300):
        other.record([FULL])
    other.record(removed=[FULL.path])
    resident.refresh()
    assert resident.entries == {PLAIN.path: PLAIN}
    (tmp_path / "ledger").unlink()
    resident.refresh()
    assert resident.entries == {}
    # An entry that an interrupted run may not have written.
    resident.entries[FULL.path] = FULL
    resident.invalidate()
    resident.refresh()
    assert resident.entries == {}


def test_the_file_stays_small(tmp_path: pathlib.Path) -> None:
    written = ledger.Ledger(str(tmp_path))
    for _each in range(2000):
        written.record([PLAIN])
    assert len((tmp_path / "ledger").read_bytes().splitlines()) < 300
    assert read(tmp_path) == {PLAIN.path: PLAIN}


@pytest.mark.parametrize(
    ("netns", "claimed"),
    [
        (FULL.netns, True),
        (FULL.previous, True),
        (model.NetnsId(4, 1), False),
        (model.NetnsId(5, 4026532184), False),
    ],
)
def test_claims(netns: model.NetnsId, claimed: bool) -> None:
    assert FULL.claims(netns) is claimed


def test_check_mode_makes_no_directory(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "state"
    with ledger.locked(str(directory), create=False):
        assert not directory.exists()
    with ledger.locked(str(directory)):
        assert directory.is_dir()


def test_a_directory_that_other_users_can_write_is_not_trusted(tmp_path: pathlib.Path) -> None:
    os.chmod(tmp_path, 0o777)
    with pytest.raises(model.NetnsError, match="chmod"), ledger.locked(str(tmp_path)):
        pass


def test_entries_are_found_by_container_and_namespace(tmp_path: pathlib.Path) -> None:
    linked = ledger.Ledger(str(tmp_path))
    other = FULL._replace(path="/run/netns/side", netns=PLAIN.netns)

    def check() -> None:
        for identity in (None, FULL.container_id, "b" * 64):
            expected = [each for each in linked.entries.values() if each.container_id == identity]
            assert sorted(linked.of_containers([identity])) == sorted(expected)
        for netns in (FULL.netns, PLAIN.netns):
            expected = [each for each in linked.entries.values() if each.netns == netns]
            assert sorted(linked.to_namespaces([netns])) == sorted(expected)

    check()
    linked.record([FULL, PLAIN, other])
    check()
    # Another namespace and container at the same path; a removal; what another process wrote.
    linked.record([FULL._replace(netns=PLAIN.netns, container_id="b" * 64)], [other.path])
    check()
    ledger.Ledger(str(tmp_path)).record([other], [PLAIN.path])
    linked.refresh()
    check()
    assert linked.entries.keys() == {FULL.path, other.path}
    linked.record(removed=[*linked.entries])
    check()
