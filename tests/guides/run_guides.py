# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plugin of pytest that runs what the documentation shows.

Each block of the kind `console` is a session: `$ ` is where Ansible runs, `root@HOST:~# ` is the host.
Each command has to end well, in a block `console fails` badly, and to print what is below it.
A line `…` stands for any lines. Numbers that nobody chose are not compared, and names that nobody chose are
learnt: where the page has one and the run another, later commands are given the run's. A comment
`<!-- invisible-code-block: console` holds what the page leaves out.

A block of the kind `yaml` whose first line is `# NAME.yml` is written into that file.

`--write` puts what was printed into the pages where it is another, instead of failing.
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
# Names that engines and the kernel make up.
NAME = re.compile(
    r"veth[0-9a-f]{6,8}"
    r"|(?:cni|netns)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b[0-9a-f]{64}\b|(?<![:.])\b[0-9a-f]{12}\b|\b4[012]\d{8}\b"
)
# An item of the list that Ansible shows: the page may have it without the quotes.
QUOTED = re.compile(r'^ +"(.*)",?$')
NUMBERS = (
    (re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b"), "MAC"),
    # The hosts' own addresses, and those that Podman counts on.
    (re.compile(r"\b(172\.17\.0|10\.88\.0)\.\d+"), r"\1.N"),
    (re.compile(r"\bfe80::[0-9a-f:]+"), "fe80::"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?\b"), "TIME"),
    (re.compile(r"(@if|\bid:? |\bseq |\bpid[= ]|\bfd=|time[=<])[\d.]+"), r"\g<1>N"),
    (re.compile(r"^\d+$|^\d+(?= packets received)|\b[\d./]+ ?(?:ms|MB|kB)\b"), "N"),
    (re.compile(r"[ \t]+"), " "),
)


class Shell:
    """A shell that outlives its commands."""

    def __init__(self, command: t.Sequence[str], **options: t.Any) -> None:
        self._process = subprocess.Popen(
            [*command, "bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            **options,
        )

    def run(self, command: str) -> tuple[int, list[str]]:
        """The exit status of a command, and the lines that it printed."""
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
        """Let it end."""
        self._process.communicate()


class Command(t.NamedTuple):
    """A command of a page, and what the page says that it prints."""

    prompt: str
    host: str | None
    text: str
    printed: list[str]


def commands(block: str) -> list[Command]:
    """The commands of a block; a command goes on below where its line ends with a backslash."""
    found: list[Command] = []
    for line in block.splitlines():
        prompt = PROMPT.match(line)
        if prompt:
            found.append(Command(prompt[0], prompt["host"], line[prompt.end() :], []))
        elif found and found[-1].text.endswith("\\") and not found[-1].printed:
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line}")
        else:
            assert found, f"no command before {line!r}"
            found[-1].printed.append(line)
    return found


def masked(line: str) -> str:
    """A line without what differs from run to run."""
    line = QUOTED.sub(lambda match: match[1].replace('\\"', '"'), NAME.sub("NAME", line))
    for pattern, instead in NUMBERS:
        line = pattern.sub(instead, line)
    return line.strip()


def renamed(line: str, names: t.Mapping[str, str]) -> str:
    """A line with other names that nobody chose, where there are such."""
    return NAME.sub(lambda match: names.get(match[0], match[0]), line)


def aligned(page: t.Sequence[str], run: t.Sequence[str]) -> list[tuple[str, str]] | None:
    """Which line of the run is which of the page's, or None where they differ.

    Lines that stand together may change places: tables are sorted by numbers that nobody chose.
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
        wanted = sorted(part, key=masked)
        for start in starts:
            found = sorted(run[start : start + len(part)], key=masked)
            if list(map(masked, wanted)) == list(map(masked, found)):
                break
        else:
            return None
        pairs += zip(wanted, found)
        at = start + len(part)
    return pairs


class Guides:
    """The hosts, and what was learnt on the page that is being run."""

    def __init__(self, folder: pathlib.Path, write: bool) -> None:
        self.folder = folder
        self.write = write
        self.written: dict[str, list[tuple[str, str]]] = {}
        self.known: dict[str, str] = {}
        self.shells: dict[str | None, Shell] = {}

    def begin(self) -> None:
        """Give a page shells of its own."""
        self.known = {}
        self.shells = {
            host: Shell(["docker", "exec", "-i", f"netns-guides-{host}"]) for host in HOSTS
        }
        self.shells[None] = Shell(
            [],
            cwd=self.folder,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
                "NO_COLOR": "1",
            },
        )

    def end(self) -> None:
        """Leave the hosts as they were."""
        self.shells["web1"].run(
            "docker ps -aq | xargs -r docker rm -fv; docker network prune -f;"
            " podman pod rm -fa; podman rm -fa -t 0; podman network prune -f"
        )
        self.shells[None].run("ansible all -m linuxnet.netns.netns_link -a 'state=absent all=true'")
        for shell in self.shells.values():
            shell.close()

    def evaluate(self, example: Example, fails: bool) -> str | None:
        """Run a block."""
        wanted: list[str] = []
        for command in commands(example.parsed):
            text = renamed(command.text, self.known)
            print(f"{command.prompt}{text}", flush=True)
            status, printed = self.shells[command.host].run(text)
            pairs = aligned(command.printed, printed)
            for page, run in pairs or ():
                self.known.update(zip(NAME.findall(page), NAME.findall(run)))
            if (status != 0) != fails:
                return "\n".join([f"{command.text}: exit status {status}", *printed])
            if pairs is None and not self.write:
                return "\n".join(
                    difflib.unified_diff(
                        command.printed, printed, "the page", "the run", lineterm="", n=99
                    )
                )
            if pairs is None:
                names = {run: page for page, run in self.known.items()}
                printed = [renamed(line, names) for line in printed]
            wanted += [
                command.prompt + command.text,
                *(printed if pairs is None else command.printed),
            ]
        after = "\n".join(wanted) + "\n"
        if after != example.parsed:
            self.written.setdefault(example.path, []).append((str(example.parsed), after))
        return None


def ends_well(example: Example) -> str | None:
    """A block whose commands do."""
    return t.cast(Guides, example.namespace["guides"]).evaluate(example, fails=False)


def fails(example: Example) -> str | None:
    """A block whose commands do."""
    return t.cast(Guides, example.namespace["guides"]).evaluate(example, fails=True)


def keep(example: Example) -> None:
    """Write the file that a block shows."""
    name = re.match(r"# (\w+\.(?:yml|cfg|ini))\n", example.parsed)
    if name:
        (example.namespace["guides"].folder / name[1]).write_text(example.parsed, encoding="utf-8")


pytest_collect_file = Sybil(
    parsers=[
        CodeBlockParser("console", ends_well),
        CodeBlockParser("console fails", fails),
        CodeBlockParser("yaml", keep),
    ],
    pattern="*.md",
    path=str(ROOT),
    fixtures=["guides"],
).pytest()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --write."""
    parser.addoption("--write", action="store_true", help="put into the pages what was printed")


def play(playbook: pathlib.Path) -> None:
    """Play a playbook on the hosts of the guides."""
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
    """The hosts, for all pages."""
    folder = tmp_path_factory.mktemp("guides")
    shutil.copy(HERE / "hosts.yml", folder)
    shutil.copy(HERE / "ansible.cfg", folder)
    guides = Guides(folder, request.config.getoption("write"))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        try:
            play(MOLECULE / "create.yml")
            play(HERE / "prepare.yml")
            yield guides
        finally:
            play(MOLECULE / "destroy.yml")
    for path, blocks in guides.written.items():
        page = pathlib.Path(path)
        text = page.read_text(encoding="utf-8")
        for before, after in blocks:
            text = text.replace(before, after, 1)
        page.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def guides(hosts: Guides) -> t.Iterator[Guides]:
    """The hosts, for one page."""
    hosts.begin()
    yield hosts
    hosts.end()
