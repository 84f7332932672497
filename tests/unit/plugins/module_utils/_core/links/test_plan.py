# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is selected, skipped, pruned and left alone, on hosts that are data."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    etc_netns,
    ledger,
    plan,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.netns_dir import (
    NETNS,
    Directory,
    PathState,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.origins import Origin
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import (
    HOOK,
    LinkRequest,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.snapshot import Snapshot

HOST = model.NetnsId(4, 1)
SOURCE = "/run/docker.sock"


def container(name: str, running: bool = True, **more: t.Any) -> model.Container:
    status = "running" if running else "exited"
    identity = name.encode().hex().ljust(64, "0")
    return model.Container("docker", SOURCE, identity, name, running, status, **more)


def entry(container: model.Container, inode: int) -> ledger.Entry:
    return ledger.Entry(
        path=f"/run/netns/{container.name}",
        netns=model.NetnsId(4, inode),
        file=inode,
        maker="module",
        engine=container.engine,
        source=container.source,
        container_id=container.id,
        container_name=container.name,
        labels=container.labels,
        pid=7,
    )


def host(
    *containers: tuple[model.Container, int | None],
    linked: t.Sequence[ledger.Entry] = (),
    error: str | None = None,
    **more: t.Any,
) -> Snapshot:
    """A host of containers with the inodes of their namespaces, and managed links."""
    listed = () if error else tuple(container for container, _inode in containers)
    return Snapshot(
        host=HOST,
        directory=Directory(True, True, True),
        path_states={
            link.name: PathState(NETNS, "a link", link.file, link.netns, (link.netns.inode,))
            for link in linked
        },
        entries={link.path: link for link in linked},
        readings=(model.Reading("docker", SOURCE, None, listed, error),),
        origins={
            container.key: Origin(
                model.NetnsId(4, inode), path=container.pin, pid=7, container=container
            )
            for container, inode in containers
            if inode
        },
        **more,
    )


def act(snapshot: Snapshot, **request: t.Any) -> dict[str, str]:
    return {step.name: step.action for step in plan.make(LinkRequest(**request), snapshot).steps}


WEB, DB, SIDE = (
    container("web", pin="/pin/web"),
    container("db", labels={"app": "x"}),
    container("side"),
)
OLD = container("old", running=False)


def test_all_links_what_runs_and_reports_why_the_rest_is_skipped() -> None:
    snapshot = host(
        (WEB, 11),
        (DB, 12),
        (SIDE, 11),
        (container("net"), 1),
        (OLD, None),
        (container("odd"), None),
    )
    steps = {step.name: step for step in plan.make(LinkRequest(all=True), snapshot).steps}
    assert {name: step.action for name, step in steps.items()} == {
        "web": "created",
        "db": "created",
        "side": "skipped",
        "net": "skipped",
        "odd": "skipped",
    }
    assert steps["side"].reason == "it shares the namespace of web"
    assert "host's network" in str(steps["net"].reason)


def test_an_orphaned_sharer_owns_its_namespace() -> None:
    other = container("side2", created=5.0)
    joined = SIDE._replace(network_mode="container:web")
    assert act(host((joined, 11), (WEB._replace(pin=None), 11)), all=True)["web"] == "created"
    snapshot = host((WEB, 13), (SIDE._replace(created=9.0), 11), (other, 11))
    assert act(snapshot, all=True) == {"web": "created", "side2": "created", "side": "skipped"}


def test_a_pod_is_linked_once_under_its_own_name() -> None:
    pod = container("pause", pod=model.Pod("kube", "dns", "u"), sandbox=True, pin="/pin/dns")
    member = container("coredns", pod=pod.pod, network_mode=f"container:{pod.id}")
    snapshot = host((member, 11), (pod, 11), (WEB, 12))
    assert act(snapshot, all=True) == {"kube_dns": "created", "web": "created"}
    for item in ("coredns", "dns", "kube/dns", "kube/*"):
        assert act(snapshot, containers=(item,)) == {"kube_dns": "created"}
    linked = entry(pod, 11)._replace(path="/run/netns/kube_dns", pod=pod.pod)
    for item in ("coredns", "kube/dns"):
        absent = {"state": "absent", "containers": (item,)}
        assert act(host((member, 11), (pod, 11), linked=[linked]), **absent) == {
            "kube_dns": "removed"
        }
    gone = host(linked=[linked])
    assert act(gone, state="absent", containers=("kube/dns",)) == {"kube_dns": "removed"}
    assert act(gone, prune=True) == {"kube_dns": "removed"}


@pytest.mark.parametrize(
    ("reading", "pruned"),
    [
        # One reading has the containers of all users.
        (model.Reading("podman", model.PROCESSES), True),
        (model.Reading("podman", model.PROCESSES, error="it took too long"), False),
        (model.Reading("docker", model.PROCESSES), False),
        (model.Reading("podman", "/var/lib/containers/storage"), False),
    ],
)
def test_links_of_users_containers_are_pruned(reading: model.Reading, pruned: bool) -> None:
    foreign = WEB._replace(engine="podman", source=f"{model.PROCESSES}#1000", user="mia")
    snapshot = host(linked=[entry(foreign, 11)])._replace(readings=(reading,))
    assert act(snapshot, prune=True) == ({"web": "removed"} if pruned else {})


def test_a_container_of_which_engine_and_kernel_disagree_is_left_as_it_is() -> None:
    odd = container("odd", problem="its first process is elsewhere")
    snapshot = host((odd, None), linked=[entry(odd, 11)])._replace(
        problems={odd.key: str(odd.problem)}
    )
    (step,) = plan.make(LinkRequest(all=True, prune=True), snapshot).steps
    assert (step.action, step.reason) == (
        "skipped",
        "its namespace could not be read: its first process is elsewhere",
    )
    with pytest.raises(model.SelectionError, match=r"odd: .*its first process is elsewhere"):
        plan.make(LinkRequest(containers=("odd",)), snapshot)


HANGS = "no answer in 5 s"
# By its engine's list, and where only the ID is known.
WEDGED = container("db", labels={"app": "x"}, unread=HANGS)
CUT = WEDGED._replace(name=WEDGED.id[:12], status="", labels={}, unread="config.json is empty")


@pytest.mark.parametrize("unread", [WEDGED, CUT])
@pytest.mark.parametrize(
    ("request_", "steps"),
    [
        ({"all": True}, {"web": "created", "?": "skipped"}),
        ({"all": True, "prune": True}, {"web": "created", "?": "skipped"}),
        ({"all": True, "labels": {"app": "x"}}, {"?": "skipped"}),
        ({"prune": True}, {}),
        ({"containers": ("web",), "prune": True}, {"web": "created"}),
        ({"containers": ("*",)}, {"web": "created", "?": "skipped"}),
        ({"state": "absent", "containers": ("*",)}, {"db": "skipped", "web": "unchanged"}),
    ],
)
def test_a_container_that_could_not_be_read(
    unread: model.Container, request_: dict[str, t.Any], steps: dict[str, str]
) -> None:
    snapshot = host((WEB, 11), (unread, None), linked=[entry(DB, 12)])
    made = plan.make(LinkRequest(**request_), snapshot)
    assert {step.name: step.action for step in made.steps} == {
        unread.name if name == "?" else name: action for name, action in steps.items()
    }
    (failure,) = made.failures
    assert failure == (
        f"docker container {unread.name} could not be read, so its link was left as it is: "
        f"{unread.unread}"
    )
    for step in made.steps:
        if step.action == "skipped":
            assert step.reason == f"it could not be read: {unread.unread}"


def test_a_container_that_could_not_be_read_and_is_not_meant() -> None:
    snapshot = host((WEB, 11), (WEDGED, None))
    for request in (
        {"containers": ("web",)},
        {"containers": ("w*",)},
        {"all": True, "labels": {"app": "y"}},
        {"prune": True},
    ):
        assert plan.make(LinkRequest(**request), snapshot).failures == ()


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_container_that_is_named_and_could_not_be_read(state: str) -> None:
    request = {"state": state, "containers": ("db",)}
    with pytest.raises(model.SelectionError, match=r"db.* could not be read: no answer in 5 s"):
        act(host((WEB, 11), (WEDGED, None), linked=[entry(DB, 12)]), **request)
    with pytest.raises(model.SelectionError, match=r"'db'.* could not be read: config.json"):
        act(host((WEB, 11), (CUT, None)), **request)


def test_sharers_of_a_container_that_could_not_be_read() -> None:
    snapshot = host((SIDE._replace(network_mode=f"container:{WEDGED.id}"), 11), (WEDGED, None))
    (_db, side) = plan.make(LinkRequest(all=True), snapshot).steps
    assert (side.action, side.reason) == (
        "skipped",
        "it shares the namespace of db, which could not be read",
    )
    assert act(snapshot, containers=("side",)) == {"side": "created"}


def test_the_link_of_a_container_that_could_not_be_read_is_not_taken_from_it() -> None:
    again = DB._replace(id="a" * 64)
    renamed = WEDGED._replace(name="aaaaaaaaaaaa_db")
    snapshot = host((again, 13), (renamed, None), linked=[entry(DB, 12)])
    conflict, skipped = sorted(
        plan.make(LinkRequest(all=True), snapshot).steps, key=lambda step: step.action
    )
    assert (skipped.name, skipped.action) == (renamed.name, "skipped")
    assert conflict.action == "conflict"
    assert f"{renamed.name}, which could not be read ({HANGS})" in str(conflict.reason)
    assert act(snapshot, all=True, force=True)["db"] == "relinked"


def test_labels_narrow_all_and_patterns() -> None:
    snapshot = host((WEB, 11), (DB, 12))
    assert act(snapshot, all=True, labels={"app": "x"}) == {"db": "created"}
    assert act(snapshot, containers=("*",), labels={"app": "x"}) == {"db": "created"}
    assert act(snapshot, containers=("web",), labels={"app": "x"}) == {"web": "created"}


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("wbe", r"no container 'wbe' \(near: web\)"),
        ("old", "not running"),
        ("net", "host's network"),
        ("odd", "could not be read"),
    ],
)
def test_what_is_named_exactly_and_cannot_be_linked(item: str, message: str) -> None:
    snapshot = host((WEB, 11), (OLD, None), (container("net"), 1), (container("odd"), None))
    with pytest.raises(model.SelectionError, match=message):
        act(snapshot, containers=("web", item))


