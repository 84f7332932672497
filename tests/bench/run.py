# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measures what linking and gathering cost, as ratios of medians from alternating measurements in one run.

    python tests/bench/run.py [--containers 300] [--rounds 5] [--namespaces 300 1000] [--hosts 1000]

Called by `make bench`, which provides an engine and the test image. Writes docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gc
import json
import os
import pathlib
import platform
import re
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

import docker as docker_sdk
from library import least_work
from timing import Run, as_in_module, command, medians, play, say

from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import docker
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import libc, mounts, nsfs
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    apply,
    ledger,
    plan,
    run,
    session,
    snapshot,
    transitions,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import LinkRequest

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPORT = ROOT / "docs" / "benchmarks.md"
LEAST_WORK = ROOT / "tests" / "bench" / "library" / "least_work.py"
IMAGE = "linuxnet-netns-test:1"
LOOPED = 50
UNSHARED = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


class Row(t.NamedTuple):
    """A line of the table: the measured ratio, and the goal it has to meet.

    `possible` is the ratio that the least work for the same result has, where that is measured.
    """

    label: str
    ratio: float
    goal: float | None
    at_least: bool = False
    possible: float | None = None

    @property
    def outcome(self) -> str:
        if self.goal is None:
            return ""
        if self._meets_goal(self.ratio):
            return "met"
        if self.possible is None or self._meets_goal(self.possible):
            return "**missed**"
        return "**missed**, not possible"

    def _meets_goal(self, ratio: float) -> bool:
        if self.goal is None:
            return True
        return ratio >= self.goal if self.at_least else ratio <= self.goal


