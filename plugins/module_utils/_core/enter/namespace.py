# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Enter a network namespace as `ip netns exec` does, but keep the file systems below /sys.

The become plugin sends this file to hosts as one argument of Python. So it imports only the standard
library, and as little of that as it can. enter(), prepare(), become() and run() change the calling process,
which has to be one that was forked or executed for that.
"""

from __future__ import annotations

# The C modules of ctypes and signal. To import ctypes and signal themselves takes as long as Python takes to start.
import _ctypes
import _signal  # type: ignore[import-not-found]
import fcntl
import os
import pwd
import stat
import sys

NETNS_DIR = "/run/netns"
_ETC = "/etc"
_NSSWITCH = "/etc/nsswitch.conf"
# Services in nsswitch.conf that answer for the host, whatever namespace asks. So do those that begin with mdns.
_HOST_SERVICES = ("resolve", "mymachines")
# The sockets of programs that answer for the host: nscd, systemd-resolved and Avahi.
_HOST_SOCKETS = (
    "/run/nscd/socket",
    "/var/run/nscd/socket",
    "/run/systemd/resolve/io.systemd.Resolve",
    "/run/avahi-daemon/socket",
)

_CLONE_NEWNET = 0x40000000
_CLONE_NEWNS = 0x00020000
_MNT_DETACH = 2
_MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8
_MS_BIND = 1 << 12
_MS_REC = 1 << 14
_MS_SLAVE = 1 << 19
_NS_GET_NSTYPE = 0xB703
_O_PATH = os.O_PATH | os.O_CLOEXEC
_MAX_MOUNTINFO = 1 << 26
_MAX_NSSWITCH = 1 << 16
_MAX_ENVIRONMENT = 1 << 23
_MAX_PASSWD = 1 << 20

_FILE_TYPES = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
    stat.S_IFREG: "a regular file",
}


class _Function(_ctypes.CFuncPtr):
    """A function of the C library that returns an int, as ctypes.CDLL makes them."""

    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO


_libc = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]


class EnterError(Exception):
    """The namespace cannot be entered. The message is one line, and names the way out."""


def open_target(target: str, netns_dir: str = NETNS_DIR) -> tuple[int, str | None]:
    """Open the namespace that a target names. Returns a descriptor, and the name of the link.

    A target is the name of a link, /PATH, net:[INODE] or /PATH@INODE. The caller closes the
    descriptor. The name is None if the namespace was not opened at a path in netns_dir.
    """
    if target.startswith("net:[") and target.endswith("]") and target[5:-1].isdigit():
        return _open_inode(target, netns_dir)
    if not target.startswith("/"):
        if target in ("", ".", "..") or "/" in target:
            raise EnterError(
                f"{target!r} is not a target: give a link's name, /PATH, /PATH@INODE or net:[INODE]"
            )
        path = os.path.join(netns_dir, target)
        if not os.path.lexists(path):
            raise EnterError(
                f"no link {target!r} in {netns_dir}: create it with netns_link or the hook, or give a path"
            )
        return _open_path(path), target
    path, at, inode = target.rpartition("@")
    if not (at and inode.isdigit()):
        path, inode = target, ""
    try:
        fd = _open_path(path)
    except EnterError:
        if not inode or not _is_without_pin(path):
            raise
        raise EnterError(
            f"{path!r} is gone, so net:[{inode}] cannot be entered there: its container was restarted or removed,"
            " so gather the facts again"
        ) from None
    found = os.fstat(fd).st_ino
    if inode and str(found) != inode:
        os.close(fd)
        raise EnterError(
            f"{path!r} is net:[{found}] now, not net:[{inode}]: its container was restarted or removed,"
            " so gather the facts again"
        )
    return fd, _name_of(path, netns_dir)


def _is_without_pin(path: str) -> bool:
    """Whether nothing or a regular file is at a path, as after an engine has removed its pin there."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return True


def refuse_host(fd: int, target: str) -> None:
    """Raise EnterError if the namespace is the host's own, where tasks run anyway."""
    try:
        host = os.stat("/proc/1/ns/net")
    except PermissionError:  # A host that is a container itself may not let its root read this.
        host = os.stat("/proc/self/ns/net")
    if os.path.samestat(os.fstat(fd), host):
        raise EnterError(
            f"{target!r} is the host's own namespace: give another target, or set become to false"
        )