def test_a_container_whose_name_is_a_number() -> None:
    snapshot = host((container("100"), 11), (WEB, 12))
    for request in ({"all": True}, HOOKS):
        assert act(snapshot, **request) == {"docker-100": "created", "web": "created"}
    assert act(snapshot, containers=("100",)) == {"docker-100": "created"}
    with pytest.raises(model.SelectionError, match="PID"):
        act(snapshot, containers=("100",), name_template="12")
    assert act(snapshot, all=True, name_template="1{engine}") == {"1docker": "conflict"}


def test_a_link_is_never_in_the_way_of_a_restart() -> None:
    """Where the next start needs a device that the link would keep, only its name or a pattern links it."""
    mac = "lxc.net.0 in /x/config is a macvlan interface with the MAC address 02::3"
    web = WEB._replace(needs_device=mac)
    snapshot = host((web, 11), (SIDE, 11), (DB, 12))
    for request in ({"all": True}, HOOKS):
        made = plan.make(LinkRequest(**request), snapshot)
        assert {step.name: step.action for step in made.steps} == {
            "web": "skipped",
            "side": "skipped",
            "db": "created",
        }
        (reason,) = (step.reason for step in made.steps if step.name == "web")
        assert reason == (
            "with a link, it could not start again after it has stopped, as the link keeps its old "
            f"namespace: {mac}. Name it in `containers` to link it anyway"
        )
        assert (made.warnings, made.failures) == ((), ())
    for item in ("web", "w*", "side"):
        made = plan.make(LinkRequest(containers=(item,)), snapshot)
        name = "side" if item == "side" else "web"
        assert [(step.name, step.action) for step in made.steps] == [(name, "created")]
        assert made.warnings == (
            f"{name}: while this link exists, the container cannot start again after it has stopped: {mac}",
        )


