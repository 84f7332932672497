# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands in real namespaces: what they see, and that the host keeps its mounts."""

from __future__ import annotations

import marshal
import os
import pathlib
import pwd
import re
import signal
import subprocess
import sys
import textwrap
import typing as t

import pytest
from support import children, environment

from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import namespace
from ansible_collections.linuxnet.netns.plugins.plugin_utils import _enter_command

CODE = pathlib.Path(namespace.__file__).read_text(encoding="utf-8")
ALL = "etc,dns_guard,sysfs"

# A host: a mount and a PID namespace whose mounts are shared, as under systemd, with an /etc, a /run and links of its
# own. There are the namespaces web and db.
_HOST = """
set -eu
# The copies of an engine's mounts in /run would go away with its containers.
awk '$5 ~ "^/run/" {print $5}' /proc/self/mountinfo | sort -r | xargs -r umount --lazy
mount --make-rshared /
mount -t tmpfs etc "$1"
cp -a /etc/. "$1"
mount --bind "$1" /etc
rm -rf /etc/netns
mount -t tmpfs run /run
mkdir -p /run/nscd /run/systemd/resolve
printf 'nameserver 192.0.2.1\\n' >/run/resolv.conf
rm -f /etc/resolv.conf
ln -s /run/resolv.conf /etc/resolv.conf
for name in web db; do
  ip netns add "$name"
  ip -n "$name" link set lo up
  ip -n "$name" link add "in-$name" type veth peer name "of-$name"
  # Without an address, the C library looks up no names.
  ip -n "$name" addr add 203.0.113.1/24 dev "in-$name"
done
if [ -d /sys/fs/bpf ]; then
  mount -t bpf bpf /sys/fs/bpf || true
fi
echo ready
exec sleep infinity
"""


class Host:
    """The host of a test, and commands there."""

    def __init__(self, directory: pathlib.Path) -> None:
        directory.mkdir()
        options = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        self._process = subprocess.Popen(
            ["unshare", *options, "sh", "-c", _HOST, "host", directory], stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        (self.pid,) = children(self._process.pid)

    def start(self, *command: str, **options: t.Any) -> subprocess.Popen[str]:
        enter = ("nsenter", "--target", str(self.pid), "--mount", "--pid", "--wd=/")
        return subprocess.Popen(
            [*enter, *command],
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            # nsenter is the parent of the command: both are killed together.
            start_new_session=True,
            **options,
        )

    def run(self, *command: str, **options: t.Any) -> tuple[int, str, str]:
        """The status, the output and the errors of a command."""
        with self.start(*command, **options) as process:
            try:
                stdout, stderr = process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return process.returncode, stdout, stderr

    def sh(self, script: str) -> str:
        status, stdout, stderr = self.run("sh", "-euc", script)
        assert (status, stderr) == (0, "")
        return stdout

    def enter(
        self, target: str, *command: str, user: str = "", features: str = ALL, **options: t.Any
    ) -> tuple[int, str, str]:
        """Run a command in a namespace, as the become plugin does."""
        python = (sys.executable, "-I", "-S", "-c", CODE)
        return self.run(*python, target, "/run/netns", user, features, *command, **options)

    def out(self, target: str, script: str, **options: t.Any) -> str:
        """The output of a script in a namespace."""
        status, stdout, stderr = self.enter(target, "/bin/sh", "-euc", script, **options)
        assert (status, stderr) == (0, "")
        return stdout

    def mounts(self) -> list[str]:
        return mounts(self.pid, "/(etc|sys|run)(/|$)")

    def inode(self, name: str) -> str:
        return self.sh(f"stat -Lc %i '/run/netns/{name}'").strip()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


# Where the host has mounts of its own. Engines mount elsewhere on the machine, at any time.
MACHINE = "/(etc|sys|run$)"


def mounts(process: int | str, points: str) -> list[str]:
    """The lines in the mount table of a process with mount points that the regular expression `points` matches.

    The other lines may change at any time: where an engine removes a mount point, its copies go away too.
    """
    with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        return [line for line in table if re.match(points, line.split()[4])]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Host]:
    before = mounts("self", MACHINE)
    host = Host(tmp_path_factory.mktemp("enter") / "etc")
    try:
        yield host
    finally:
        host.stop()
    assert mounts("self", MACHINE) == before