class Bench:
    def __init__(self, scratch: pathlib.Path, containers: int, rounds: int) -> None:
        self.scratch = scratch
        self.count = containers
        self.rounds = rounds
        self.label = f"linuxnet.netns.bench={secrets.token_hex(4)}"
        self.dir = scratch / "netns"
        self.library = scratch / "library"
        self.rows: list[Row] = []
        self.counts: list[tuple[str, int, int, int]] = []
        key, _equals, value = self.label.partition("=")
        self.labels = {key: value}

    def set_up(self) -> None:
        command("mount", "-t", "tmpfs", "none", self.scratch)
        self.dir.mkdir()
        self.library.mkdir()
        os.environ["ANSIBLE_LIBRARY"] = str(self.library)
        self.add_least_module("least_link", "_link_module")
        self.add_least_module("least_facts", "_facts_module")

    def start_containers(self) -> None:
        say(f"starting {self.count} containers")
        for number in range(self.count):
            name = f"{self.label.rpartition('=')[2]}-{number}"
            command(
                "docker",
                "run",
                "-d",
                "--network=none",
                "--label",
                self.label,
                "--name",
                name,
                IMAGE,
            )
            if number % 20 == 19:
                say(f"{number + 1} containers run")

    def remove_containers(self) -> None:
        say("removing the links and the containers")
        try:
            # The ledger of this host would keep them, and each later run read them.
            run.run(LinkRequest(state="absent", all=True, netns_dir=str(self.dir)))
        finally:
            identities = command("docker", "ps", "-aq", "--filter", f"label={self.label}").split()
            # Few at a time: Docker 20.10 can come to a deadlock over many.
            for start in range(0, len(identities), 10):
                command("docker", "rm", "-f", *identities[start : start + 10])

    def tear_down(self) -> None:
        try:
            self.remove_containers()
        finally:
            subprocess.run(
                ["umount", "-R", "-l", self.scratch], check=False, stderr=subprocess.DEVNULL
            )

    # Processes on a managed host

    def module(self, name: str, **options: t.Any) -> pathlib.Path:
        """Run a module once and keep the program that Ansible copies to the host."""
        directory = tempfile.mkdtemp(dir=self.scratch)
        environment = {
            **os.environ,
            "ANSIBLE_KEEP_REMOTE_FILES": "1",
            "ANSIBLE_REMOTE_TEMP": directory,
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        }
        words = ["ansible", "localhost", "-m", name]
        words += ["-a", json.dumps(options)] if options else []
        command(*words, env=environment, cwd=ROOT)
        (program,) = pathlib.Path(directory).rglob("AnsiballZ_*.py")
        return program

    def link(self, **options: t.Any) -> pathlib.Path:
        return self.module(
            "linuxnet.netns.netns_link",
            **{"all": True, "labels": self.labels, "netns_dir": str(self.dir), **options},
        )

    def add_least_module(self, name: str, imported: str) -> None:
        """Make a module that does the least work, for which Ansible sends the same files as for one of the collection.

        Which engines a host has is only known there, so no fewer files would do.
        """
        utils = "ansible_collections.linuxnet.netns.plugins.module_utils"
        (self.library / f"{name}.py").write_text(
            f"{LEAST_WORK.read_text()}\n\ndef files() -> None:\n    from {utils} import _zip_importer, {imported}\n"
        )

    def least_work(self, work: str, program: pathlib.Path) -> Run:
        """The process of a module that does the least for the result of another one's program."""
        result = self.scratch / f"{work}.json"
        result.write_text(command(sys.executable, program))
        options = {"label": self.label, "directory": str(self.dir), "result": str(result)}
        module = "least_facts" if work == "facts" else "least_link"
        return started(self.module(module, work=work, **options))

    def modules(self) -> None:
        say("module processes, and a shell loop")
        ping = started(self.module("ansible.builtin.ping"))
        link_program, unlink = self.link(), started(self.link(state="absent"))
        link = started(link_program)
        facts_program = self.module(
            "linuxnet.netns.netns_facts", gather_subset=["all"], netns_dir=str(self.dir)
        )
        facts = started(facts_program)
        info = started(
            self.module("linuxnet.netns.netns_info", gather_subset=["all"], netns_dir=str(self.dir))
        )
        doctor = started(self.module("linuxnet.netns.netns_doctor", netns_dir=str(self.dir)))
        shell = [
            "sh",
            "-ec",
            """for c in $(docker ps -q --no-trunc --filter "label=$1"); do
                 pid=$(docker inspect -f '{{.State.Pid}}' "$c")
                 touch "$2/$c"
                 mount -o bind "/proc/$pid/ns/net" "$2/$c"
               done""",
            "sh",
            self.label,
            str(self.dir),
        ]

        def remove_links() -> None:
            for entry in self.dir.iterdir():
                libc.umount(str(entry), libc.MNT_DETACH)
                entry.unlink()

        def link_by_shell() -> None:
            command(*shell)

        least_nothing = self.least_work("nothing", link_program)
        least_facts = self.least_work("facts", facts_program)
        unlink()
        least_new = self.least_work("link", link_program)
        measured = medians(
            10 * self.rounds,
            ping=ping,
            least_nothing=least_nothing,
            least_facts=least_facts,
            least_new=(remove_links, least_new),
            remove_least=remove_links,
            new=(unlink, link),
            # The run before it has found nothing to do as well.
            nothing=(link, link),
            facts=facts,
            info=info,
            doctor=doctor,
            unlink=unlink,
        )
        by_shell = medians(
            self.rounds,
            new=(unlink, link),
            shell=(unlink, link_by_shell),
            remove_links=remove_links,
        )
        count = self.count
        self.rows += [
            Row(
                f"`netns_link` process, {count} new links / `ping` process",
                measured["new"] / measured["ping"],
                1.35,
                possible=measured["least_new"] / measured["ping"],
            ),
            Row(
                f"the same, {count} links and nothing to do",
                measured["nothing"] / measured["ping"],
                1.3,
                possible=measured["least_nothing"] / measured["ping"],
            ),
            Row(
                f"`netns_facts` (all) process, {count} containers / `ping` process",
                measured["facts"] / measured["ping"],
                2.2,
                possible=measured["least_facts"] / measured["ping"],
            ),
            Row(
                f"`netns_doctor` process, {count} containers / `netns_info` (all) process",
                measured["doctor"] / measured["info"],
                1.3,
            ),
            Row(
                f"shell loop of `docker inspect`, `touch`, `mount -o bind`, {count} containers / `netns_link` process",
                by_shell["shell"] / by_shell["new"],
                None,
            ),
        ]

    def playbooks(self) -> None:
        say(f"looped Ansible tasks, {LOOPED} containers")
        names = command(
            "docker", "ps", "--format", "{{.Names}}", "--filter", f"label={self.label}"
        ).split()[:LOOPED]
        result = self.scratch / "playbook.json"
        variables = {
            "names": names,
            "netns_dir": str(self.dir),
            "ansible_python_interpreter": sys.executable,
        }

        def run_playbook(name: str) -> Run:
            playbook = ROOT / "tests" / "bench" / f"{name}.yml"
            return lambda: command(
                "ansible-playbook",
                "-i",
                "localhost,",
                "-c",
                "local",
                "-e",
                json.dumps(variables),
                playbook,
                cwd=ROOT,
            )

        least = {
            "work": "link",
            "label": self.label,
            "limit": LOOPED,
            "directory": str(self.dir),
            "result": str(result),
        }
        remove_links = run_playbook("remove_links")
        remove_links()
        link = self.module("linuxnet.netns.netns_link", containers=names, netns_dir=str(self.dir))
        remove_links()
        result.write_text(command(sys.executable, link))
        measured = medians(
            self.rounds,
            ping=run_playbook("ping"),
            least=(remove_links, play(self.scratch, "least", [{"least_link": least}])),
            one_task=(remove_links, run_playbook("link_in_one_task")),
            loops=(remove_links, run_playbook("link_in_loops")),
        )
        remove_links()
        self.rows += [
            Row(
                f"whole playbook that links {LOOPED} containers / `ping` playbook",
                measured["one_task"] / measured["ping"],
                1.1,
                possible=measured["least"] / measured["ping"],
            ),
            Row(
                f"looped inspect, touch and mount tasks, {LOOPED} containers / one `netns_link` task (whole playbooks)",
                measured["loops"] / measured["one_task"],
                45,
                True,
                measured["loops"] / measured["least"],
            ),
        ]

    # In process

    def one_link(self) -> None:
        say("one link in process")
        request = LinkRequest(all=True, labels=self.labels, netns_dir=str(self.dir))
        state = str(self.scratch / "state")
        os.mkdir(state)

        def link_safely() -> float:
            with contextlib.ExitStack() as held:
                cache = session.SessionCache(ledger.Ledger(state))
                query = snapshot.query_engines(request, cache)
                host = snapshot.take(request, cache, held, query)
                # As each run does: what it has read is not read again.
                mount = host.directory.mount
                if mount and transitions.propagation(host.directory) == transitions.READY:
                    cache.ready_mount = mount.id
                steps = plan.make(request, host)
                start = time.perf_counter()
                apply.apply(request, steps, cache)
                seconds = time.perf_counter() - start
            run.run(LinkRequest(all=True, state="absent", netns_dir=str(self.dir)), state_dir=state)
            return seconds

        containers = docker.read(
            docker.sources(os.environ)[0], 30, lambda container: has(container.labels, self.labels)
        ).containers
        pins = [container.pin for container in containers if container.pin]

        def link_bare() -> float:
            start = time.perf_counter()
            for number, pin in enumerate(pins):
                target = f"{self.dir}/{number}"
                os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0))
                libc.mount(pin, target, libc.MS_BIND)
            seconds = time.perf_counter() - start
            self.unlink_bare(len(pins))
            return seconds

        link_safely()
        gc.disable()  # as in a module's process
        times = [
            (link_safely(), link_bare(), self.link_least(pins))
            for _round in range(20 * self.rounds)
        ]
        gc.enable()
        safe, bare, least = (statistics.median(each) for each in zip(*times))
        self.rows.append(
            Row(
                "one safe link / bare open and mount, in process",
                safe / bare,
                2.2,
                possible=least / bare,
            )
        )

    def link_least(self, pins: t.Sequence[str]) -> float:
        """The seconds of a link for each pin by the system calls of a safe one alone, and two lines that record it."""
        start = time.perf_counter()
        files = nsfs.open_own_files()
        directory = os.open(self.dir, os.O_RDONLY | os.O_DIRECTORY)
        record = os.open(f"{self.dir}.record", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        namespaces, placeholders = [], []
        for pin in pins:
            namespaces.append(nsfs.copy_identified(pin, files)[0])
        lines = [
            json.dumps([f"{self.dir}/{number}", {"pin": pin}]) for number, pin in enumerate(pins)
        ]
        os.write(record, "\n".join(lines).encode())
        flags = os.O_RDONLY | os.O_CREAT | os.O_EXCL
        for number in range(len(pins)):
            placeholders.append(os.open(str(number), flags, 0, dir_fd=directory))
        lines = [f"{line} {os.fstat(file).st_ino}" for line, file in zip(lines, placeholders)]
        os.write(record, "\n".join(lines).encode())
        for namespace, placeholder in zip(namespaces, placeholders):
            mounts.bind_copy(namespace, placeholder)
        for file in (*namespaces, *placeholders, directory, record, files):
            os.close(file)
        seconds = time.perf_counter() - start
        self.unlink_bare(len(pins))
        return seconds

    def unlink_bare(self, count: int) -> None:
        for number in range(count):
            libc.umount(f"{self.dir}/{number}", libc.MNT_DETACH)
            os.unlink(f"{self.dir}/{number}")

    def engine(self) -> None:
        say("reading the engine")
        client = docker_sdk.from_env()
        source = docker.sources(os.environ)[0]
        measured = medians(
            5 * self.rounds,
            reader=as_in_module(
                lambda: docker.read(
                    source, 30, lambda container: has(container.labels, self.labels)
                )
            ),
            least=as_in_module(lambda: least_work.containers(self.label)),
            sdk=lambda: [
                container.attrs
                for container in client.containers.list(filters={"label": self.label})
            ],
        )
        self.rows.append(
            Row(
                f"Docker SDK for Python, {self.count} containers / the collection's own reading",
                measured["sdk"] / measured["reader"],
                8,
                True,
                measured["sdk"] / measured["least"],
            )
        )

    def count_calls(self) -> None:
        """Count system calls and requests to the engine, which do not vary as times do."""
        say("system calls")
        unlink, link = self.link(state="absent"), self.link()
        started(unlink)()
        for title in (f"{self.count} new links", f"{self.count} links and nothing to do"):
            trace = self.scratch / "trace"
            calls = "trace=mount,move_mount,umount2,clone,clone3,fork,vfork,sendto"
            words = ["strace", "-f", "-s", "1000000", "-e", calls, "-o", str(trace)]
            command(*words, sys.executable, link)
            text = trace.read_text()
            links = len(re.findall(r"\b(?:move_mount\(|mount\(.*MS_BIND)", text))
            forks = len(re.findall(r"\b(?:clone3?|v?fork)\(", text))
            self.counts.append((title, links, text.count("GET /"), forks))
        started(unlink)()

    def scale(self) -> list[Row]:
        """The time per namespace at 1,000 and at 100: real namespaces, and a stand-in for Docker."""
        say("1,000 namespaces")
        sys.path.insert(0, str(ROOT / "tests" / "kernel"))
        import support  # noqa: PLC0415 - the line above makes it known

        host = support.ScratchHost(self.scratch / "scale")
        (self.scratch / "scale").mkdir()
        daemon = support.Daemon(str(self.scratch / "docker.sock"))
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = f"unix://{daemon.path}"
        costs: dict[int, dict[str, float]] = {}
        try:
            for count in (100, 1000):
                while len(daemon.containers) < count:
                    number = len(daemon.containers)
                    pid, pin = host.process(), self.scratch / "scale" / f"pin{number}"
                    pin.touch()
                    libc.mount(f"/proc/{pid}/ns/net", str(pin), libc.MS_BIND)
                    identity = daemon.add(f"c{number}", pid, f"{number:064x}")
                    daemon.containers[identity]["pin"] = str(pin)
                costs[count] = self._cost(host, daemon, count)
        finally:
            os.environ.pop("DOCKER_HOST")
            if before is not None:
                os.environ["DOCKER_HOST"] = before
            daemon.close()
            host.take_down()
        return [
            Row(
                f"cost per namespace, {kind}, at 1,000 / at 100",
                costs[1000][kind] / costs[100][kind],
                1.1,
            )
            for kind in costs[100]
        ]

    def _cost(self, host: t.Any, daemon: t.Any, count: int) -> dict[str, float]:
        def prune() -> None:
            containers = dict(daemon.containers)
            daemon.containers.clear()
            host.run(prune=True)
            daemon.containers.update(containers)

        def link() -> None:
            host.run(all=True, timeout=60.0)

        # At 100, a run takes milliseconds. The median of few rounds would vary too much.
        measured = medians(
            5 * self.rounds,
            link=as_in_module(link),
            nothing=as_in_module(link),
            prune=as_in_module(prune),
        )
        names = {"link": "link", "nothing": "nothing to do", "prune": "prune"}
        return {names[name]: seconds / count for name, seconds in measured.items()}

    def gathering(self, counts: t.Sequence[int]) -> None:
        """Gather facts of many namespaces, on a host of their own."""
        costs = {}
        for count in counts:
            say(f"reading {count} namespaces, with our facts and other tools")
            measured = self._on_own_host("gather_facts", count)
            costs[count] = measured["facts"] / count
            others = (
                ("`ip -all netns exec ip -j addr`", measured["exec"], None),
                ("`ip -n NAME -j addr` for each", measured["addresses"], None),
                (
                    "`ip -n NAME` for each, addresses and both families' routes",
                    measured["addresses"] + measured["routes"],
                    80 if count >= 1000 else None,
                ),
                ("pyroute2, links, addresses and routes", measured["pyroute2"], None),
                ("`lsns -t net`, which shows none of these", measured["lsns"], None),
            )
            self.rows += [
                Row(
                    f"{tool}, {count} namespaces / facts (interfaces, routes), in process",
                    seconds / measured["facts_among_tools"],
                    goal,
                    True,
                    seconds / measured["dumps"] if goal else None,
                )
                for tool, seconds, goal in others
            ]
            if "ss" in measured:
                self.rows.append(
                    Row(
                        f"`ss -N NAME -tulnp` for each, {count} namespaces / subset `sockets`, in process",
                        measured["ss"] / measured["listeners"],
                        20,
                        True,
                        measured["ss"] / measured["least_listeners"],
                    )
                )
            floor = "the dumps alone, over the same sockets, unparsed"
            self.rows += [
                Row(
                    f"links, addresses, routes and peers of {count} namespaces / {floor}",
                    measured["views_and_peers"] / measured["dumps"],
                    1.5,
                ),
                Row(
                    f"facts (interfaces, routes), {count} namespaces, with discovery / {floor}",
                    measured["facts"] / measured["dumps"],
                    None,
                ),
            ]
        few, many = min(counts), max(counts)
        if few < many:
            ratio = costs[many] / costs[few]
            self.rows.append(Row(f"cost per namespace, facts, at {many} / at {few}", ratio, 1.1))

    def later_tasks(self, count: int) -> None:
        """The time of a task after the play has read many namespaces."""
        say(f"tasks after {count} namespaces were read")
        measured = self._on_own_host("later_tasks", count)
        self.rows += [
            Row(
                f"a later task after `{module}` of {count} namespaces / without",
                measured[reading] / measured["none"],
                goal,
                possible=measured["least"] / measured["none"] if goal else None,
            )
            for module, reading, goal in (
                ("netns_info", "info", 1.1),
                ("netns_facts", "facts", None),
            )
        ]

    def commands(self, count: int) -> None:
        """The time of running a command in many namespaces."""
        say(f"a command in {count} namespaces")
        measured = self._on_own_host("exec_commands", count)
        self.rows += [
            Row(
                f"shell loop of `ip netns exec NAME true`, {count} namespaces / `netns_exec`, in process",
                measured["shell"] / measured["in_process"],
                1,
                True,
                measured["shell"] / measured["least_in_process"],
            ),
            Row(
                f"looped `command: ip netns exec`, {LOOPED} namespaces / one `netns_exec` task",
                measured["loop"] / measured["one_task"],
                40,
                True,
                measured["loop"] / measured["least"],
            ),
            *(
                Row(
                    f"a task by the become plugin{label} / the same task by sudo, whole task",
                    measured[way] / measured["sudo"],
                    1.05,
                    possible=measured[least] / measured["sudo"],
                )
                for label, way, least in (
                    (", after sudo", "sudo_and_become", "sudo_and_least"),
                    (", as root", "become", "least_become"),
                )
            ),
        ]

    def fleet(self, hosts: int) -> None:
        """The filters on the controller, over the facts of many hosts."""
        say(f"filters over {hosts} hosts")
        measured = self._by_program("fleet", hosts)
        facts = f"facts of {hosts} hosts with 61 namespaces each"
        self.rows += [
            Row(
                f"{label}, {facts} / `json.loads` of them", measured[name] / measured["loads"], goal
            )
            for label, name, goal in (
                ("`find_netns`, one question", "one", 0.15),
                ("`netns_table`", "table", 0.35),
                ("`netns_csv`", "csv", 0.45),
                ("data of the page", "page", 1.1),
            )
        ]
        self.rows += [
            Row("ten questions of `find_netns` / one", measured["ten"] / measured["one"], 2),
            Row(
                f"bytes of the page / of the {facts}, gzipped each",
                measured["page_bytes"] / measured["facts_bytes"],
                0.5,
            ),
        ]

    def _on_own_host(self, program: str, count: int) -> dict[str, float]:
        """Run a program of this directory in namespaces of its own; the seconds that it measures."""
        return self._by_program(program, count, *UNSHARED)

    def _by_program(self, program: str, count: int, *start: str) -> dict[str, float]:
        """Run a program of this directory; what it measures."""
        file = self.scratch / f"{program}-{count}"
        path = ROOT / "tests" / "bench" / f"{program}.py"
        words = [*start, sys.executable, path, count, self.rounds, file]
        subprocess.run([str(word) for word in words], check=True, cwd=ROOT)
        measured: dict[str, float] = json.loads(file.read_text())
        return measured

    def report(self) -> None:
        kernel, python = platform.release(), platform.python_version()
        server = command("docker", "version", "--format", "{{.Server.Version}}").strip()
        about = [
            "# Benchmarks",
            "",
            "What the collection costs, as ratios of medians. One run of `make bench` measures both sides by turns.",
            "Absolute times depend on the machine, so this page shows none.",
            "",
            "With `≤`, the goal is near the least possible cost: that of an Ansible module that does nothing",
            "(`ping`), of the system calls alone, or of decoding the facts. With `≥`, it is how many times as long",
            "another tool takes for the same.",
            "",
            "Possible is the ratio that the least work for the same result has, measured in the same run: the",
            "requests and system calls alone, for Docker alone, of a module for which Ansible sends the same files.",
            "What is read to be certain of a process, and what is recorded of a link, is part of it.",
            "",
            "Where facts and commands are measured, the host has a mount for each namespace, as for the root directory",
            "of its container. `ip -n` and `ip netns exec` copy all mounts of the host for each command.",
            "",
            f"{datetime.date.today()}, {os.cpu_count()} cores, Linux {kernel}, Python {python}, Docker {server}.",
            "",
        ]
        lines = [
            "| ratio | measured | possible | goal | |",
            "|---|---|---|---|---|",
        ]
        for row in self.rows:
            goal = "" if row.goal is None else f"{'≥' if row.at_least else '≤'} {row.goal:g}"
            possible = "" if row.possible is None else f"{row.possible:.2f}"
            lines.append(f"| {row.label} | {row.ratio:.2f} | {possible} | {goal} | {row.outcome} |")
        lines += [
            "",
            "strace counted these system calls and requests in the module process that Ansible runs on the host:",
            "",
            "| run | mounts of links | requests to Docker | forks |",
            "|---|---|---|---|",
            *(
                f"| {title} | {mounts} | {requests} | {forks} |"
                for title, mounts, requests, forks in self.counts
            ),
            "",
        ]
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text("\n".join([*about, *lines]))
        print("\n".join(lines))


def started(program: pathlib.Path) -> Run:
    return lambda: command(sys.executable, program)


def has(labels: t.Mapping[str, str], wanted: t.Mapping[str, str]) -> bool:
    return wanted.items() <= labels.items()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--containers", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--namespaces", type=int, nargs="+", default=[300, 1000])
    options = parser.parse_args()
    # Settings of developers that no managed host has: modules would keep no compiled code, and Ansible's pipe would be
    # read byte by byte.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        os.environ.pop(name, None)
    # As ^C does, so that nothing is left.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        bench = Bench(pathlib.Path(scratch), options.containers, options.rounds)
        try:
            bench.set_up()
            # First, while this process is as small as that of a module, and the kernel cleans up no other namespaces.
            costs = bench.scale()
            bench.start_containers()
            bench.modules()
            bench.playbooks()
            bench.one_link()
            bench.engine()
            bench.count_calls()
            # What follows needs no containers. Their shims take caches and, now and then, the processor.
            bench.remove_containers()
            # First what uses no namespaces: the kernel cleans up those of the containers, which takes its time.
            bench.fleet(options.hosts)
            bench.rows += costs
            bench.gathering(options.namespaces)
            bench.later_tasks(max(options.namespaces))
            bench.commands(options.containers)
            bench.report()
        finally:
            bench.tear_down()


if __name__ == "__main__":
    main()
