# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of the become plugin, and when Ansible uses the plugin."""

from __future__ import annotations

import ast
import pathlib
import re
import shlex
import subprocess
import sys
import types
import typing as t

import pytest

pytest.importorskip("jinja2")
errors = pytest.importorskip("ansible.errors")
yaml = pytest.importorskip("yaml")
action = pytest.importorskip("ansible.plugins.action")

from ansible_collections.linuxnet.netns.plugins.become import netns
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import (
    loader,
    namespace,
)
from ansible_collections.linuxnet.netns.plugins.plugin_utils import _enter_command

SHELL = types.SimpleNamespace(ECHO="echo", COMMAND_SEP=";", executable="/bin/sh")
OPTIONS = yaml.safe_load(netns.DOCUMENTATION)["options"]
# Prints its name and its arguments, each with a NUL.
PROGRAM = '#!/bin/sh\nprintf \'%s\\0\' "$0" "$@"\n'


def plugin(**options: t.Any) -> netns.BecomeModule:
    """The plugin with the default of every option but these."""
    module = netns.BecomeModule()
    defaults = {name: option.get("default") for name, option in OPTIONS.items()}
    module._options = {**defaults, "target": "web", **options}
    return module


def words(command: str) -> list[str]:
    """The command's words, with CODE for the code of the helper."""
    return ["CODE" if word == _enter_command.helper() else word for word in shlex.split(command)]


def result(command: str) -> list[str]:
    """The arguments that a command gives to PROGRAM."""
    printed = subprocess.run(["/bin/sh", "-c", command], check=True, stdout=subprocess.PIPE).stdout
    return printed.decode().split("\0")[:-1]


def install(path: pathlib.Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def without_docstrings(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:]
            node.body = node.body or [ast.Pass()]
    return ast.dump(tree)


@pytest.mark.parametrize("file", [loader, namespace])
def test_the_sent_code_does_what_the_file_does(file: types.ModuleType) -> None:
    source = pathlib.Path(str(file.__file__)).read_text(encoding="utf-8")
    assert without_docstrings(_enter_command.compact(source)) == without_docstrings(source)
    assert not re.search('"""|^ *#|^$', _enter_command.compact(source)[:-1], re.MULTILINE)


def test_the_helper_is_the_code_that_enters_and_fits_into_an_argument() -> None:
    code = _enter_command.helper()
    # The kernel allows 128 KiB for one argument. Each task sends this one.
    assert len(code) < 8900
    assert set(code) & {"'", "\n"} == set()
    # It says what is missing, although this environment is hostile to it. It writes nothing on this machine.
    hostile = {"LC_ALL": "C", "PYTHONPATH": "/nowhere", "PYTHONHASHSEED": "nonsense"}
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, "no", "/nowhere", "no-such-user", "", "true"],
        env={**hostile, "PYTHONDONTWRITEBYTECODE": "1"},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.startswith(("only root can enter", "no user 'no-such-user' on this host"))
    assert run.stderr.count("\n") == 1