@pytest.fixture(autouse=True)
def unchanged(host: Host) -> t.Iterator[None]:
    """The mounts of the host are the same after each test."""
    before = host.mounts()
    yield
    assert host.mounts() == before


READ = ("readlink", "/proc/self/ns/net")
PROCESS = """
unshare --net sleep 99 >/dev/null 2>&1 &
while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do :; done
echo $!
"""


def test_each_kind_of_target_leads_to_its_namespace(host: Host) -> None:
    inode = host.inode("web")
    host.sh("ln -s netns/web /run/symlink; ln -s /run/netns /run/names")
    process = host.sh(PROCESS).strip()
    of_process = host.sh(f"readlink /proc/{process}/ns/net").strip()
    for target, expected in {
        "web": f"net:[{inode}]",
        "/run/netns/web": f"net:[{inode}]",
        "/run/symlink": f"net:[{inode}]",
        f"/run/names/web@{inode}": f"net:[{inode}]",
        f"net:[{inode}]": f"net:[{inode}]",
        f"/proc/{process}/ns/net": of_process,
        of_process: of_process,
    }.items():
        assert host.enter(target, *READ) == (0, f"{expected}\n", ""), target
    host.sh(f"kill {process}; rm /run/symlink /run/names")


@pytest.mark.parametrize(
    ("prepare", "target", "message"),
    [
        (
            "",
            "wbe",
            "no link 'wbe' in /run/netns: create it with netns_link or the hook, or give a path",
        ),
        ("", "", "'' is not a target: "),
        ("", "..", "'..' is not a target: "),
        ("", "a/b", "'a/b' is not a target: "),
        ("", "a\nb", r"no link 'a\nb' in /run/netns: "),
        ("", "net:[]", "no link 'net:[]' in /run/netns: "),
        ("", "net:[1]", "no process is in net:[1] and no mount keeps it: "),
        ("", "/run/netns/web@1", "'/run/netns/web' is net:[WEB] now, not net:[1]: "),
        ("", "/run/netns/wbe@1", "'/run/netns/wbe' is gone, so net:[1] cannot be entered there: "),
        (
            "touch /run/odd",
            "/run/odd@1",
            "'/run/odd' is gone, so net:[1] cannot be entered there: ",
        ),
        ("", "/run@1", "'/run' is a directory, not a network namespace: "),
        ("", "/run/no", "cannot open '/run/no': No such file or directory: "),
        (
            "",
            "/proc/1/ns/net",
            "'/proc/1/ns/net' is the host's own namespace: give another target, or set become to false",
        ),
        ("", "/proc/self/ns/mnt", "'/proc/self/ns/mnt' is another kind of namespace, "),
        ("", "/run", "'/run' is a directory, not a network namespace: "),
        ("touch /run/odd", "/run/odd", "'/run/odd' is a regular file, not a network namespace: "),
        # Opening it would wait for a program that writes.
        ("mkfifo /run/odd", "/run/odd", "'/run/odd' is a FIFO, not a network namespace: "),
        ("mknod /run/odd c 1 3", "/run/odd", "'/run/odd' is a character device, "),
        ("ln -s odd /run/odd", "/run/odd", "cannot open '/run/odd': Too many levels of symbolic"),
        # What `ip netns add` leaves if it is killed.
        ("touch /run/netns/odd", "odd", "'/run/netns/odd' is a regular file, not a network"),
        ("ln -s nowhere /run/netns/odd", "odd", "cannot open '/run/netns/odd': No such file"),
    ],
)
def test_anything_else_is_an_error_of_one_line(
    host: Host, prepare: str, target: str, message: str
) -> None:
    host.sh(prepare)
    try:
        status, stdout, stderr = host.enter(target, *READ)
    finally:
        host.sh("rm -f /run/odd /run/netns/odd")
    assert (status, stdout, stderr.count("\n")) == (1, "", 1)
    assert stderr.startswith(message.replace("WEB", host.inode("web")))