def enter(
    fd: int,
    name: str | None = None,
    *,
    etc: bool = True,
    dns_guard: bool = True,
    sysfs: bool = True,
    prepared: list[bytes] | None = None,
) -> None:
    """Move this process to an open namespace, and to a mount namespace of its own.

    No mount that is made here reaches the host. With `etc`, the files of /etc/netns/NAME are mounted
    over those of /etc. With `dns_guard`, the host's programs and services do not resolve names for this
    process. With `sysfs`, /sys shows the namespace. `prepared` is what prepare() returned to the parent process.
    """
    try:
        _call("setns", fd, _CLONE_NEWNET)
        if prepared is None:
            _isolate_mounts()
        else:
            _call("unshare", _CLONE_NEWNS)
        if sysfs:
            _mount_sysfs(_mounts_below_sys() if prepared is None else prepared)
        if etc and name:
            _bind_etc(os.path.join(_ETC, "netns", name))
        # prepare() has done this, but /etc/netns/NAME may contain another nsswitch.conf.
        if dns_guard and (name or prepared is None):
            _guard_dns()
    except OSError as error:
        raise _cannot_enter(error) from error


def prepare(dns_guard: bool) -> list[bytes]:
    """Do once what is the same for all namespaces, before children enter them. Returns the mounts below /sys."""
    try:
        _isolate_mounts()
        if dns_guard:
            _guard_dns()
        return _mounts_below_sys()
    except OSError as error:
        raise _cannot_enter(error) from error


def _isolate_mounts() -> None:
    _call("unshare", _CLONE_NEWNS)
    _mount("none", "/", None, _MS_SLAVE | _MS_REC)


def _cannot_enter(error: OSError) -> EnterError:
    return EnterError(
        f"cannot enter the namespace: {_reason(error)}: the host's root needs CAP_SYS_ADMIN"
    )


def find_account(user: str) -> tuple[pwd.struct_passwd, list[int]]:
    """A user's entry in passwd(5), and groups. To be called before enter(): the host may ask a directory server."""
    try:
        entry = pwd.getpwnam(user)
    except (KeyError, ValueError):
        try:
            entry = pwd.getpwuid(int(user))
        except (KeyError, ValueError, OverflowError):
            raise EnterError(
                f"no user {user!r} on this host: give a user of the host, or leave it out"
            ) from None
    return entry, os.getgrouplist(entry.pw_name, entry.pw_gid)


def variables_of(entry: pwd.struct_passwd) -> dict[str, str]:
    """The variables of the environment that name a user."""
    return {
        "HOME": entry.pw_dir,
        "LOGNAME": entry.pw_name,
        "SHELL": entry.pw_shell,
        "USER": entry.pw_name,
    }


def become(entry: pwd.struct_passwd, groups: list[int]) -> None:
    """Become a user, for good."""
    os.setgroups(groups)
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)


def without_host_services(text: str) -> str:
    """The text of an nsswitch.conf(5), whose line `hosts` has no services that answer for the host."""
    lines = []
    for line in text.split("\n"):
        database, _colon, rest = line.partition(":")
        services, dropped = "", False
        if database.strip() == "hosts":
            services, dropped = _select_services(rest.partition("#")[0])
        lines.append(f"{database}: {services}" if dropped else line)
    return "\n".join(lines)


def _select_services(services: str) -> tuple[str, bool]:
    """The services of the line `hosts` without those that answer for the host, and whether any was dropped."""
    kept: list[str] = []
    any_dropped = drop = in_action = False
    for word in services.replace("[", " [ ").replace("]", " ] ").split():
        in_action = in_action or word == "["
        if not in_action:
            drop = word in _HOST_SERVICES or word.startswith("mdns")
            any_dropped = any_dropped or drop
        # An action, as in [NOTFOUND=return], belongs to the service before it.
        if not drop:
            kept.append(word)
        in_action = in_action and word != "]"
    if any_dropped and "dns" not in kept:
        kept.append("dns")
    return " ".join(kept).replace("[ ", "[").replace(" ]", "]"), any_dropped


def _open_path(path: str) -> int:
    """Open the file of a network namespace. Its type is checked first, because opening a FIFO would block."""
    try:
        probe = os.open(path, _O_PATH)
        try:
            status = os.fstat(probe)
            if status.st_dev == os.stat("/proc/self/ns/net").st_dev:
                fd = os.open(f"/proc/self/fd/{probe}", os.O_RDONLY | os.O_CLOEXEC)
                if fcntl.ioctl(fd, _NS_GET_NSTYPE) == _CLONE_NEWNET:
                    return fd
                os.close(fd)
                kind = "another kind of namespace"
            else:
                kind = _FILE_TYPES[stat.S_IFMT(status.st_mode)]
        finally:
            os.close(probe)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EnterError(
            f"cannot open {path!r}: {reason}: give a link's name, or the path of a namespace that exists"
        ) from error
    raise EnterError(
        f"{path!r} is {kind}, not a network namespace: give a link's name, a pin or /proc/PID/ns/net"
    )


