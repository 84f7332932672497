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
)
PLAIN = ledger.Entry("/run/netns/vpn", model.NetnsId(4, 4026532185), None, "module")


def read(directory: pathlib.Path) -> dict[str, ledger.Entry]:
    return ledger.Ledger(str(directory)).entries


def test_what_is_recorded_is_read_again(tmp_path: pathlib.Path) -> None:
    book = ledger.Ledger(str(tmp_path))
    assert book.entries == {}
    book.record([FULL, PLAIN])
    assert read(tmp_path) == {FULL.path: FULL, PLAIN.path: PLAIN}
    book.record(removed=[FULL.path, "/run/netns/never"])
    assert read(tmp_path) == {PLAIN.path: PLAIN}


def test_a_ledger_cut_anywhere_claims_what_was_written_whole(tmp_path: pathlib.Path) -> None:
    book = ledger.Ledger(str(tmp_path))
    book.record([PLAIN])
    book.record([FULL])
    path = tmp_path / "ledger"
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        entries = read(tmp_path)
        assert FULL.path not in entries or entries[FULL.path] == FULL
        # What is written next does not stick to the torn line.
        ledger.Ledger(str(tmp_path)).record([PLAIN])
        assert read(tmp_path)[PLAIN.path] == PLAIN


@pytest.mark.parametrize("wrong", hostile_inputs.VALUES, ids=hostile_inputs.case_id)
def test_what_nobody_of_ours_wrote_claims_nothing(tmp_path: pathlib.Path, wrong: t.Any) -> None:
    """A value at each place of an entry: what is still one can be worked with."""
    ledger.Ledger(str(tmp_path)).record([FULL])
    header, line = (tmp_path / "ledger").read_bytes().splitlines()
    for spoiled in hostile_inputs.with_value_anywhere(json.loads(line), wrong):
        (tmp_path / "ledger").write_bytes(header + b"\n" + json.dumps(spoiled).encode() + b"\n")
        book = ledger.Ledger(str(tmp_path))
        for path, entry in book.entries.items():
            assert (path, entry.path[0]) == (entry.path, "/")
            assert entry.name not in ("", ".", "..")
            assert entry.file is None or untrusted.is_number(entry.file)
            selection.has_labels(entry.labels, {"app": "shop"})
            assert all(isinstance(text, str) for text in entry.labels.values())
        book.record([PLAIN])
        assert read(tmp_path) == book.entries


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b"9" * 100_000, b"\xff", b"{}", b"[]", b"[[], {}]"]
)
def test_garbage_beside_an_entry(tmp_path: pathlib.Path, line: bytes) -> None:
    ledger.Ledger(str(tmp_path)).record([PLAIN])
    with (tmp_path / "ledger").open("ab") as stream:
        stream.write(line + b"\n")
    assert read(tmp_path) == {PLAIN.path: PLAIN}


@pytest.mark.parametrize("file", hostile_inputs.UNUSABLE_FILES, ids=hostile_inputs.case_id)
def test_a_ledger_that_is_no_file(tmp_path: pathlib.Path, file: hostile_inputs.File) -> None:
    file.put(tmp_path / "ledger")
    with pytest.raises((model.NetnsError, OSError), match=file.error):
        ledger.Ledger(str(tmp_path))


def test_another_boots_ledger_claims_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.Ledger(str(tmp_path)).record([PLAIN])
    monkeypatch.setattr(ledger, "_boot_id", lambda: "another")
    assert read(tmp_path) == {}


def test_one_that_is_kept_sees_what_others_write(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, other = ledger.Ledger(str(tmp_path)), ledger.Ledger(str(tmp_path))
    other.record([FULL])
    kept.refresh()
    assert kept.entries == {FULL.path: FULL}
    kept.record([PLAIN])
    loads: list[int] = []
    load = ledger.Ledger._load
    monkeypatch.setattr(ledger.Ledger, "_load", lambda book: (loads.append(1), load(book))[1])
    kept.refresh()
    assert not loads, "nobody else has written"
    other = ledger.Ledger(str(tmp_path))
    for _each in range(300):
        other.record([FULL])
    other.record(removed=[FULL.path])
    kept.refresh()
    assert kept.entries == {PLAIN.path: PLAIN}
    (tmp_path / "ledger").unlink()
    kept.refresh()
    assert kept.entries == {}
    # What was to be written, and may not have been.
    kept.entries[FULL.path] = FULL
    kept.invalidate()
    kept.refresh()
    assert kept.entries == {}


def test_it_stays_small(tmp_path: pathlib.Path) -> None:
    book = ledger.Ledger(str(tmp_path))
    for _each in range(2000):
        book.record([PLAIN])
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


def test_check_mode_makes_nothing_to_lock(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "state"
    with ledger.locked(str(directory), create=False):
        assert not directory.exists()
    with ledger.locked(str(directory)):
        assert directory.is_dir()


def test_a_folder_that_others_can_write_is_not_trusted(tmp_path: pathlib.Path) -> None:
    os.chmod(tmp_path, 0o777)
    with pytest.raises(model.NetnsError, match="chmod"), ledger.locked(str(tmp_path)):
        pass