def test_a_container_that_was_restarted_is_not_mistaken(host: Host) -> None:
    process = host.sh(PROCESS).strip()
    inode = os.stat(f"/proc/{host.pid}/root/proc/{process}/ns/net").st_ino
    target = f"/proc/{process}/ns/net@{inode}"
    assert host.enter(target, *READ) == (0, f"net:[{inode}]\n", "")
    host.sh(f"kill {process}")
    while os.path.exists(f"/proc/{host.pid}/root/proc/{process}/ns/net"):
        pass
    status, stdout, stderr = host.enter(target, *READ)
    assert (status, stdout) == (1, "")
    assert stderr.startswith(f"cannot open '/proc/{process}/ns/net': No such file or directory: ")
    status, stdout, stderr = host.enter(f"net:[{inode}]", *READ)
    assert (status, stdout) == (1, "")
    assert stderr.startswith(f"no process is in net:[{inode}] and no mount keeps it: ")


def mounts_below_sys(table: str) -> list[tuple[str, ...]]:
    """The mounts below /sys: the file system, its root and the mount point."""
    rows = (line.split() for line in table.splitlines())
    return sorted((row[2], row[3], row[4]) for row in rows if row[4].startswith("/sys/"))


def test_sys_shows_the_namespace_and_keeps_its_mounts(host: Host) -> None:
    assert host.out("web", "ls /sys/class/net").split() == ["in-web", "lo", "of-web"]
    assert host.out("db", "ls /sys/class/net").split() == ["in-db", "lo", "of-db"]
    outside = host.sh("cat /proc/self/mountinfo")
    inside = host.out("web", "cat /proc/self/mountinfo")
    # Each of the host's is there twice: beneath the new sysfs, and on it.
    assert mounts_below_sys(inside) == sorted(2 * mounts_below_sys(outside))
    assert mounts_below_sys(outside) != []
    for directory in ("/sys/fs/cgroup", "/sys/fs/bpf"):
        show = f"stat --file-system --format %T {directory}; ls {directory}"
        assert host.out("web", show) == host.sh(show)
    # Neither mounts nor sysctls of the host are changed.
    assert host.out("web", "ls /proc/sys/net/ipv4/conf").split()[2:] == ["in-web", "lo", "of-web"]
    assert (
        host.out("web", "ls /sys/class/net", features="etc,dns_guard").split()
        == host.sh("ls /sys/class/net").split()
    )


def test_a_read_only_sys_stays_read_only(host: Host) -> None:
    # With `bind`, the mount is read-only. Without it, the file system would be, in all mounts of the machine.
    script = """
        mount --make-rprivate /
        mount -o remount,bind,ro /sys
        exec "$@"
    """
    python = (sys.executable, "-I", "-S", "-c", CODE, "web", "/run/netns", "", "sysfs")
    show = ("awk", '$5 == "/sys" {print substr($6, 1, 3), $(NF - 2)}', "/proc/self/mountinfo")
    command = ("unshare", "--mount", "sh", "-euc", script, "sh", *python, *show)
    # The host's, and on it that of the namespace.
    assert host.run(*command) == (0, "ro, sysfs\nro, sysfs\n", "")


def test_mounts_of_a_task_end_with_it(host: Host) -> None:
    assert host.out("web", "mount -t tmpfs tmpfs /run/netns; ls /run/netns") == ""
    assert host.sh("ls /run/netns").split() == ["db", "web"]


# Kills itself after so many of the calls that change the process or its mounts.
KILLED = """
import os, signal, sys
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import namespace
left, call = int(sys.argv.pop(1)), namespace._call
def counted(*arguments):
    global left
    call(*arguments)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
namespace._call = counted
namespace.main(sys.argv[1:])
"""


def test_a_kill_at_any_point_leaves_nothing_on_the_host(host: Host) -> None:
    host.sh(
        """
        mkdir -p /etc/netns/web
        echo 'nameserver 127.0.0.1' >/etc/netns/web/resolv.conf
        sed -i 's/^hosts:.*/hosts: files resolve dns/' /etc/nsswitch.conf
        """
    )
    before = host.mounts()
    killed = 0
    for calls in range(1, 50):
        command = (sys.executable, "-c", KILLED, str(calls), "web", "/run/netns", "", ALL, *READ)
        status, _stdout, stderr = host.run(*command, env=environment())
        assert host.mounts() == before
        if status == 0:
            break
        assert status == -signal.SIGKILL, stderr
        killed += 1
    # setns, unshare, slave, sysfs, at least one bind, resolv.conf, and the four of nsswitch.conf.
    assert killed >= 9
    host.sh("rm -r /etc/netns")