def test_an_old_python_is_named() -> None:
    old = "class Old: version_info = (3, 6); exit = sys.exit\n"
    code = f"import sys\n{old}sys.modules['sys'] = Old\n{_enter_command.helper()}"
    run = subprocess.run(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (1, f"{_enter_command._TOO_OLD}\n")


def test_an_old_python_can_parse_the_helper() -> None:
    imports, check, *later = _enter_command.helper().split(";", 2)
    assert imports == "import sys"
    assert check == f'sys.version_info<(3,8)and sys.exit("{_enter_command._TOO_OLD}")'
    # Calls of functions, and strings that it does not look into.
    nodes = list(ast.walk(ast.parse(later[0])))
    kinds = {ast.Module, ast.Expr, ast.Call, ast.Name, ast.Load, ast.Constant}
    assert {type(node) for node in nodes} == kinds
    assert {type(node.value) for node in nodes if isinstance(node, ast.Constant)} == {str}


HELPER = ["python3", "-I", "-S", "-c", "CODE", "web", "/run/netns"]
ALL = "etc,dns_guard,sysfs"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [*HELPER, "", ALL]),
        ({"become_user": "root"}, [*HELPER, "", ALL]),
        ({"become_user": ""}, [*HELPER, "", ALL]),
        ({"become_user": "deploy"}, [*HELPER, "deploy", ALL]),
        ({"etc": "host"}, [*HELPER, "", "dns_guard,sysfs"]),
        ({"dns_guard": False}, [*HELPER, "", "etc,sysfs"]),
        ({"sysfs": "host"}, [*HELPER, "", "etc,dns_guard"]),
        ({"etc": "host", "dns_guard": False, "sysfs": "host"}, [*HELPER, "", ""]),
        (
            {"python": "/usr/libexec/platform-python", "netns_dir": "/srv/netns"},
            ["/usr/libexec/platform-python", *HELPER[1:-1], "/srv/netns", "", ALL],
        ),
        # Not used where nothing escalates.
        ({"become_exe": "doas", "become_pass": "secret"}, [*HELPER, "", ALL]),
    ],
)
def test_the_helper_gets_the_options(options: dict[str, t.Any], expected: list[str]) -> None:
    module = plugin(escalate="none", **options)
    command = module.build_become_command("id", SHELL)
    assert words(command) == [*expected, "/bin/sh", "-c", f"echo {module.success} ; id"]
    assert "secret" not in command


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["sudo", "-H", "-S", "-n"]),
        ({"become_flags": ""}, ["sudo"]),
        ({"become_flags": None, "become_exe": "/opt/sudo"}, ["/opt/sudo"]),
        ({"become_pass": "of deploy"}, ["sudo", "-H", "-S", "-p", "PROMPT"]),
        (
            {"become_pass": "x", "become_flags": "-HSn --non-interactive --login"},
            ["sudo", "-HS", "--login", "-p", "PROMPT"],
        ),
        ({"become_pass": "x", "become_flags": ""}, ["sudo", "-p", "PROMPT"]),
    ],
)
def test_sudo_gets_its_options(options: dict[str, t.Any], expected: list[str]) -> None:
    module = plugin(escalate="sudo", **options)
    found = words(module.build_become_command("id", SHELL))
    prompt = f"[sudo via ansible, key={module._id}] password:"
    asks = "become_pass" in options
    assert module.prompt == (prompt if asks else "")
    assert found[: found.index("python3")] == [
        prompt if word == "PROMPT" else word for word in expected
    ]
    # For automatic escalation, sudo has the same options.
    module = plugin(**options)
    script = shlex.split(module.build_become_command("id", SHELL))[2]
    prompt = f"[sudo via ansible, key={module._id}] password:"
    assert shlex.split(script.split('exec "$@"; ')[1])[:-1] == [
        word.replace("PROMPT", prompt) for word in expected
    ]


STATUS = "Name:\tsh\nUmask:\t0022\nState:\tR (running)\n{}Gid:\t0\t0\t0\t0\nGroups:\t0\n"


@pytest.mark.parametrize(
    ("status", "is_root"),
    [
        (STATUS.format("Uid:\t0\t0\t0\t0\n"), True),
        (STATUS.format("Uid:\t1000\t1000\t1000\t1000\n"), False),
        # The effective user counts, as for `id -u`.
        (STATUS.format("Uid:\t1000\t0\t0\t0\n"), True),
        (STATUS.format("Uid:\t0\t1000\t0\t1000\n"), False),
        (STATUS.format(""), False),
        (None, False),
    ],
)
def test_sudo_is_used_automatically_unless_the_user_is_root(
    status: str | None, is_root: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "sudo", PROGRAM)
    install(tmp_path / "python3", PROGRAM)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    file = tmp_path / "status"
    if status is not None:
        file.write_text(status)
    module = plugin(target="we'b")
    text = module.build_become_command("id", SHELL)
    assert text.count("/proc/self/status") == 1
    program, *arguments = result(text.replace("/proc/self/status", str(file)))
    helper = ["-I", "-S", "-c", _enter_command.helper(), "we'b", "/run/netns", "", ALL]
    command = ["/bin/sh", "-c", f"echo {module.success} ; id"]
    if is_root:
        assert pathlib.Path(program).name == "python3"
        assert arguments == [*helper, *command]
    else:
        assert pathlib.Path(program).name == "sudo"
        assert arguments == ["-H", "-S", "-n", "python3", *helper, *command]


