"""churn.py [--containers 50] [--at-once 6] [--single 50]: measure the service while many containers start and stop.

Uses Docker's socket, the kernel and systemd. Of the collection it only imports what the service
imports, for the size of a Python with the same imports. Writes its progress to standard error and
the figures as JSON to standard output. Exits with 1 if a link is missing or left over, or if the
service has grown.
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

import verify_links

IMAGE = "linuxnet-netns-test:1"
UNIT = "linuxnet-netns-hook.service"
STARTS = 20
NSFS_DEVICE = os.stat("/proc/self/ns/net").st_dev
# The growth that Python's memory pools may cause.
_MAX_GROWTH = 1.1
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


def request(method, target, body=None):
    with contextlib.closing(Connection("localhost")) as connection:
        headers = {"Content-Type": "application/json"}
        connection.request(method, target, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        text = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{method} {target}: {response.status} {text[:200]}")
    return text


def start(name):
    """Return the seconds that the call took, and when it returned."""
    request("POST", f"/containers/create?name={name}", {"Image": IMAGE})
    before = time.monotonic()
    request("POST", f"/containers/{name}/start")
    after = time.monotonic()
    return after - before, after


def remove(name):
    request("DELETE", f"/containers/{name}?force=1")


def log(text):
    sys.stderr.write(f"-- {text}\n")
    sys.stderr.flush()


def run_all(label, action, names, at_once):
    end = time.monotonic() + 5
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for count, _done in enumerate(pool.map(action, names), 1):
            if time.monotonic() > end or count == len(names):
                log(f"{label}: {count} of {len(names)}")
                end = time.monotonic() + 5


class Service:
    """Measurements of the service."""

    def __init__(self):
        self.pid = self._show("MainPID")

    @staticmethod
    def _show(name):
        command = ["systemctl", "show", "--value", f"--property={name}", UNIT]
        return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

    def cpu_ms(self):
        return self._show("CPUUsageNSec") / 1e6

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_kb(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as stream:
            return resident_kb(stream.read())


def resident_kb(status):
    (line,) = (line for line in status.split("\n") if line.startswith("VmRSS:"))
    return int(line.split()[1])


def python_start_cpu_ms():
    """Return the milliseconds of CPU of a Python that starts and ends."""

    def cpu_ms():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return 1000 * (usage.ru_utime + usage.ru_stime)

    before = cpu_ms()
    for _start in range(STARTS):
        subprocess.run(["/usr/bin/python3", "-I", "-c", "pass"], check=True)
    return (cpu_ms() - before) / STARTS


def python_resident_kb():
    """Return the size of a Python that has imported what the service imports."""
    program_dir = os.path.realpath("/usr/local/lib/linuxnet-netns-hook/current")
    command = ["/usr/bin/python3", "-I", "-c", _IMPORTS, program_dir]
    return resident_kb(
        subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    )


def has_link(name):
    """Return whether a namespace is mounted at the name, and not only the file for it is there."""
    try:
        return os.stat(f"{verify_links.NETNS_DIR}/{name}").st_dev == NSFS_DEVICE
    except FileNotFoundError:
        return False


def single(number):
    """Start and remove a container. Return the seconds of the start call, and those from then to the link."""
    name = f"single-{number}"
    start_seconds, returned = start(name)
    try:
        while not has_link(name):
            if time.monotonic() > returned + 5:
                raise RuntimeError(f"{name} has no link")
            # Whatever is asked more often takes the processor from Docker and the service.
            time.sleep(0.00005)
        link_seconds = time.monotonic() - returned
    finally:
        remove(name)
    return start_seconds, link_seconds


def median_ms(seconds):
    """Return the median in milliseconds."""
    return round(1000 * statistics.median(seconds), 2)


def churn(names, at_once):
    """Start and remove all containers. Return what differs in the links in between or after."""
    run_all("started", start, names, at_once)
    problem = verify_links.wait(10)
    run_all("removed", remove, names, at_once)
    return problem or verify_links.wait(10)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--containers", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=6)
    parser.add_argument("--single", type=int, default=50)
    options = parser.parse_args()
    names = [f"churn-{number}" for number in range(options.containers)]
    service = Service()
    figures = {"containers": len(names)}
    if options.single:
        log(f"{options.single} containers, one after the other")
        before = service.cpu_ms()
        pairs = [single(number) for number in range(options.single)]
        cpu_ms = (service.cpu_ms() - before) / len(pairs)
        figures["cpu_ms_per_single_container"] = round(cpu_ms, 2)
        figures["start_call_ms"] = median_ms(pair[0] for pair in pairs)
        figures["link_after_start_call_ms"] = median_ms(pair[1] for pair in pairs)
    # After the first containers the service has allocated all that it keeps.
    churn(names[: max(1, len(names) // 5)], options.at_once)
    files, size, before = service.open_files(), service.resident_kb(), service.cpu_ms()
    problem = churn(names, options.at_once)
    figures["cpu_ms_per_container"] = round((service.cpu_ms() - before) / len(names), 2)
    figures["cpu_ms_per_python_start"] = round(python_start_cpu_ms(), 2)
    figures["open_files"] = [files, service.open_files()]
    figures["resident_kb"] = [size, service.resident_kb()]
    figures["resident_kb_of_a_python_with_the_same_imports"] = python_resident_kb()
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    if Service().pid != service.pid:
        problem = "the service was restarted"
    elif (
        figures["open_files"][0] != figures["open_files"][1]
        or figures["resident_kb"][1] > _MAX_GROWTH * size
    ):
        problem = problem or "the service has grown"
    if problem:
        log(problem)
    return 1 if problem else 0


sys.exit(main())