def test_files_of_the_link_are_mounted_over_those_of_etc(host: Host) -> None:
    host.sh(
        """
        mkdir -p /etc/netns/web/odd.d /etc/odd.d
        echo web >/etc/netns/web/hosts
        echo web >/etc/netns/web/odd.d/file
        echo 'nameserver 127.0.0.1' >/etc/web.conf
        ln -s ../../web.conf /etc/netns/web/resolv.conf
        echo 'left by an editor' >/etc/netns/web/hosts~
        """
    )
    show = "cat /etc/hosts /etc/odd.d/* /etc/resolv.conf"
    expected = "web\nweb\nnameserver 127.0.0.1\n"
    outside = host.sh("cat /etc/hosts /etc/resolv.conf")
    inode = host.inode("web")
    process = host.sh(PROCESS).strip()
    for target in ("web", "/run/netns/web", f"/run/netns/web@{inode}", f"net:[{inode}]"):
        assert host.out(target, show) == expected, target
    # Without a link, or a directory of it, and where it is not wanted.
    for target, features in (
        ("db", ALL),
        (f"/proc/{process}/ns/net", ALL),
        ("web", "dns_guard,sysfs"),
    ):
        show = "cat /etc/hosts /etc/resolv.conf"
        assert host.out(target, show, features=features) == outside, target
    host.sh(f"kill {process}; rm -r /etc/netns /etc/odd.d /etc/web.conf")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (
            "mkfifo /etc/netns/web/resolv.conf",
            "'/etc/netns/web/resolv.conf' is a FIFO, not a regular file: replace it, or set etc to host",
        ),
        (
            "echo 'nameserver 127.0.0.1' >/etc/netns/web/resolv.conf; rm /run/resolv.conf",
            "/etc/resolv.conf does not exist, so /etc/netns/web/resolv.conf cannot be mounted on it: ",
        ),
        (
            "ln -s nowhere /etc/netns/web/resolv.conf",
            "cannot enter the namespace: No such file or directory on '/etc/netns/web/resolv.conf': ",
        ),
    ],
)
def test_names_are_never_resolved_by_other_servers_silently(
    host: Host, prepare: str, message: str
) -> None:
    host.sh(f"mkdir -p /etc/netns/web; {prepare}")
    try:
        status, stdout, stderr = host.enter("web", *READ)
        assert host.enter("web", "true", features="dns_guard,sysfs") == (0, "", "")
    finally:
        host.sh("rm -r /etc/netns; echo 'nameserver 192.0.2.1' >/run/resolv.conf")
    assert (status, stdout, stderr.count("\n")) == (1, "", 1)
    assert stderr.startswith(message)


# A DNS server at 127.0.0.1 that answers with an address for each name, with the first octet of its argument.
DNS_SERVER = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print(flush=True)
while True:
    question, client = server.recvfrom(512)
    end = question.index(0, 12) + 5
    is_a = question[end - 4:end - 2] == b"\\0\\1"
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4" + bytes([int(sys.argv[1]), 0, 2, 1]) if is_a else b""
    head = question[:2] + b"\\x81\\x80\\0\\1" + bytes([0, len(answer) > 0]) + b"\\0\\0\\0\\0"
    server.sendto(head + question[12:end] + answer, client)
"""
# An nscd that answers each getaddrinfo() with 198.0.2.1 (nscd-client.h of glibc: GETAI is 14), and a systemd-resolved
# that answers each call of nss-resolve in the same way (io.systemd.Resolve).
HOST_SERVICES = """
import json, os, socket, struct, sys, threading
def serve(path, answer):
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    while True:
        with server.accept()[0] as client:
            try:
                client.sendall(answer(client.recv(4096)))
                client.recv(4096)
            except OSError:
                pass
def nscd(request):
    version, kind = struct.unpack_from("=ii", request)
    if kind != 14:
        return b""
    return struct.pack("=6i", version, 1, 1, 4, 4, 0) + bytes([198, 0, 2, 1, 2]) + b"www\\0"
def resolved(request):
    name = json.loads(request[:-1])["parameters"]["name"]
    addresses = [{"ifindex": 1, "family": 2, "address": [198, 0, 2, 1]}]
    return json.dumps({"parameters": {"addresses": addresses, "name": name, "flags": 0}}).encode() + b"\\0"
