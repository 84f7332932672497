# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model, selection


def container(name: str, identity: str, engine: str = "docker", **labels: str) -> model.Container:
    return model.Container(
        engine, f"/run/{engine}", identity.ljust(64, "0"), name, True, "running", labels=labels
    )


WEB = container("web-1", "a1", app="shop")
WEB2 = container("web-2", "a2", app="blog")
ABC = container("abc", "b1")
POD = model.Container(
    "containerd",
    "/c",
    "c" * 64,
    "kube_dns",
    True,
    "running",
    pod=model.Pod("kube", "dns", "u"),
    sandbox=True,
)
MEMBER = POD._replace(
    id="d" * 64,
    name="coredns",
    sandbox=False,
    labels={"app": "dns"},
    network_mode=f"container:{POD.id}",
)
SIDECAR = MEMBER._replace(id="de".ljust(64, "0"), name="sidecar")
OTHER_POD = POD._replace(id="e" * 64, name="x_dns", pod=model.Pod("x", "dns", "v"))
OTHER_MEMBER = MEMBER._replace(
    id="e1".ljust(64, "0"),
    pod=OTHER_POD.pod,
    network_mode=f"container:{OTHER_POD.id}",
)
# In a pod, and not in its namespace.
ALONE = SIDECAR._replace(id="f" * 64, name="alone", network_mode="none")
# In the pod's namespace, and not in the pod.
GUEST = MEMBER._replace(id="9" * 64, name="guest", pod=None, labels={})
CONTAINERS = [WEB, WEB2, ABC, MEMBER, POD, SIDECAR, ALONE, GUEST]


@pytest.mark.parametrize(
    ("item", "chosen", "exact"),
    [
        ("web-1", [WEB], True),
        (WEB.id, [WEB], True),
        (WEB.id.upper(), [WEB], True),
        ("a100", [WEB], True),
        ("A100", [WEB], True),
        ("a1" + 10 * "0", [WEB], True),
        ("a10", [], True),
        ("b", [], True),
        ("abc", [ABC], True),
        ("dns", [POD], True),
        ("kube/dns", [POD], True),
        ("web-*", [WEB, WEB2], False),
        ("web-[2-9]", [WEB2], False),
        ("kube/*", [POD], False),
        ("*/dns", [POD], False),
        ("kube_dns", [POD], True),
        ("coredns", [POD], True),
        ("dddd", [POD], True),
        ("side*", [POD], False),
        ("alone", [ALONE], True),
        ("guest", [GUEST], True),
        ("k*/s", [], False),
        ("none", [], True),
        ("none*", [], False),
    ],
)
def test_choose(item: str, chosen: list[model.Container], exact: bool) -> None:
    assert selection.choose(item, CONTAINERS, {}) == (tuple(chosen), exact)


LXC = model.Container("lxc", "/var/lib/lxc", "db10", "db10", True, "running")
NSPAWN = LXC._replace(engine="nspawn", source="/m", id="db" * 32, name="db" * 32)
CTR = LXC._replace(engine="containerd", source="/c", id="beef-1", name="beef-1")
BILLING = container("billing", "db1234567890ab")
SHORT = container("db1234567890", "e1")


@pytest.mark.parametrize(
    ("item", "containers", "chosen", "chosen_absent"),
    [
        ("db", [BILLING], None, None),
        ("db1", [BILLING], None, None),
        ("db12", [BILLING], BILLING, None),
        ("db123456789", [BILLING], BILLING, None),
        ("db1234567890", [BILLING], BILLING, BILLING),
        ("DB1234567890", [BILLING], BILLING, BILLING),
        ("db1234567890", [BILLING, SHORT], SHORT, SHORT),
        ("db1234567890a", [BILLING, SHORT], BILLING, BILLING),
        (BILLING.id, [BILLING], BILLING, BILLING),
        (BILLING.id.upper(), [BILLING], BILLING, BILLING),
        ("", [BILLING], None, None),
        # An id that is a name has no prefix, and only this case.
        ("db1", [LXC], None, None),
        ("DB10", [LXC], None, None),
        ("db10", [LXC], LXC, LXC),
        ("db" * 8, [NSPAWN], None, None),
        (NSPAWN.id, [NSPAWN], NSPAWN, NSPAWN),
        ("beef", [CTR], None, None),
    ],
)
def test_exact_names_and_prefixes(
    item: str,
    containers: list[model.Container],
    chosen: model.Container | None,
    chosen_absent: model.Container | None,
) -> None:
    for length, expected in (
        (selection.MIN_PREFIX, chosen),
        (selection.MIN_PREFIX_ABSENT, chosen_absent),
    ):
        choice = selection.choose(item, containers, {}, length)
        assert choice == ((expected,) if expected else (), True)
    assert selection.could_mean(item, containers[0]) or chosen is not containers[0]


