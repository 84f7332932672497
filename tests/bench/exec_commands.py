# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time of running a command in many namespaces, by netns_exec and by loops. Writes seconds as JSON to a file.

    unshare --mount --net --pid --fork --mount-proc python tests/bench/exec_commands.py COUNT ROUNDS FILE

The namespaces are made as in gather_facts.py.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import sys
import tempfile
import typing as t

from ansible import constants
from gather_facts import DIR, make
from later_tasks import PING
from timing import as_in_module, command, medians, play, say, task_medians

from ansible_collections.linuxnet.netns.plugins.become import netns
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import (
    namespace,
    pool,
    request,
    run,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter.command import Command
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger

LOOPED = 50
TASKS = 20
# A host's own Python, as users have it: the first one in a PATH of developers may be a script that looks for one.
PYTHON = "/usr/bin/python3"
LEAST_ENTER = pathlib.Path(__file__).parent / "least_enter.py"
LEAST_BECOME = '''
DOCUMENTATION = r"""{documentation}"""

from ansible.plugins.become import BecomeBase


class BecomeModule(BecomeBase):
    name = "least_become"

    def build_become_command(self, cmd, shell):
        super().build_become_command(cmd, shell)
        sudo = "sudo -H -S -n " if self.get_option("escalate") == "sudo" else ""
        command = self._build_success_command(cmd, shell)
        return f"{{sudo}}{{self.get_option('python')}} {enter} {{command}}"
'''
SHELL_LOOP = 'for name; do ip netns exec "$name" true; done'


def in_process() -> None:
    limits = pool.Limits(timeout=30, forks=8, max_output=65536)
    result = run.run(request.ExecRequest(Command(("true",)), limits, links=("n*",)))
    assert result.failures == []


def least(names: t.Sequence[str]) -> None:
    """The system calls of netns_exec in a child for each command, as many at a time as there are processors.

    What a command writes is read when it has ended.
    """
    running: dict[int, tuple[int, int]] = {}

    def wait() -> None:
        pid, status = os.wait()
        for stream in running.pop(pid):
            assert os.read(stream, 1) == b""
            os.close(stream)
        assert status == 0

    for name in names:
        if len(running) == os.cpu_count():
            wait()
        stdout, stderr = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                fd, _name = namespace.open_target(name, str(DIR))
                namespace.enter(fd, None, etc=False, dns_guard=False, sysfs=True, prepared=[])
                os.dup2(stdout[1], 1)
                os.dup2(stderr[1], 2)
                os.execvp("true", ["true"])
            finally:
                os._exit(1)
        running[pid] = stdout[0], stderr[0]
        os.close(stdout[1])
        os.close(stderr[1])
    while running:
        wait()


def write_least_become(directory: pathlib.Path, namespace_path: pathlib.Path) -> None:
    """Write a become plugin that runs least_enter.py. It has the same options as the collection's.

    It is in a collection too, because Ansible reads the options of such plugins for each task.
    """
    plugins = directory / "ansible_collections/bench/least/plugins/become"
    plugins.mkdir(parents=True)
    (plugins / "least_become.py").write_text(
        LEAST_BECOME.format(
            documentation=netns.DOCUMENTATION, enter=f"-IS {LEAST_ENTER} {namespace_path}"
        )
    )


def main() -> None:
    count, rounds, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    names = [f"n{number}" for number in range(count)]
    make(names)
    say("a shell loop, and the module's program")
    seconds = medians(
        3 * rounds,
        shell=functools.partial(command, "sh", "-c", SHELL_LOOP, "sh", *names),
        in_process=as_in_module(in_process),
        least_in_process=as_in_module(functools.partial(least, names)),
    )
    say(f"playbooks that run a command in {LOOPED} namespaces")
    some = names[:LOOPED]
    loop = {"ansible.builtin.command": "ip netns exec {{ item }} true", "loop": some}
    one_task = {"linuxnet.netns.netns_exec": {"command": "true", "links": some}}
    with tempfile.TemporaryDirectory() as directory:
        plays = {
            name: play(pathlib.Path(directory), name, [PING, *tasks])
            for name, tasks in (
                ("none", ()),
                ("loop", (loop,)),
                ("one_task", (one_task,)),
                # One task too. Its shell loop takes as long as the program of netns_exec.
                ("least", ({"ansible.builtin.shell": f"set -- {' '.join(some)}; {SHELL_LOOP}"},)),
            )
        }
        measured = medians(rounds, **plays)
        # As on a host with links: for the compiled code that the become plugin keeps.
        with ledger.locked():
            ledger.prepare_code_cache()
        # Root may become root only by this setting, for which the become plugin has no need.
        os.environ["ANSIBLE_BECOME_ALLOW_SAME_USER"] = "true"
        become = {"ansible_netns": some[0], "ansible_netns_python": PYTHON}
        write_least_become(pathlib.Path(directory), DIR / some[0])
        paths = [*constants.COLLECTIONS_PATHS, directory]
        os.environ["ANSIBLE_COLLECTIONS_PATH"] = ":".join(paths)
        ways: dict[str, dict[str, object]] = {
            "sudo": {"become_method": "ansible.builtin.sudo"},
            "sudo_and_become": {
                "become_method": "linuxnet.netns.netns",
                "vars": {**become, "ansible_netns_escalate": "sudo"},
            },
            "sudo_and_least": {
                "become_method": "bench.least.least_become",
                "vars": {**become, "ansible_netns_escalate": "sudo"},
            },
            "become": {"become_method": "linuxnet.netns.netns", "vars": become},
            "least_become": {"become_method": "bench.least.least_become", "vars": become},
        }
        # One task of each way after the other: what a task takes changes by more within minutes than they differ.
        turn = [{"name": name, **PING, "become": True, **way} for name, way in ways.items()]
        # The first task connects.
        first = {"name": "first", **PING}
        in_turns = play(pathlib.Path(directory), "ways", [first, *turn * TASKS], PYTHON)
        seconds.update(task_medians(2 * rounds, in_turns))
    # What the tasks take, without the start of the play and its first connection.
    for name in ("loop", "one_task", "least"):
        seconds[name] = measured[name] - measured["none"]
    pathlib.Path(file).write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
