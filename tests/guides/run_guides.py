# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pytest plugin that runs the commands of the documentation and compares their output.

Each code block of the type `console` is a session. The prompt `$ ` is that of the controller,
`root@HOST:~# ` that of a host. Each command has to succeed, or in a block `console fails` to fail, and
to print the lines below it. A line `…` matches any lines. Arbitrary numbers, such as times, are not
compared. Arbitrary names, such as ids, are mapped: where a page has one name and the run another, later
commands use the name of the run. A comment `<!-- invisible-code-block: console` contains commands that
the page does not show.

A code block of the type `yaml` whose first line is `# NAME.yml` is written to that file.

With `--write`, different output is written into the pages instead of failing.
"""

from __future__ import annotations

import difflib
import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest
from sybil import Sybil
from sybil.example import Example
from sybil.parsers.markdown import CodeBlockParser

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "guides"
MOLECULE = ROOT / "extensions" / "molecule" / "shared"
HOSTS = ("web1", "node1")

PROMPT = re.compile(r"^(?:\$|root@(?P<host>\w+):~#) ")
ANY = "…"
# Names that engines and the kernel generate.
NAME = re.compile(
    r"veth[0-9a-f]{6,8}"
    r"|(?:cni|netns)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b[0-9a-f]{64}\b|(?<![:.])\b[0-9a-f]{12}\b|\b4[012]\d{8}\b"
)
# An item of a list in Ansible's output. The page may have it without the quotes.
QUOTED = re.compile(r'^ +"(.*)",?$')
NUMBERS = (
    (re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b"), "MAC"),
    # The addresses of the hosts, and those that Podman assigns one after the other.
    (re.compile(r"\b10\.88\.0\.\d+"), "10.88.0.N"),
    # The default network of Docker, which takes the next one where the outer machine has this.
    (re.compile(r"\b172\.1[78]\.0\.\d+"), "172.17.0.N"),
    (re.compile(r"\bfe80::[0-9a-f:]+"), "fe80::"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?\b"), "TIME"),
    (re.compile(r"(@if|\bid:? |\bseq |\bpid[= ]|\bfd=|time[=<])[\d.]+"), r"\g<1>N"),
    (re.compile(r"^\d+$|^\d+(?= packets received)|\b[\d./]+ ?(?:ms|MB|kB)\b"), "N"),
    (re.compile(r"\b(httpd) \(\d+\)"), r"\1 (N)"),
    (re.compile(r"[ \t]+"), " "),
)


class Shell:
    """A shell that runs one command after the other."""

    def __init__(self, command: t.Sequence[str], **options: t.Any) -> None:
        self._process = subprocess.Popen(
            # `docker exec` would pass on two streams in any order.
            [*command, "bash", "-c", "exec bash 2>&1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            **options,
        )

    def run(self, command: str) -> tuple[int, list[str]]:
        """Run a command. Return its exit status and the lines that it printed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        stdin.write(f"{command}\nprintf '\\n\\035%d\\n' $?\n")
        stdin.flush()
        lines: list[str] = []
        for line in stdout:
            if line.startswith("\035"):
                return int(line[1:]), "\n".join(lines).strip("\n").splitlines()
            lines.append(line.rstrip())
        raise EOFError(f"the shell ended at {command}")

    def close(self) -> None:
        """End the shell."""
        self._process.communicate()


class Command(t.NamedTuple):
    """A command of a page, and its output according to the page."""

    prompt: str
    host: str | None
    text: str
    output: list[str]


def commands(block: str) -> list[Command]:
    """Split a block into commands. A command continues on the next line after a backslash."""
    block_commands: list[Command] = []
    for line in block.splitlines():
        prompt = PROMPT.match(line)
        if prompt:
            block_commands.append(Command(prompt[0], prompt["host"], line[prompt.end() :], []))
        elif (
            block_commands
            and block_commands[-1].text.endswith("\\")
            and not block_commands[-1].output
        ):
            block_commands[-1] = block_commands[-1]._replace(
                text=f"{block_commands[-1].text}\n{line}"
            )
        else:
            assert block_commands, f"no command before {line!r}"
            block_commands[-1].output.append(line)
    return block_commands


def masked(line: str) -> str:
    """Replace everything in a line that differs between runs."""
    line = QUOTED.sub(lambda match: match[1].replace('\\"', '"'), NAME.sub("NAME", line))
    for pattern, replacement in NUMBERS:
        line = pattern.sub(replacement, line)
    return line.strip()


def renamed(line: str, names: t.Mapping[str, str]) -> str:
    """Replace arbitrary names in a line by others, if they are mapped."""
    return NAME.sub(lambda match: names.get(match[0], match[0]), line)


