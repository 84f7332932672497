"""churn.py [--containers 50] [--at-once 6] [--alone 20]: start and remove containers, and see what the service needs.

It talks to Docker's socket and asks the kernel and systemd; of the collection it only imports what the service
imports, to know the size of a Python that has done so. Says on standard error how far it is, on standard output the
figures as JSON, and ends with 1 if a link is missing or left, or if the service has grown.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import http.client
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time

import exactly

IMAGE = "linuxnet-netns-test:1"
UNIT = "linuxnet-netns-hook.service"
STARTS = 20
# What a run may leave behind in Python's own pools.
_ROOM = 1.1
_IMPORTS = """
import sys
sys.path.insert(0, sys.argv[1])
from _core.hook import service
from _core.engines import containerd, crio, docker, docker_state, lxc, nspawn, podman, podman_state, rootless
print(open("/proc/self/status").read())
"""


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/run/docker.sock")


def ask(method, target, body=None):
    with contextlib.closing(Connection("localhost")) as connection:
        headers = {"Content-Type": "application/json"}
        connection.request(method, target, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {target}: {answer.status} {text[:200]}")
    return text


def start(name):
    """Returns the seconds that the call took, and when it returned."""
    ask("POST", f"/containers/create?name={name}", {"Image": IMAGE})
    before = time.monotonic()
    ask("POST", f"/containers/{name}/start")
    after = time.monotonic()
    return after - before, after


def remove(name):
    ask("DELETE", f"/containers/{name}?force=1")


def say(text):
    sys.stderr.write(f"-- {text}\n")
    sys.stderr.flush()


def each(what, action, names, at_once):
    end = time.monotonic() + 5
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for count, _done in enumerate(pool.map(action, names), 1):
            if time.monotonic() > end or count == len(names):
                say(f"{what}: {count} of {len(names)}")
                end = time.monotonic() + 5


class Service:
    """What the system says of it."""

    def __init__(self):
        self.pid = self._show("MainPID")

    @staticmethod
    def _show(name):
        command = ["systemctl", "show", "--value", f"--property={name}", UNIT]
        return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

    def milliseconds(self):
        return self._show("CPUUsageNSec") / 1e6

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def size(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as stream:
            return kilobytes(stream.read())


def kilobytes(status):
    (line,) = (line for line in status.split("\n") if line.startswith("VmRSS:"))
    return int(line.split()[1])


def bare_start():
    """The milliseconds of CPU that it takes to start Python and end it."""

    def spent():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return 1000 * (usage.ru_utime + usage.ru_stime)

    before = spent()
    for _turn in range(STARTS):
        subprocess.run(["/usr/bin/python3", "-I", "-c", "pass"], check=True)
    return (spent() - before) / STARTS


def bare_size():
    """The kilobytes of a Python that has imported what the service imports."""
    folder = os.path.realpath("/usr/local/lib/linuxnet-netns-hook/current")
    command = ["/usr/bin/python3", "-I", "-c", _IMPORTS, folder]
    return kilobytes(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def alone(number):
    """One life of one container: the seconds of the start call, and those until its link was there."""
    name = f"alone-{number}"
    took, returned = start(name)
    try:
        while exactly.linked().get(name) is None:
            if time.monotonic() > returned + 5:
                raise RuntimeError(f"{name} has no link")
            time.sleep(0.0002)
        late = time.monotonic() - returned
    finally:
        remove(name)
    return took, late


def middle(seconds):
    """The median, in milliseconds."""
    return round(1000 * statistics.median(seconds), 2)


def churn(names, at_once):
    """Start all of them, and remove them again. Returns what was wrong in between and after."""
    each("started", start, names, at_once)
    wrong = exactly.wait(10)
    each("removed", remove, names, at_once)
    return wrong or exactly.wait(10)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--containers", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=6)
    parser.add_argument("--alone", type=int, default=20)
    options = parser.parse_args()
    names = [f"churn-{number}" for number in range(options.containers)]
    service = Service()
    figures = {"containers": len(names)}
    if options.alone:
        say(f"{options.alone} containers one after the other")
        before = service.milliseconds()
        pairs = [alone(number) for number in range(options.alone)]
        single = (service.milliseconds() - before) / len(pairs)
        figures["cpu_ms_of_a_life_alone"] = round(single, 2)
        figures["start_call_ms"] = middle(took for took, _late in pairs)
        figures["link_after_start_call_ms"] = middle(late for _took, late in pairs)
    # What it holds for good it has after the first of them.
    churn(names[: max(1, len(names) // 5)], options.at_once)
    files, size, before = service.files(), service.size(), service.milliseconds()
    wrong = churn(names, options.at_once)
    figures["cpu_ms_of_a_life"] = round((service.milliseconds() - before) / len(names), 2)
    figures["cpu_ms_of_a_python_start"] = round(bare_start(), 2)
    figures["files"] = [files, service.files()]
    figures["kilobytes"] = [size, service.size()]
    figures["kilobytes_of_a_python_with_the_same_imports"] = bare_size()
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    if Service().pid != service.pid:
        wrong = "the service was started anew"
    elif figures["files"][0] != figures["files"][1] or figures["kilobytes"][1] > _ROOM * size:
        wrong = wrong or "the service has grown"
    if wrong:
        say(wrong)
    return 1 if wrong else 0


sys.exit(main())