def _open_inode(target: str, netns_dir: str) -> tuple[int, str | None]:
    """Open a namespace by its inode: through a pin, preferably a link, or a process."""
    mounts = [line.split(b" ") for line in _mountinfo().split(b"\n") if b" - nsfs " in line]
    points = [os.fsdecode(_unescape(each[4])) for each in mounts if each[3] == target.encode()]
    processes = [f"/proc/{pid}/ns/net" for pid in os.listdir("/proc") if pid.isdigit()]
    for path in sorted(points, key=lambda point: _name_of(point, netns_dir) is None) + processes:
        try:
            if path in points or os.readlink(path) == target:
                fd = _open_path(path)
                if f"net:[{os.fstat(fd).st_ino}]" == target:
                    return fd, _name_of(path, netns_dir)
                os.close(fd)
        except (OSError, EnterError):
            continue
    raise EnterError(
        f"no process is in {target} and no mount keeps it: its container was restarted or removed,"
        " so gather the facts again"
    )


def _name_of(path: str, netns_dir: str) -> str | None:
    directory, name = os.path.split(path)
    return name if os.path.realpath(directory) == os.path.realpath(netns_dir) else None


def _reason(error: OSError) -> str:
    where = f" on {error.filename!r}" if error.filename else ""
    return f"{error.strerror}{where}"


def _call(function: str, *arguments: int | bytes | None) -> None:
    if _Function(_ctypes.dlsym(_libc, function))(*arguments) != 0:
        number = _ctypes.get_errno()
        # The second argument of mount(2) is its target.
        paths = [os.fsdecode(each) for each in arguments[1:2] if isinstance(each, bytes)]
        raise OSError(number, f"{function}: {os.strerror(number)}", *paths)


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    fstype = None if kind is None else kind.encode()
    _call("mount", os.fsencode(source), os.fsencode(target), fstype, flags, data.encode())


def _bind(fd: int, target: str, flags: int = 0) -> None:
    """Bind an open file: what was checked is what is mounted."""
    _mount(f"/proc/self/fd/{fd}", target, None, _MS_BIND | flags)


def _mountinfo() -> bytes:
    with open("/proc/self/mountinfo", "rb") as stream:
        return stream.read(_MAX_MOUNTINFO)


def _unescape(path: bytes) -> bytes:
    for code in (b"040", b"011", b"012", b"134"):
        path = path.replace(b"\\" + code, bytes([int(code, 8)]))
    return path


def _mount_sysfs(points: list[bytes]) -> None:
    """Mount the namespace's sysfs on top of the host's, and bind the mounts below it back.

    cgroup, bpf and tracing are such mounts. The host's sysfs stays beneath, and invisible.
    """
    read_only = os.statvfs("/sys").f_flag & os.ST_RDONLY
    held: list[tuple[str, int]] = []
    try:
        # The kernel only binds what was opened in this mount namespace.
        _hold_mounts(points, held)
        try:
            _mount("sysfs", "/sys", "sysfs", _MS_NOSUID_NODEV_NOEXEC | read_only)
        except PermissionError as error:
            raise EnterError(
                f"cannot mount the namespace's sysfs: {_reason(error)}: set sysfs to host"
            ) from error
        for point, fd in held:
            # The namespace's sysfs may lack a directory, such as that of a device.
            if os.path.lexists(point):
                _bind(fd, point, _MS_REC)
    finally:
        for _point, fd in held:
            os.close(fd)


def _mounts_below_sys() -> list[bytes]:
    lines = (line for line in _mountinfo().split(b"\n") if b" /sys/" in line)
    points = {_unescape(line.split(b" ")[4]) for line in lines}
    # By their parts, so that what is below a mount follows it directly.
    return sorted((point for point in points if point.startswith(b"/sys/")), key=_parts)


def _hold_mounts(points: list[bytes], held: list[tuple[str, int]]) -> None:
    """Open the topmost mounts below /sys. Binding one of them also binds those below it."""
    own = os.stat("/sys").st_dev
    topmost = None
    for point in points:
        if topmost is not None and point.startswith(topmost + b"/"):
            continue
        try:
            fd = os.open(point, _O_PATH | os.O_NOFOLLOW)
        except FileNotFoundError:  # It is covered by a later mount.
            continue
        if os.fstat(fd).st_dev == own:  # It is covered, or shows the host's sysfs.
            os.close(fd)
            continue
        held.append((os.fsdecode(point), fd))
        topmost = point


def _parts(path: bytes) -> list[bytes]:
    return path.split(b"/")