def test_the_hook_removes_its_links_that_are_in_the_way_of_a_restart() -> None:
    web = WEB._replace(needs_device="a macvlan")
    assert act(host((web, 11), linked=[by_hook(entry(web, 11))]), **HOOKS) == {"web": "removed"}
    # A link that netns_link made stays.
    assert act(host((web, 11), linked=[entry(web, 11)]), **HOOKS) == {"web": "skipped"}


def test_rivals_are_named_with_a_way_out() -> None:
    mia = container("web")._replace(id="m" * 64, source="/proc#1000", user="mia")
    snapshot = host((WEB, 11), (mia, 12))
    steps = plan.make(LinkRequest(all=True), snapshot).steps
    for step in steps:
        assert step.action == "conflict"
        assert str(step.reason).startswith(
            "docker container web (776562000000) and docker container web (mmmmmmmmmmmm) of user mia "
            "would all be called 'web': set `name_template` to '{user}-{name}'"
        )
    assert act(snapshot, all=True, name_template="{user}-{name}") == {
        "root-web": "created",
        "mia-web": "created",
    }
    # The link of one was made before the other appeared.
    linked = [by_hook(entry(mia, 12))]
    (step,) = plan.make(
        LinkRequest(**HOOKS, only={"docker": frozenset({WEB.id})}),
        host((WEB, 11), (mia, 12), linked=linked),
    ).steps
    assert step.reason == (
        "the link of docker container web (mmmmmmmmmmmm) of user mia has this name: "
        "set `name_template` to '{user}-{name}'"
    )