HOSTILE = [
    "we b",
    "we'b",
    'we"b',
    "$(touch /tmp/netns-owned)",
    "`id`",
    "a\nb",
    "{{ 1 + 1 }}",
    "{% if x %}",
    "-c",
    "--",
    "*",
    "\\",
    "!!",
    "#",
    "ünïcødé",
    "/run/netns/a b@1",
    "net:[1]",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("escalate", ["auto", "none", "sudo"])
def test_what_options_contain_is_quoted(escalate: str, text: str, tmp_path: pathlib.Path) -> None:
    python = tmp_path / "a program's name"
    install(python, PROGRAM)
    module = plugin(
        escalate=escalate,
        python=str(python),
        become_exe="env",
        become_flags="",
        target=text,
        netns_dir=text,
        become_user=text,
    )
    command = f"echo {shlex.quote(text)}"
    arguments = result(module.build_become_command(command, SHELL))
    assert arguments[5:8] == [text, text, text]
    assert arguments[9:] == ["/bin/sh", "-c", f"echo {module.success} ; {command}"]


@pytest.mark.parametrize("target", ["", None, "a\0b"])
def test_a_task_without_a_target_fails(target: str | None) -> None:
    with pytest.raises(errors.AnsibleError, match="ansible_netns is empty"):
        plugin(target=target).build_become_command("id", SHELL)


def test_the_target_and_the_user_have_no_default() -> None:
    assert OPTIONS["target"]["required"]
    assert "default" not in {*OPTIONS["target"], *OPTIONS["become_user"]}


@pytest.mark.parametrize("become_user", [None, "", "root", "deploy", "nobody", "0"])
@pytest.mark.parametrize("remote_user", [None, "root", "deploy", "nobody"])
def test_ansible_never_skips_the_plugin(remote_user: str | None, become_user: str | None) -> None:
    # Ansible does so where both are the same user, and the task would run on the host.
    commands: list[str] = []

    def exec_command(cmd: str, **_options: t.Any) -> tuple[int, bytes, bytes]:
        commands.append(cmd)
        return 0, b"", b""

    connection = types.SimpleNamespace(
        _shell=SHELL,
        allow_executable=False,
        become=plugin(become_user=become_user),
        exec_command=exec_command,
        get_option={"remote_user": remote_user}.__getitem__,
        transport="ansible.builtin.ssh",
    )

    class Action(action.ActionBase):  # type: ignore[misc,name-defined]
        def run(self, *_arguments: t.Any) -> None:
            raise NotImplementedError

    Action(None, connection, None, None, None, None)._low_level_execute_command("id")
    assert shlex.quote(_enter_command.helper()) in commands[0]


@pytest.mark.parametrize(
    ("become_user", "remote_user", "unprivileged"),
    [
        (None, "root", False),
        (None, "deploy", False),
        ("", "deploy", False),
        ("root", "root", False),
        ("root", "deploy", False),
        # The files belong to this user already.
        ("deploy", "deploy", False),
        ("nobody", "root", True),
        ("nobody", "deploy", True),
    ],
)
def test_ansible_makes_its_files_readable_for_the_user(
    become_user: str | None, remote_user: str, unprivileged: bool
) -> None:
    user = plugin(become_user=become_user).get_option("become_user")
    # The expression of ActionBase._is_become_unprivileged().
    assert bool(user and user not in ["root", "toor", remote_user]) == unprivileged
    # In whose home Ansible looks for the results of tasks in the background.
    assert f"~{user}" == f"~{become_user or 'root'}"