def _bind_etc(directory: str) -> None:
    """Mount each file and directory of /etc/netns/NAME over that of the same name in /etc."""
    try:
        entries = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        source, target = os.path.join(directory, entry), os.path.join(_ETC, entry)
        if not os.path.exists(target):
            # `ip netns exec` goes on as well. Without this resolv.conf, other servers would silently resolve names.
            if entry != "resolv.conf":
                continue
            raise EnterError(
                f"{target} does not exist, so {source} cannot be mounted on it: create it, or set etc to host"
            )
        fd = os.open(source, _O_PATH)
        try:
            kind = stat.S_IFMT(os.fstat(fd).st_mode)
            if kind not in (stat.S_IFREG, stat.S_IFDIR):
                raise EnterError(
                    f"{source!r} is {_FILE_TYPES[kind]}, not a regular file: replace it, or set etc to host"
                )
            _bind(fd, target)
        finally:
            os.close(fd)


def _guard_dns() -> None:
    """Hide the sockets and the services in nsswitch.conf that would resolve names for the host."""
    for path in _HOST_SOCKETS:
        if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
            # A connection to it is refused, as where the program does not run.
            _mount("/dev/null", path, None, _MS_BIND)
    try:
        fd = os.open(_NSSWITCH, _O_PATH)
    except FileNotFoundError:
        return
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            with open(f"/proc/self/fd/{fd}", "rb") as stream:
                text = os.fsdecode(stream.read(_MAX_NSSWITCH))
            guarded = without_host_services(text)
            if guarded != text:
                _bind_text(guarded, fd)
    finally:
        os.close(fd)


def _bind_text(text: str, target: int) -> None:
    """Mount a file with this text on the file that is open as `target`."""
    # The new file is on a tmpfs, which only this process sees on /etc, and only until the file is mounted.
    _mount("tmpfs", _ETC, "tmpfs", _MS_NOSUID_NODEV_NOEXEC, "size=1m,mode=0755")
    try:
        with open(_NSSWITCH, "wb") as stream:
            stream.write(os.fsencode(text))
            os.fchmod(stream.fileno(), 0o644)
        _mount(_NSSWITCH, f"/proc/self/fd/{target}", None, _MS_BIND)
    finally:
        _call("umount2", _ETC.encode(), _MNT_DETACH)


def _environment() -> dict[bytes, bytes]:
    """The environment that this process was started with: in the C locale, Python adds LC_CTYPE to os.environ."""
    with open("/proc/self/environ", "rb") as stream:
        entries = stream.read(_MAX_ENVIRONMENT).split(b"\0")
    pairs = (entry.partition(b"=") for entry in entries)
    return {name: value for name, _equals, value in pairs if name}


def _home_of_root(default: bytes) -> bytes:
    """The home directory of root by /etc/passwd, as `sudo -H` sets HOME. No name service is asked.

    Ansible looks for the results of background tasks in ~root.
    """
    try:
        with open("/etc/passwd", "rb") as stream:
            lines = stream.read(_MAX_PASSWD).split(b"\n")
    except OSError:
        return default
    entries = (line.split(b":") for line in lines)
    return next((entry[5] for entry in entries if entry[0] == b"root" and entry[6:]), default)


def run(target: str, netns_dir: str, user: str, features: list[str], command: list[str]) -> None:
    """Replace this process by a command in a namespace. Raises EnterError or OSError, and never returns."""
    if os.geteuid() != 0:
        raise EnterError("only root can enter a namespace: set escalate to auto or sudo")
    account = find_account(user) if user else None
    fd, name = open_target(target, netns_dir)
    refuse_host(fd, target)
    environment = _environment()
    enter(
        fd,
        name,
        etc="etc" in features,
        dns_guard="dns_guard" in features,
        sysfs="sysfs" in features,
    )
    if account:
        for variable, value in variables_of(account[0]).items():
            environment[variable.encode()] = os.fsencode(value)
        become(*account)
    else:
        environment[b"HOME"] = _home_of_root(environment.get(b"HOME", b"/"))
    # Python ignores these signals, and the command would inherit that.
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        raise EnterError(
            f"cannot run {command[0]!r}: {error.strerror}: set ansible_shell_executable to a shell of the host"
        ) from error


def main(arguments: list[str]) -> None:
    """The arguments are the target, netns_dir, the user, the features with commas between them, and the command."""
    target, netns_dir, user, features, *command = arguments
    try:
        run(target, netns_dir, user, features.split(","), command)
    except EnterError as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(
            f"cannot run a command in {target!r}: {_reason(error)}: mount /proc on the host"
        ) from None


if __name__ == "__main__":
    main(sys.argv[1:])
