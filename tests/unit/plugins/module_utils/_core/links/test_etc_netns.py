# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import re

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import etc_netns

# As Docker 20.10 writes it for a container on a network of its own.
CAPTURED = """search example.org
nameserver 127.0.0.11
options edns0 ndots:0
"""
WEB = model.Container("docker", "/s", "a" * 64, "web", True, "running", labels={"app": "shop"})


@pytest.fixture(autouse=True)
def directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(etc_netns, "DIRECTORY", str(tmp_path / "etc"))
    return tmp_path / "etc"


def write(text: str) -> None:
    etc_netns.write("web", text, etc_netns.present().get("web"))


def remove() -> None:
    etc_netns.remove("web", etc_netns.present().get("web"))


def test_from_the_container_to_the_file_and_back(
    tmp_path: pathlib.Path, directory: pathlib.Path
) -> None:
    source = tmp_path / "resolv.conf"
    source.write_text("# Generated\n" + CAPTURED + "sortlist 10.0.0.0\nnameserver\n")
    lines = etc_netns.dns_lines(str(source))
    assert lines == (
        "search example.org",
        "nameserver 127.0.0.11",
        "options edns0 ndots:0",
    )
    write(etc_netns.compose(lines, "/run/netns/web", WEB))
    files = etc_netns.present()
    assert list(files) == ["web"]
    file = files["web"]
    assert file.mark == {
        "link": "/run/netns/web",
        "engine": "docker",
        "container": WEB.id,
        "labels": {"app": "shop"},
    }
    assert file.text.splitlines()[1:] == list(lines)
    remove()
    assert not directory.exists()


def test_what_else_is_in_the_directory_stays(directory: pathlib.Path) -> None:
    (directory / "web").mkdir(parents=True)
    (directory / "web" / "nsswitch.conf").write_text("hosts: files dns\n")
    write("nameserver 192.0.2.1\n")
    write("nameserver 192.0.2.2\n")
    assert etc_netns.present()["web"].text == "nameserver 192.0.2.2\n"
    remove()
    assert [str(path.relative_to(directory)) for path in directory.rglob("*")] == [
        "web",
        "web/nsswitch.conf",
    ]


def test_a_directory_that_leads_elsewhere_stays(directory: pathlib.Path) -> None:
    (directory / "shared").mkdir(parents=True)
    (directory / "web").symlink_to("shared")
    write("nameserver 192.0.2.1\n")
    assert (directory / "shared" / "resolv.conf").exists()
    remove()
    assert sorted(os.listdir(directory)) == ["shared", "web"]


@pytest.mark.parametrize("was_there", [True, False])
@pytest.mark.parametrize("others", [True, False])
def test_what_another_program_wrote_meanwhile_stays(
    directory: pathlib.Path, was_there: bool, others: bool
) -> None:
    if was_there:
        write(etc_netns.compose(["nameserver 192.0.2.1"], "/run/netns/web", WEB))
    found = etc_netns.present().get("web")
    path = directory / "web" / "resolv.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    if others:
        (path.parent / "hosts").touch()
    path.write_text("nameserver 192.0.2.7\n")
    message = re.escape(f"another program wrote {path} meanwhile: run again")
    with pytest.raises(model.NetnsError, match=message):
        etc_netns.write("web", "nameserver 192.0.2.2\n", found)
    with pytest.raises(model.NetnsError, match=message):
        etc_netns.remove("web", found)
    assert path.read_text() == "nameserver 192.0.2.7\n"
    assert os.listdir(directory) == ["web"]
    # One that has gone meanwhile is written anew.
    found = etc_netns.present()["web"]
    path.unlink()
    etc_netns.remove("web", found)
    etc_netns.write("web", "nameserver 192.0.2.2\n", found)
    assert path.read_text() == "nameserver 192.0.2.2\n"


def test_no_servers_no_lines(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "resolv.conf"
    source.write_text("search example.org\n")
    assert etc_netns.dns_lines(str(source)) == ()
    assert etc_netns.dns_lines(str(tmp_path / "none")) == ()


@pytest.mark.parametrize("file", hostile_inputs.FILES, ids=hostile_inputs.case_id)
def test_a_hostile_source_is_not_followed_and_does_not_block(
    tmp_path: pathlib.Path, file: hostile_inputs.File
) -> None:
    file.put(tmp_path / "source")
    assert etc_netns.dns_lines(str(tmp_path / "source")) == ()


def test_a_source_that_is_a_symbolic_link_is_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "secret").write_text("nameserver 192.0.2.1\n")
    (tmp_path / "source").symlink_to("secret")
    assert etc_netns.dns_lines(str(tmp_path / "source")) == ()


@pytest.mark.parametrize("text", ["nameserver 192.0.2.1", "nameserver 192.0.2.1\x0cnameserver x"])
def test_only_a_line_feed_ends_a_line(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "source").write_text(text)
    assert len(etc_netns.dns_lines(str(tmp_path / "source"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nameserver 192.0.2.1\n",
        "# linuxnet.netns {",
        "# linuxnet.netns []\n",
        "# linuxnet.netns {}\n",
        '# linuxnet.netns {"link": 7}\n',
        '# linuxnet.netns {"link": "/run/netns/web", "labels": "x"}\n',
        "# linuxnet.netns " + "[" * 60_000,
        "# linuxnet.netns " + "7" * 60_000,
    ],
)
def test_a_file_without_the_mark_is_foreign(directory: pathlib.Path, text: str) -> None:
    (directory / "web").mkdir(parents=True)
    (directory / "web" / "resolv.conf").write_text(text)
    assert etc_netns.present()["web"].mark is None