def aligned(page: t.Sequence[str], run: t.Sequence[str]) -> list[tuple[str, str]] | None:
    """Pair the lines of the page with those of the run. Return None if they differ.

    Adjacent lines may have another order, because tables are sorted by arbitrary numbers.
    """
    parts: list[list[str]] = [[]]
    for line in page:
        if line == ANY:
            parts.append([])
        else:
            parts[-1].append(line)
    pairs: list[tuple[str, str]] = []
    at = 0
    for number, part in enumerate(parts):
        last = len(run) - len(part)
        starts = range(at, last + 1)
        if number == len(parts) - 1:
            starts = range(max(at, last), last + 1)
        if number == 0:
            starts = range(min(1, len(starts))) if len(parts) > 1 or last == 0 else range(0)
        page_lines = sorted(part, key=masked)
        for start in starts:
            run_lines = sorted(run[start : start + len(part)], key=masked)
            if list(map(masked, page_lines)) == list(map(masked, run_lines)):
                break
        else:
            return None
        pairs += zip(page_lines, run_lines)
        at = start + len(part)
    return pairs


class Guides:
    """The hosts, and the mapped names of the current page."""

    def __init__(self, directory: pathlib.Path, write: bool) -> None:
        self.directory = directory
        self.write = write
        self.changes: dict[str, list[tuple[str, str]]] = {}
        self.names: dict[str, str] = {}
        self.shells: dict[str | None, Shell] = {}

    def begin(self) -> None:
        """Start the shells of a page."""
        self.names = {}
        self.shells = {
            host: Shell(["docker", "exec", "-i", f"netns-guides-{host}"]) for host in HOSTS
        }
        self.shells[None] = Shell(
            [],
            cwd=self.directory,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
                "NO_COLOR": "1",
            },
        )

    def end(self) -> None:
        """Clean up the hosts, and end the shells."""
        self.shells["web1"].run(
            "docker ps -aq | xargs -r docker rm -fv; docker network prune -f;"
            " podman pod rm -fa; podman rm -fa -t 0; podman network prune -f"
        )
        self.shells[None].run("ansible all -m linuxnet.netns.netns_link -a 'state=absent all=true'")
        for shell in self.shells.values():
            shell.close()

    def evaluate(self, example: Example, fails: bool) -> str | None:
        """Run a block. Return the differences, if any."""
        updated: list[str] = []
        for command in commands(example.parsed):
            text = renamed(command.text, self.names)
            print(f"{command.prompt}{text}", flush=True)
            status, output = self.shells[command.host].run(text)
            pairs = aligned(command.output, output)
            for page, run in pairs or ():
                self.names.update(zip(NAME.findall(page), NAME.findall(run)))
            if (status != 0) != fails:
                return "\n".join([f"{command.text}: exit status {status}", *output])
            if pairs is None and not self.write:
                return "\n".join(
                    difflib.unified_diff(
                        command.output, output, "the page", "the run", lineterm="", n=99
                    )
                )
            if pairs is None:
                names = {run: page for page, run in self.names.items()}
                output = [renamed(line, names) for line in output]
            updated += [
                command.prompt + command.text,
                *(output if pairs is None else command.output),
            ]
        after = "\n".join(updated) + "\n"
        if after != example.parsed:
            self.changes.setdefault(example.path, []).append((str(example.parsed), after))
        return None


def succeeds(example: Example) -> str | None:
    """Run a block whose commands succeed."""
    return t.cast(Guides, example.namespace["guides"]).evaluate(example, fails=False)


def fails(example: Example) -> str | None:
    """Run a block whose commands fail."""
    return t.cast(Guides, example.namespace["guides"]).evaluate(example, fails=True)


def write_file(example: Example) -> None:
    """Write a block to the file that its first line names."""
    name = re.match(r"# (\w+\.(?:yml|cfg|ini))\n", example.parsed)
    if name:
        (example.namespace["guides"].directory / name[1]).write_text(
            example.parsed, encoding="utf-8"
        )


pytest_collect_file = Sybil(
    parsers=[
        CodeBlockParser("console", succeeds),
        CodeBlockParser("console fails", fails),
        CodeBlockParser("yaml", write_file),
    ],
    pattern="*.md",
    path=str(ROOT),
    fixtures=["guides"],
).pytest()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --write."""
    parser.addoption(
        "--write", action="store_true", help="write the output of the commands into the pages"
    )


def play(playbook: pathlib.Path) -> None:
    """Run a playbook on the hosts of the documentation."""
    subprocess.run(
        ["ansible-playbook", "-i", HERE / "hosts.yml", playbook],
        check=True,
        cwd=ROOT,
        env={
            **os.environ,
            "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        },
    )


@pytest.fixture(scope="session")
def hosts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[Guides]:
    """Create the hosts for all pages."""
    directory = tmp_path_factory.mktemp("guides")
    shutil.copy(HERE / "hosts.yml", directory)
    shutil.copy(HERE / "ansible.cfg", directory)
    guides = Guides(directory, request.config.getoption("write"))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        try:
            play(MOLECULE / "create.yml")
            play(HERE / "prepare.yml")
            yield guides
        finally:
            play(MOLECULE / "destroy.yml")
    for path, blocks in guides.changes.items():
        page = pathlib.Path(path)
        text = page.read_text(encoding="utf-8")
        for before, after in blocks:
            text = text.replace(before, after, 1)
        page.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def guides(hosts: Guides) -> t.Iterator[Guides]:
    """Prepare and clean up the hosts for one page."""
    hosts.begin()
    yield hosts
    hosts.end()