def test_an_empty_list_selects_nothing() -> None:
    assert act(host((WEB, 11)), containers=()) == {}
    assert act(host((WEB, 11), linked=[entry(WEB, 11)]), state="absent", containers=()) == {}


def test_a_name_is_for_one_container() -> None:
    snapshot = host((WEB, 11), (DB, 12))
    assert act(snapshot, containers=("w*",), names=("x",)) == {"x": "created"}
    with pytest.raises(model.SelectionError, match="db, web"):
        act(snapshot, containers=("web", "db"), names=("x",))


def test_no_match_is_a_warning() -> None:
    assert plan.make(LinkRequest(containers=("x*",)), host((WEB, 11))).warnings == (
        "no container matches 'x*'",
    )


def test_no_engine_is_a_warning_unless_something_was_named() -> None:
    bare = host()._replace(readings=())
    for request in ({"all": True}, {"prune": True}):
        assert plan.make(LinkRequest(**request), bare).warnings == (
            "no container engine was found on this host",
        )
    for request in ({"all": True, "engines": ("docker",)}, {"containers": ("web",)}):
        with pytest.raises(model.SelectionError, match="found on this host"):
            plan.make(LinkRequest(**request), bare)


def test_prune_removes_only_what_a_full_reading_does_not_contain() -> None:
    links = [entry(WEB, 11), entry(DB, 12), entry(OLD, 13), entry(container("gone"), 14)]
    elsewhere = entry(container("far"), 15)._replace(source="/run/other.sock")
    process = entry(container("vpn"), 16)._replace(engine=None, source=None, container_id=None)
    snapshot = host((WEB, 11), (DB, 99), (OLD, None), linked=[*links, elsewhere, process])
    assert act(snapshot, prune=True) == {"db": "removed", "old": "removed", "gone": "removed"}
    assert act(snapshot, prune=True, labels={"app": "x"}) == {"db": "removed"}
    assert act(snapshot, prune=True, all=True) == {
        "web": "unchanged",
        "db": "relinked",
        "old": "removed",
        "gone": "removed",
    }
    unread = host((DB, None), linked=[entry(DB, 12)])
    assert act(unread, prune=True) == {}


def test_a_name_that_is_linked_anew_by_pid_is_not_pruned() -> None:
    snapshot = host(linked=[entry(WEB, 11)], request_origin=Origin(model.NetnsId(4, 12), pid=8))
    request: dict[str, t.Any] = {"pid": 8, "names": ("web",), "prune": True}
    assert act(snapshot, **request) == {"web": "relinked"}
    made = plan.make(LinkRequest(**request), snapshot._replace(path_states={}))
    assert ([step.action for step in made.steps], made.vanished) == (["created"], ())


def test_a_link_that_was_already_removed_is_dropped_from_the_ledger() -> None:
    snapshot = host(linked=[entry(WEB, 11)])._replace(path_states={})
    made = plan.make(LinkRequest(prune=True), snapshot)
    assert (made.steps, made.vanished) == ((), ("web",))


def test_links_of_an_engine_that_was_not_read_stay_and_the_task_fails() -> None:
    snapshot = host(linked=[entry(WEB, 11)], error="no answer in 5 s")
    for request in (
        {"prune": True},
        {"all": True},
        {"state": "absent", "containers": ("web", "w*")},
    ):
        made = plan.make(LinkRequest(**request), snapshot)
        assert "no answer in 5 s" in made.failures[0]
        assert not [step for step in made.steps if step.action != "skipped"]


def test_links_of_another_daemon_of_such_an_engine_stay_too() -> None:
    elsewhere = entry(WEB, 11)._replace(source="/run/other.sock")
    absent = {"state": "absent", "containers": ("web", "w*")}
    assert act(host(linked=[elsewhere], error="no answer in 5 s"), **absent) == {"web": "skipped"}
    assert act(host(linked=[elsewhere]), **absent) == {"web": "removed"}