for path, answer in (("/run/nscd/socket", nscd), ("/run/systemd/resolve/io.systemd.Resolve", resolved)):
    threading.Thread(target=serve, args=(path, answer), daemon=True).start()
    while not os.path.exists(path):
        pass
print(flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("service", ["nscd", "resolve"])
def test_names_are_resolved_in_the_namespace(host: Host, service: str) -> None:
    services = "resolve [!UNAVAIL=return] dns" if service == "resolve" else "files dns"
    host.sh(
        f"""
        mkdir -p /etc/netns/web
        echo 'nameserver 127.0.0.1' >/etc/netns/web/resolv.conf
        sed -i 's/^hosts:.*/hosts: {services}/' /etc/nsswitch.conf
        """
    )
    in_namespace = ("ip", "netns", "exec", "web", sys.executable, "-c", DNS_SERVER, "203")
    started = [host.start(sys.executable, "-c", HOST_SERVICES), host.start(*in_namespace)]
    other = "/run/systemd/resolve/io.systemd.Resolve" if service == "nscd" else "/run/nscd/socket"
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "\n"
        host.sh(f"mv {other} {other}.away")
        ask = ("getent", "ahostsv4", "www.example.org")
        # Without the guard, as with `ip netns exec`, the host answers.
        wrong = host.enter("web", *ask, features="etc,sysfs")[1]
        right = host.enter("web", *ask)[1]
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        host.sh("rm -r /etc/netns; find /run/nscd /run/systemd -type s -delete")
    assert right.split()[0] == "203.0.2.1"
    if wrong.split()[:1] == ["203.0.2.1"]:
        pytest.skip(f"the C library of this machine does not ask {service}")
    assert wrong.split()[0] == "198.0.2.1"


def test_sockets_of_host_services_are_hidden(host: Host) -> None:
    bind = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
    connect = bind.replace("bind", "connect")
    path = "/run/systemd/resolve/io.systemd.Resolve"
    assert host.run(sys.executable, "-c", bind, path)[0] == 0
    kinds = [
        host.out("web", f"stat -c %F {path}", features=features) for features in (ALL, "etc,sysfs")
    ]
    refused = host.enter("web", sys.executable, "-c", connect, path)[2]
    host.sh(f"rm {path}")
    assert kinds == ["character special file\n", "socket\n"]
    assert refused.endswith("ConnectionRefusedError: [Errno 111] Connection refused\n")


def test_nsswitch_conf_is_replaced_only_where_it_has_to_be(host: Host) -> None:
    show = "cat /etc/nsswitch.conf; stat -c '%a %u' /etc/nsswitch.conf"
    host.sh("printf 'passwd: files\\nhosts: files resolve dns\\n' >/etc/nsswitch.conf")
    assert host.out("web", show) == "passwd: files\nhosts: files dns\n644 0\n"
    assert "hosts: files resolve dns" in host.out("web", show, features="etc,sysfs")
    host.sh("printf 'passwd: files\\nhosts: files dns\\n' >/etc/nsswitch.conf")
    assert "nsswitch" not in host.out("web", "cat /proc/self/mountinfo")
    # A file of the namespace is guarded as well.
    host.sh("mkdir -p /etc/netns/web; echo 'hosts: resolve' >/etc/netns/web/nsswitch.conf")
    assert host.out("web", show).startswith("hosts: dns\n")
    host.sh("rm -r /etc/netns; mv /etc/nsswitch.conf /etc/nsswitch.away")
    assert host.out("web", "ls /etc/nsswitch.*") == "/etc/nsswitch.away\n"
    host.sh("mv /etc/nsswitch.away /etc/nsswitch.conf")


def test_a_user_has_its_groups_and_its_environment(host: Host) -> None:
    host.sh(
        """
        echo 'worker:x:4711:4712::/home/worker:/bin/sh' >>/etc/passwd
        printf 'worker:x:4712:\\nextra:x:4713:worker\\n' >>/etc/group
        """
    )
    show = (
        'id; echo "$HOME $USER $LOGNAME $SHELL"; grep -E "^(Cap(Prm|Eff)|Groups)" /proc/self/status'
    )
    expected = textwrap.dedent(
        """\
        uid=4711(worker) gid=4712(worker) groups=4712(worker),4713(extra)
        /home/worker worker worker /bin/sh
        Groups:\t4712 4713
        CapPrm:\t0000000000000000
        CapEff:\t0000000000000000
        """
    )
    for user in ("worker", "4711"):
        found = host.out("web", show, user=user)
        assert re.sub(r" \n", "\n", found) == expected
    status, _stdout, stderr = host.enter("web", "id", user="wroker")
    assert (status, stderr) == (
        1,
        "no user 'wroker' on this host: give a user of the host, or leave it out\n",
    )


def test_the_command_gets_what_the_caller_had(host: Host) -> None:
    # Python adds a locale, ignores signals, and could leave descriptors open.
    env = {"PATH": os.environ["PATH"], "ODD": "\udcff=\n", "EMPTY": ""}
    status, stdout, stderr = host.enter("web", "/usr/bin/env", "-0", env=env)
    assert (status, stderr) == (0, "")
    given = dict(entry.split("=", 1) for entry in stdout.split("\0")[:-1])
    # As sudo sets it for the user that the task runs as.
    assert given == {**env, "HOME": pwd.getpwuid(0).pw_dir}
    ignored = ("grep", "SigIgn", "/proc/self/status")
    assert host.out("web", " ".join(ignored)) == subprocess.check_output(ignored, text=True)
    assert host.out("web", "ls /proc/self/fd").split() == ["0", "1", "2", "3"]
    with subprocess.Popen(["echo", "to the module"], stdout=subprocess.PIPE) as feeder:
        assert host.out("web", "cat", stdin=feeder.stdout) == "to the module\n"
    assert host.enter("web", "sh", "-c", "kill -9 $$")[0] == -signal.SIGKILL
    status, _stdout, stderr = host.enter("web", "/no/shell", "-c", "id")
    assert (status, stderr) == (
        1,
        "cannot run '/no/shell': No such file or directory: set ansible_shell_executable to a shell of the host\n",
    )


def test_a_user_cannot_enter(host: Host) -> None:
    command = (sys.executable, "-I", "-S", "-c", CODE, "web", "/run/netns", "", ALL, *READ)
    drop = ("setpriv", "--reuid=65534", "--clear-groups", "--")
    if host.run(*drop, sys.executable, "-c", "")[0]:
        command = ("/usr/bin/python3", *command[1:])
    status, _stdout, stderr = host.run(*drop, *command)
    assert (status, stderr) == (
        1,
        "only root can enter a namespace: set escalate to auto or sudo\n",
    )


def test_a_namespace_of_a_rootless_container(host: Host) -> None:
    # It belongs to a user namespace, as that of rootless Podman.
    pid = host.sh(PROCESS.replace("unshare --net", "unshare --user --map-root-user --net")).strip()
    target = f"/proc/{pid}/ns/net"
    interfaces = host.out(target, "ls /sys/class/net; id -u; ls /sys/fs/cgroup >/dev/null")
    host.sh(f"kill {pid}")
    assert interfaces == "lo\n0\n"


IN_CHROOT = """
import os, sys
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import namespace
fd = os.open("/run/netns/web", os.O_RDONLY)
os.chroot("/run/nscd")
try:
    namespace.enter(fd)
except namespace.EnterError as error:
    print(error)
"""


def test_in_a_chroot_nothing_is_mounted(host: Host) -> None:
    # Its root is not a mount, so that mounts that are made there could reach the host.
    assert host.run(sys.executable, "-c", IN_CHROOT, env=environment()) == (
        0,
        "cannot enter the namespace: mount: Invalid argument on '/': the host's root needs CAP_SYS_ADMIN\n",
        "",
    )


CACHE = "/run/linuxnet-netns/pycache"
CACHED = f"enter.{sys.implementation.cache_tag}.pyc"
MAKE_CACHE = """
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger
with ledger.locked():
    ledger.prepare_code_cache()
"""
# In place of the code that enters, and of the command.
ANOTHER = marshal.dumps(compile("print('another', 'zlib' in sys.modules)", "<string>", "exec"))
RUN_ANOTHER = (0, "another False\n", "")


class CodeCache:
    """The directory for compiled code on a host, made as a run of a module makes it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.clean()
        self.path = pathlib.Path(f"/proc/{host.pid}/root{CACHE}")
        self.file = self.path / CACHED
        self.in_namespace = (0, f"net:[{host.inode('web')}]\n", "")

    def clean(self) -> None:
        """Leave an empty directory, and remove what killed runs have left."""
        assert self.host.run(sys.executable, "-c", MAKE_CACHE, env=environment()) == (0, "", "")

    def task(self, *options: str, before: str = "", **variables: str) -> tuple[int, str, str]:
        """Run a task by the text that the become plugin sends, after other code."""
        code = before + _enter_command.helper.__wrapped__()
        python = (sys.executable, "-I", "-S", *options, "-c", code)
        env = {"PATH": os.environ["PATH"], **variables}
        return self.host.run(*python, "web", "/run/netns", "", ALL, *READ, env=env)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.path))

    def exchange(self) -> None:
        """Put other code into the file, which shows whether a task uses the file."""
        content = self.file.read_bytes()
        self.file.write_bytes(content[: content.index(b"\0") + 1] + ANOTHER)


@pytest.fixture
def cache(host: Host) -> t.Iterator[CodeCache]:
    yield CodeCache(host)
    host.sh("rm -rf /run/linuxnet-netns /run/elsewhere")


def test_the_second_task_compiles_nothing(cache: CodeCache) -> None:
    assert cache.task() == cache.in_namespace
    assert cache.names() == [CACHED]
    assert cache.file.stat().st_mode & 0o777 == 0o600
    before = cache.file.stat()
    assert cache.task() == cache.in_namespace
    assert cache.file.stat().st_mtime_ns == before.st_mtime_ns
    cache.exchange()
    assert cache.task() == RUN_ANOTHER


def test_a_command_gets_no_descriptor_of_the_cache(cache: CodeCache) -> None:
    python = (sys.executable, "-I", "-S", "-c", _enter_command.helper())
    show = ("ls", "/proc/self/fd")
    for _run in ("compiled", "from the cache"):
        command = (*python, "web", "/run/netns", "", ALL, *show)
        assert cache.host.run(*command) == (0, "0\n1\n2\n3\n", "")


def test_another_source_is_compiled(cache: CodeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.task()
    cache.exchange()
    compact = _enter_command.compact
    monkeypatch.setattr(_enter_command, "compact", lambda source: f"{compact(source)}pass\n")
    assert cache.task() == cache.in_namespace
    cache.exchange()
    assert cache.task() == RUN_ANOTHER
    # Two controllers may have two versions of the collection.
    monkeypatch.undo()
    assert cache.task() == cache.in_namespace
    assert cache.names() == [CACHED]


@pytest.mark.parametrize(
    "damage",
    [
        lambda header, _code: header.replace(b".", b"?", 1) + ANOTHER,
        lambda header, _code: header.replace(b"\0", b"?\0") + ANOTHER,
        lambda _header, _code: b"",
        lambda header, _code: header[:10],
        lambda header, code: header + code[:-10],
        lambda header, _code: header + b"N",
        lambda header, _code: header + b"?" * 50,
        # A set with a list in it.
        lambda header, _code: header + b"<\1\0\0\0[\0\0\0\0",
    ],
    ids=[
        "another Python",
        "another build of Python",
        "empty",
        "header cut",
        "code cut",
        "no code",
        "no marshal",
        "no possible object",
    ],
)
def test_a_file_of_another_python_or_damaged_is_replaced(
    cache: CodeCache, damage: t.Callable[[bytes, bytes], bytes]
) -> None:
    cache.task()
    header, end, code = cache.file.read_bytes().partition(b"\0")
    cache.file.write_bytes(damage(header + end, code))
    assert cache.task() == cache.in_namespace
    assert cache.file.read_bytes().startswith(header + end)
    cache.exchange()
    assert cache.task() == RUN_ANOTHER


@pytest.mark.parametrize(
    "expose",
    [
        f"chown 65534 {CACHE}",
        f"chmod g+w {CACHE}",
        f"chmod o+w {CACHE}",
        f"mv {CACHE} /run/elsewhere; ln -s /run/elsewhere {CACHE}",
        "chown 65534 /run/linuxnet-netns",
        "chmod g+w /run/linuxnet-netns",
        "chmod o+w /run/linuxnet-netns",
        "mv /run/linuxnet-netns /run/elsewhere; ln -s elsewhere /run/linuxnet-netns",
    ],
)
def test_a_directory_that_others_can_change_is_not_used(cache: CodeCache, expose: str) -> None:
    cache.task()
    cache.exchange()
    cache.host.sh(expose)
    before = cache.host.sh(f"cksum {CACHE}/*")
    assert cache.task() == cache.in_namespace
    assert cache.host.sh(f"cksum {CACHE}/*") == before
    cache.host.sh(f"rm {CACHE}/{CACHED}")
    assert cache.task() == cache.in_namespace
    assert cache.host.sh(f"ls {CACHE}/") == ""


def test_a_symbolic_link_in_the_cache_is_replaced(cache: CodeCache) -> None:
    cache.task()
    cache.exchange()
    elsewhere = cache.path / "elsewhere.pyc"
    content = cache.file.rename(elsewhere).read_bytes()
    cache.file.symlink_to(elsewhere.name)
    assert cache.task() == cache.in_namespace
    assert not cache.file.is_symlink()
    assert elsewhere.read_bytes() == content


@pytest.mark.parametrize("missing", [CACHE, "/run/linuxnet-netns"])
def test_no_directory_is_made(cache: CodeCache, missing: str) -> None:
    cache.host.sh(f"rm -r {missing}")
    before = cache.host.sh("find /run/linuxnet-netns 2>&1 || true")
    assert cache.task() == cache.in_namespace
    assert cache.host.sh("find /run/linuxnet-netns 2>&1 || true") == before


@pytest.mark.parametrize(
    ("options", "prepare"),
    [
        ("size=4k", "true"),
        ("size=4k", "head -c 4096 /dev/zero >full.pyc"),
        ("nr_inodes=1", "true"),
        ("ro", "true"),
        ("rw", f"mkdir {CACHED}"),
    ],
    ids=["space for a part", "full", "no inode", "read-only", "a directory at its name"],
)
def test_a_cache_that_cannot_be_written_fails_no_task(
    cache: CodeCache, options: str, prepare: str
) -> None:
    cache.host.sh(f"mount -t tmpfs -o mode=700,{options} none {CACHE}; cd {CACHE}; {prepare}")
    try:
        before = cache.names()
        for _run in range(2):
            assert cache.task() == cache.in_namespace
            assert cache.names() == before
    finally:
        cache.host.sh(f"umount {CACHE}")


def test_what_a_killed_task_has_not_finished_is_not_used_and_removed(cache: CodeCache) -> None:
    kill = "import os, signal; os.rename = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
    assert cache.task(before=kill) == (-signal.SIGKILL, "", "")
    (unfinished,) = cache.names()
    assert re.fullmatch(rf"{re.escape(CACHED)}\.\d+", unfinished)
    assert cache.task() == cache.in_namespace
    assert cache.names() == [CACHED, unfinished]
    # The file of a task with the same PID is in the way.
    cache.file.unlink()
    same_pid = f"import os; os.getpid = lambda: {unfinished.rpartition('.')[2]}\n"
    assert cache.task(before=same_pid) == cache.in_namespace
    assert cache.names() == [unfinished]
    cache.clean()
    assert cache.names() == []


def test_bytecode_that_is_not_wanted_is_only_read(cache: CodeCache) -> None:
    assert cache.task("-B") == cache.in_namespace
    assert cache.task(PYTHONDONTWRITEBYTECODE="1") == cache.in_namespace
    assert cache.names() == []
    cache.task()
    cache.exchange()
    assert cache.task("-B", PYTHONDONTWRITEBYTECODE="1") == RUN_ANOTHER


def test_other_users_use_no_cache(cache: CodeCache) -> None:
    cache.task()
    cache.exchange()
    cache.host.sh(f"chmod 755 {CACHE}; chmod 644 {CACHE}/*")
    # This user may not be able to read the files of this Python.
    imports = "import __future__, _ctypes, _signal, binascii, fcntl, marshal, os, pwd, stat, zlib"
    assert cache.task(before=f"{imports}\nos.setuid(65534)\n") == (
        1,
        "",
        "only root can enter a namespace: set escalate to auto or sudo\n",
    )
