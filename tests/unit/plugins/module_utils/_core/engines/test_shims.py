# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import typing as t

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import shims

DATA = pathlib.Path(__file__).parents[4] / "data"
OWN = "own"


@pytest.mark.parametrize(
    ("tasks", "sockets", "expected"),
    [
        # Docker with Debian's containerd, and with one that dockerd starts.
        ({"state": {"moby": 3}}, 3, True),
        ({OWN: {"moby": 3}}, 3, True),
        ({"state": {"moby": 2, "plugins.moby": 1}, OWN: {"moby": 1}}, 4, True),
        # A container that was just started, or that ended and left its directory.
        ({"state": {"moby": 3}}, 2, True),
        # No container runs, so that nothing shows whose containerd it is.
        ({}, 0, False),
        ({"state": {"moby": 0}}, 0, False),
        # Pods as well, in this or another state directory.
        ({"state": {"moby": 3, "k8s.io": 1}}, 4, False),
        ({"state": {"moby": 3, "k8s.io": 0}}, 3, False),
        ({"state": {"moby": 3}}, 4, False),
        # No directory of sockets, as before containerd 1.4.
        ({"state": {"moby": 3}}, None, False),
    ],
)
def test_belong_to_docker(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    tasks: t.Mapping[str, t.Mapping[str, int]],
    sockets: int | None,
    expected: bool,
) -> None:
    monkeypatch.setattr(shims, "_SOCKETS", str(tmp_path / "s"))
    monkeypatch.setattr(shims, "_STATES", (str(tmp_path / "state"), str(tmp_path / OWN)))
    for state, namespaces in tasks.items():
        for namespace, count in namespaces.items():
            (tmp_path / state / shims.TASKS / namespace).mkdir(parents=True)
            for number in range(count):
                (tmp_path / state / shims.TASKS / namespace / str(number)).mkdir()
    if sockets is not None:
        (tmp_path / "s").mkdir()
        for number in range(sockets):
            (tmp_path / "s" / str(number)).touch()
    assert shims.belong_to_docker() == expected


WEB = "ab" * 32
DOCKERS = f"/srv/docker/containers/{WEB}/resolv.conf"


def add_bundle(path: pathlib.Path, content: t.Any) -> None:
    path.mkdir(parents=True)
    if content is not None:
        text = content if isinstance(content, str) else json.dumps(content)
        (path / "config.json").write_text(text)


def mounts(*sources: t.Any) -> dict[str, t.Any]:
    return {"mounts": [{"destination": "/x", "source": source} for source in sources]}


@pytest.mark.parametrize(
    ("namespace", "bundles", "expected"),
    [
        ("moby", [], True),
        ("plugins.moby", [], True),
        # With userns-remap.
        ("moby-165536.165536", [], True),
        ("plugins.moby-165536.165536", [mounts("/x")], True),
        ("moby-x", [], False),
        ("mymoby", [], False),
        # With --containerd-namespace.
        ("mine", [mounts("tmpfs", DOCKERS)], True),
        ("mine", [None, "", mounts(DOCKERS)], True),
        ("mine", [mounts("/etc/resolv.conf")], False),
        ("mine", [], False),
        ("mine", [[]], False),
        ("mine", [{"mounts": 7}], False),
        ("mine", [mounts(7, None)], False),
        # nerdctl's and Kubernetes'.
        (
            "default",
            [mounts(f"/var/lib/nerdctl/1935db59/containers/default/{WEB}/resolv.conf")],
            False,
        ),
        (
            "k8s.io",
            [mounts(f"/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/{WEB}/resolv.conf")],
            False,
        ),
    ],
)
def test_is_dockers(
    tmp_path: pathlib.Path, namespace: str, bundles: list[t.Any], expected: bool
) -> None:
    for number, content in enumerate(bundles):
        add_bundle(tmp_path / namespace / str(number), content)
    assert shims.is_dockers(namespace, str(tmp_path / namespace)) == expected


@pytest.mark.parametrize("version", ["20.10.24", "26.1.5", "28.5.2"])
def test_captured_containers_have_what_shows_docker(version: str) -> None:
    """Each container's files are where its mounts show, whatever its network."""
    captured = json.loads((DATA / f"docker-{version}" / "state.json").read_text())
    for identity, files in captured["containers"].items():
        path = files["config.v2.json"].get("ResolvConfPath")
        if path:
            assert shims._is_dockers(mounts(path)), identity


@pytest.mark.parametrize("file", hostile_inputs.ODD_FILES, ids=hostile_inputs.case_id)
def test_an_odd_bundle_does_not_hide_whose_the_others_are(
    tmp_path: pathlib.Path, file: hostile_inputs.File
) -> None:
    (tmp_path / "0").mkdir()
    file.put(tmp_path / "0" / "config.json")
    add_bundle(tmp_path / "1", mounts(DOCKERS))
    assert shims.is_dockers("mine", str(tmp_path))