def test_absent_by_container_uses_its_present_name() -> None:
    renamed = WEB._replace(name="www")
    snapshot = host((renamed, 11), linked=[entry(WEB, 11), entry(DB, 12)])
    assert act(snapshot, state="absent", containers=("www",)) == {"web": "removed"}
    assert act(snapshot, state="absent", containers=("d*",)) == {"db": "removed"}
    assert act(snapshot, state="absent", containers=("*",), labels={"app": "x"}) == {
        "db": "removed"
    }


BILLING = container("billing")._replace(id="db1234567890".ljust(64, "0"))


@pytest.mark.parametrize("listed", [(), ((BILLING, 11),)], ids=["gone", "running"])
@pytest.mark.parametrize(
    ("item", "steps"),
    [
        (
            "db",
            {
                "db": (
                    "unchanged",
                    (
                        "no link was made for such a container; to select a container by the beginning "
                        "of its id, give 12 characters or more"
                    ),
                )
            },
        ),
        ("cafe", {"cafe": ("unchanged", "no link was made for such a container")}),
        ("DB1234567890", {"billing": ("removed", None)}),
    ],
)
def test_absent_by_container_removes_no_link_by_a_short_prefix(
    item: str,
    steps: dict[str, tuple[str, str | None]],
    listed: tuple[tuple[model.Container, int | None], ...],
) -> None:
    snapshot = host(*listed, linked=[entry(BILLING, 11)])
    made = plan.make(LinkRequest(state="absent", containers=(item,)), snapshot).steps
    assert {step.name: (step.action, step.reason) for step in made} == steps


def test_present_links_no_container_by_a_short_prefix() -> None:
    with pytest.raises(model.SelectionError, match=r"there is no container 'db'; .* 4 characters"):
        act(host((BILLING, 11)), containers=("db",), names=("db",))
    assert act(host((BILLING, 11)), containers=("db12",)) == {"billing": "created"}


def test_absent_by_container_accepts_its_former_name_unless_another_has_it_now() -> None:
    renamed = WEB._replace(name="www")
    absent = {"state": "absent", "containers": ("web",)}
    assert act(host((renamed, 11), linked=[entry(WEB, 11)]), **absent) == {"web": "removed"}
    successor = container("web")._replace(id="f" * 64)
    snapshot = host((renamed, 11), (successor, 12), linked=[entry(WEB, 11)])
    assert act(snapshot, **absent) == {"web": "unchanged"}
    # By an engine that did not answer, it is not known whether another has it.
    silent = host((renamed, 11), linked=[entry(WEB, 11)], error="no answer in 5 s")
    assert act(silent, **absent) == {"web": "skipped"}


def link_named(name: str, **more: t.Any) -> ledger.Entry:
    return entry(WEB, 11)._replace(path=f"/run/netns/{name}", **more)


@pytest.mark.parametrize(
    ("linked", "request_more", "removed"),
    [
        # `docker rename web www`; what 1.0.0 recorded, and what is recorded now.
        (link_named("web"), {}, True),
        (link_named("web", from_template=True), {}, True),
        # Another template; 1.0.0 does not record that the name was made from one.
        (link_named("docker-web", from_template=True), {}, True),
        (link_named("docker-web"), {}, False),
        # A name that was given.
        (link_named("vpn"), {}, False),
        # A task that says nothing about all containers, or does not prune.
        (link_named("web", from_template=True), {"all": False, "containers": ("w*",)}, False),
        (link_named("web", from_template=True), {"prune": False}, False),
        # The other one's link.
        (link_named("web", maker=HOOK), {}, False),
        (link_named("web", maker=HOOK), {"maker": HOOK}, True),
        (link_named("web", from_template=True), {"maker": HOOK}, False),
    ],
)
def test_the_former_name_of_a_renamed_container_goes(
    linked: ledger.Entry, request_more: dict[str, t.Any], removed: bool
) -> None:
    snapshot = host((WEB._replace(name="www"), 11), linked=[linked])
    actions = act(snapshot, **{"all": True, "prune": True, **request_more})
    assert (actions.get(linked.name) == "removed") is removed