def test_a_name_beats_a_prefix_and_a_prefix_a_pattern() -> None:
    named = container("a100", "d1")
    starred = container("a*", "d2")
    assert selection.choose("a100", [*CONTAINERS, named], {}).containers == (named,)
    assert selection.choose("a*", [*CONTAINERS, starred], {}) == ((starred,), True)


@pytest.mark.parametrize(
    ("pattern", "name"), [("web[r-3]", "web-2"), ("[z-a]*", "web-2"), ("x/web[2-1]", "x/web-2")]
)
def test_a_range_that_contains_nothing_matches_nothing(pattern: str, name: str) -> None:
    """Before Python 3.10, the regular expression that fnmatch makes of it is an error."""
    assert not selection.matches(pattern, name)


def test_labels_narrow_patterns_and_not_names() -> None:
    assert selection.choose("web-*", CONTAINERS, {"app": "shop"}).containers == (WEB,)
    assert selection.choose("web-2", CONTAINERS, {"app": "shop"}).containers == (WEB2,)


@pytest.mark.parametrize(
    ("item", "more", "advice"),
    [
        ("a100", [container("web-3", "a1001")], "more of the id"),
        ("abc", [container("abc", "e1", "podman")], "`engines`"),
    ],
)
def test_ambiguous(item: str, more: list[model.Container], advice: str) -> None:
    with pytest.raises(model.SelectionError, match=advice) as caught:
        selection.choose(item, CONTAINERS + more, {})
    assert item in str(caught.value)


@pytest.mark.parametrize("item", ["dns", "coredns"])
def test_a_name_in_two_pods_names_the_pods(item: str) -> None:
    with pytest.raises(model.SelectionError, match=r"kube/dns .*, x/dns .*the whole name"):
        selection.choose(item, [*CONTAINERS, OTHER_POD, OTHER_MEMBER], {})


def test_a_label_of_a_member_selects_the_pod() -> None:
    assert selection.choose("*", CONTAINERS, {"app": "dns"}).containers == (POD, ALONE)


def test_a_container_that_was_recreated_is_not_ambiguous() -> None:
    before = ABC._replace(id="e1".ljust(64, "0"), running=False)
    assert selection.choose("abc", [ABC, before], {}).containers == (ABC, before)


def test_a_name_of_two_running_containers() -> None:
    bare = model.Container("lxc", "/var/lib/lxc", "bare", "bare", True, "running")
    other = bare._replace(id="/srv/lxc/bare")
    # The id of one is the name of both.
    assert selection.choose("bare", [bare, other], {}).containers == (bare,)
    assert selection.choose("/srv/lxc/bare", [bare, other], {}).containers == (other,)
    third = bare._replace(id="/opt/lxc/bare")
    with pytest.raises(model.SelectionError, match=r"bare \(lxc /opt/lxc/bar.*more of the id"):
        selection.choose("bare", [other, third], {})


SHORT_PREFIX = "; to select a container by the beginning of its id, give 4 characters or more"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("wbe-1", "there is no container 'wbe-1' (near: web-1, web-2)"),
        ("a10", f"there is no container 'a10'{SHORT_PREFIX}"),
        ("abd", "there is no container 'abd' (near: abc)"),
    ],
)
def test_no_such(item: str, message: str) -> None:
    assert selection.no_such(item, CONTAINERS) == message