@pytest.mark.parametrize(
    ("request_more", "linked", "recorded"),
    [
        ({}, [], ("module", True)),
        ({"containers": ("web",), "names": ("web",), "all": False}, [], ("module", False)),
        ({"maker": HOOK}, [], (HOOK, False)),
        # A link of the hook that the module moves stays the hook's.
        ({}, [link_named("web", maker=HOOK, netns=model.NetnsId(4, 9))], (HOOK, False)),
    ],
)
def test_who_made_a_name_and_how_is_recorded(
    request_more: dict[str, t.Any], linked: list[ledger.Entry], recorded: tuple[str, bool]
) -> None:
    request = LinkRequest(**{"all": True, **request_more})
    (step,) = plan.make(request, host((WEB, 11), linked=linked)).steps
    assert step.entry is not None
    assert (step.entry.maker, step.entry.from_template) == recorded


def test_a_former_name_stays_while_the_new_one_is_taken() -> None:
    snapshot = host((WEB._replace(name="www"), 11), linked=[link_named("web", from_template=True)])
    foreign = PathState(NETNS, "a link", 5, model.NetnsId(4, 55), (55,))
    snapshot = snapshot._replace(path_states={**snapshot.path_states, "www": foreign})
    assert act(snapshot, all=True, prune=True) == {"www": "conflict"}


def test_absent_all_removes_every_managed_link_and_no_other() -> None:
    linked = [entry(WEB, 11), entry(DB, 12)._replace(engine="podman")]
    snapshot = host(linked=linked)
    foreign = PathState(NETNS, "a link", 5, model.NetnsId(4, 55), (55,))
    snapshot = snapshot._replace(path_states={**snapshot.path_states, "cni-1": foreign})
    assert act(snapshot, state="absent", all=True) == {"web": "removed", "db": "removed"}
    assert act(snapshot, state="absent", all=True, engines=("docker",)) == {"web": "removed"}


def test_absent_by_name_and_label() -> None:
    snapshot = host(linked=[entry(WEB, 11), entry(DB, 12)])
    request = {"state": "absent", "names": ("db", "web"), "labels": {"app": "x"}}
    assert act(snapshot, **request) == {"db": "removed", "web": "skipped"}
    assert act(host(), **request) == {"db": "unchanged", "web": "unchanged"}


def managed_file(name: str, **more: t.Any) -> etc_netns.File:
    return etc_netns.File(
        "# linuxnet.netns\n", {"link": f"/run/netns/{name}", "engine": "docker", **more}
    )


def test_a_resolv_conf_goes_with_its_link_and_an_orphan_when_pruned() -> None:
    foreign = etc_netns.File("nameserver 192.0.2.1\n", None)
    files = {
        "web": managed_file("web"),
        "left": managed_file("left"),
        "far": managed_file("x"),
        "user": foreign,
    }
    snapshot = host((WEB, 11), linked=[entry(WEB, 11)], resolv_conf_files=files)
    assert act(snapshot, prune=True) == {"left": "removed"}
    assert act(snapshot, prune=True, labels={"app": "x"}) == {}
    (step,) = plan.make(LinkRequest(state="absent", names=("web",)), snapshot).steps
    assert step.remove_resolv_conf
    (step,) = plan.make(LinkRequest(state="absent", names=("user",)), snapshot).steps
    assert (step.action, step.remove_resolv_conf) == ("unchanged", False)


def test_resolv_conf_is_written_once_and_never_over_another() -> None:
    request = LinkRequest(containers=("web",), resolv_conf=True)
    lines = {WEB.key: ("nameserver 127.0.0.11",)}
    linked = [entry(WEB, 11)]
    (step,) = plan.make(request, host((WEB, 11), linked=linked, dns_lines=lines)).steps
    assert step.action == "repaired"
    assert step.resolv_conf is not None
    again = {"web": etc_netns.File(step.resolv_conf, {"link": "/run/netns/web"})}
    (step,) = plan.make(
        request, host((WEB, 11), linked=linked, dns_lines=lines, resolv_conf_files=again)
    ).steps
    assert (step.action, step.resolv_conf) == ("unchanged", None)
    foreign = {"web": etc_netns.File("nameserver 192.0.2.1\n", None)}
    snapshot = host((WEB, 11), dns_lines=lines, resolv_conf_files=foreign)
    with pytest.raises(model.SelectionError, match="not written by this collection"):
        plan.make(request, snapshot)
    (step,) = plan.make(request._replace(containers=("w*",)), snapshot).steps
    assert step.action == "conflict"
    (step,) = plan.make(request._replace(force=True), snapshot).steps
    assert (step.action, step.resolv_conf is not None) == ("created", True)


def by_hook(link: ledger.Entry, **more: t.Any) -> ledger.Entry:
    return link._replace(maker=HOOK, **more)


HOOKS = {"all": True, "prune": True, "maker": HOOK}
PROCESS = {"engine": None, "source": None, "container_id": None}


@pytest.mark.parametrize("label", ["containerlab", "clab-node-name"])
def test_the_hook_leaves_the_nodes_of_containerlab_to_it(label: str) -> None:
    node = WEB._replace(labels={label: "lab"})
    (step,) = plan.make(LinkRequest(**HOOKS), host((node, 11))).steps
    assert (step.action, step.reason) == (
        "skipped",
        "it is a node of containerlab, which makes its link itself",
    )
    # A link that version 1.0.0 of the hook made, and one that a playbook did.
    assert act(host((node, 11), linked=[by_hook(entry(node, 11))]), **HOOKS)["web"] == "removed"
    assert act(host((node, 11), linked=[entry(node, 11)]), **HOOKS) == {"web": "skipped"}
    assert act(host((node, 11)), all=True) == {"web": "created"}


@pytest.mark.parametrize(
    ("linked", "actions", "maker"),
    [
        # A link of the module for the same container, which has restarted.
        (entry(WEB, 10), {"web": "relinked"}, HOOK),
        (by_hook(entry(WEB, 10)), {"web": "relinked"}, HOOK),
        # A link of the module that is as the hook wants it.
        (entry(WEB, 11), {"web": "unchanged"}, None),
        # For a process or a path: only the user can decide when it is obsolete.
        (entry(WEB, 10)._replace(**PROCESS), {"web": "conflict"}, None),
        # For a container of the same name that has ended, that runs, whose engine was not read.
        (by_hook(entry(OLD, 10)._replace(path="/run/netns/web")), {"web": "relinked"}, HOOK),
        (by_hook(entry(SIDE, 13)._replace(path="/run/netns/web")), {"web": "conflict"}, None),
        # For a container that has another name now.
        (by_hook(entry(DB, 12)._replace(path="/run/netns/web")), {"web": "relinked"}, HOOK),
        (entry(DB, 12)._replace(path="/run/netns/web"), {"web": "conflict"}, None),
        (
            by_hook(entry(OLD, 10)._replace(path="/run/netns/web", engine="podman")),
            {"web": "conflict"},
            None,
        ),
    ],
)
def test_the_hook_moves_links_of_containers_that_ended(
    linked: ledger.Entry, actions: dict[str, str], maker: str | None
) -> None:
    unnamed = SIDE._replace(name="a/b")
    snapshot = host((WEB, 11), (OLD, None), (DB, 12), (unnamed, 13))
    path_state = PathState(NETNS, "a link", linked.file, linked.netns, (linked.netns.inode,))
    snapshot = snapshot._replace(path_states={"web": path_state}, entries={linked.path: linked})
    steps = [step for step in plan.make(LinkRequest(**HOOKS), snapshot).steps if step.name == "web"]
    assert {step.name: step.action for step in steps} == actions
    assert [step.entry.maker for step in steps if step.entry] == ([maker] if maker else [])


def test_a_link_of_the_hook_stays_the_hooks_when_the_module_moves_it() -> None:
    snapshot = host((WEB, 11), linked=[by_hook(entry(WEB, 10))])
    (step,) = plan.make(LinkRequest(all=True), snapshot).steps
    assert step.entry is not None
    assert (step.action, step.entry.maker) == ("relinked", HOOK)
    # Now for another container of the namespace.
    heir = SIDE._replace(name="web")
    (step,) = plan.make(
        LinkRequest(all=True), host((heir, 11), linked=[by_hook(entry(WEB, 11))])
    ).steps
    assert step.entry is not None
    assert (step.action, step.entry.maker, step.entry.key) == ("unchanged", HOOK, heir.key)


def test_the_hook_renames_its_own_links_alone() -> None:
    renamed = WEB._replace(name="www")
    snapshot = host((renamed, 11), linked=[by_hook(entry(WEB, 11))])
    assert act(snapshot, **HOOKS) == {"web": "removed", "www": "created"}
    assert act(snapshot, all=True, prune=True) == {"www": "created"}
    assert act(host((renamed, 11), linked=[entry(WEB, 11)]), **HOOKS) == {"www": "created"}
    # The new name has a foreign link: the old link stays.
    foreign = PathState(NETNS, "a link", 5, model.NetnsId(4, 55), (55,))
    taken = snapshot._replace(path_states={**snapshot.path_states, "www": foreign})
    assert act(taken, **HOOKS) == {"www": "conflict"}


def test_links_that_the_hook_is_not_set_to_make_are_removed() -> None:
    snapshot = host((WEB, 11), (DB, 12), linked=[by_hook(entry(WEB, 11)), by_hook(entry(DB, 12))])
    labels = {**HOOKS, "labels": {"app": "x"}}
    assert act(snapshot, **labels) == {"db": "unchanged", "web": "removed"}
    assert act(host((WEB, 11), linked=[entry(WEB, 11)]), **labels) == {}
    podmans = by_hook(entry(OLD, 13)._replace(engine="podman"))
    snapshot = host((WEB, 11), linked=[podmans])
    assert act(snapshot, **HOOKS) == {"web": "created"}
    docker = {**HOOKS, "engines": ("docker",)}
    assert act(snapshot, **docker) == {"old": "removed", "web": "created"}


def test_with_a_container_all_managed_links_to_its_namespace_are_removed() -> None:
    alias = entry(WEB, 11)._replace(path="/run/netns/alias")
    process = entry(container("vpn"), 11)._replace(**PROCESS)
    linked = [by_hook(entry(WEB, 11)), alias, process]
    path_states = {
        link.name: PathState(NETNS, "a link", link.file, link.netns, (link.netns.inode,))
        for link in linked
    }

    def ended(*containers: tuple[model.Container, int | None]) -> dict[str, str]:
        return act(host(*containers, linked=linked)._replace(path_states=path_states), **HOOKS)

    assert ended() == {"web": "removed", "alias": "removed", "vpn": "removed"}
    # A container that has joined the namespace still runs in it.
    assert ended((SIDE, 11)) == {"web": "removed", "alias": "removed", "side": "created"}
    assert act(host(linked=linked), all=True, prune=True).get("vpn") is None


def test_an_engine_that_is_not_there_yet_is_no_error_for_the_hook() -> None:
    request = LinkRequest(**HOOKS, engines=("docker", "podman"))
    made = plan.make(request, host((WEB, 11)))
    assert [step.action for step in made.steps] == ["created"]
    assert made.warnings == ("no podman was found on this host yet",)


def test_a_run_for_some_containers_changes_no_other() -> None:
    linked = [by_hook(entry(WEB, 11)), by_hook(entry(OLD, 13))]
    snapshot = host((WEB, 12), (DB, 14), linked=linked)

    def some(snapshot: Snapshot, *ids: str) -> dict[str, str]:
        (reading,) = snapshot.readings
        requested = tuple(found for found in reading.containers if found.id in ids)
        reading = reading._replace(containers=requested, only=frozenset(ids))
        request = LinkRequest(**HOOKS, only={"docker": frozenset(ids)})
        origins = {found.key: snapshot.origins[found.key] for found in requested if found.running}
        made = plan.make(request, snapshot._replace(readings=(reading,), origins=origins))
        return {step.name: step.action for step in made.steps}

    assert some(snapshot, WEB.id) == {"web": "relinked"}
    assert some(snapshot, OLD.id) == {"old": "removed"}
    assert some(snapshot, DB.id) == {"db": "created"}
    # Whether a container that was not requested runs is unknown.
    usurper = DB._replace(name="old")
    assert some(host((usurper, 14), linked=linked), usurper.id) == {"old": "conflict"}
    assert some(host((usurper, 14), linked=linked), usurper.id, OLD.id) == {"old": "relinked"}


def test_a_disputed_link_is_removed_when_its_container_has_left() -> None:
    twin = WEB._replace(engine="podman", id="ab" * 32, pin=None)
    other = Origin(model.NetnsId(4, 21), pid=8, container=twin)
    snapshot = host((WEB, 11), linked=[by_hook(entry(WEB, 11))])

    def with_twin(snapshot: Snapshot) -> list[str]:
        readings = (*snapshot.readings, model.Reading("podman", SOURCE, None, (twin,)))
        origins = {**snapshot.origins, twin.key: other}
        made = plan.make(
            LinkRequest(**HOOKS), snapshot._replace(readings=readings, origins=origins)
        )
        return [step.action for step in made.steps]

    assert with_twin(snapshot) == ["conflict", "conflict"]
    moved = host((WEB, 12), linked=[by_hook(entry(WEB, 11))])
    assert with_twin(moved) == ["conflict", "conflict", "removed"]
