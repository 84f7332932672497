# shellcheck shell=bash
# What the scripts beside this one share. Sourced, never run.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034  # used by the scripts that source this file
collections=$root/.cache/collections
cd "$root"
mkdir -p .cache

say() {
  printf -- '-- %s\n' "$*"
}

sudo=()
((EUID == 0)) || sudo=(sudo)

# install_packages PACKAGE...: by apt-get.
install_packages() {
  say "installing system packages: $*"
  {
    "${sudo[@]}" apt-get -qq update
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
  } >.cache/apt.log 2>&1 </dev/null || {
    cat .cache/apt.log
    return 1
  }
}

# need COMMAND=PACKAGE...: install the packages whose command is missing.
need() {
  local pair missing=()
  for pair in "$@"; do
    # Administrators' commands are not always in a user's PATH.
    PATH=$PATH:/usr/sbin:/sbin type -P "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

# usable_python PYTHON: the real path of an interpreter that a controller can run on and that can make environments.
usable_python() {
  # Not the one of an environment that happens to be active.
  "$1" -c 'import ensurepip, os, sys, venv; assert sys.version_info >= (3, 10); print(os.path.realpath(sys.executable))' \
    2>/dev/null
}

# The Python of the tools: $PYTHON, or the first that will do.
tool_python() {
  local candidate
  # shellcheck disable=SC2046  # a list of words
  for candidate in ${PYTHON:-$(type -ap python3) $(tests/tools/pythons 3.13 3.12 3.11 3.10 3.14)}; do
    usable_python "$candidate" && return
  done
  return 1
}

# environment FAMILY [PYTHON]: puts the path of the family's virtual environment into $venv and its commands first in
# PATH; .cache/venv/FAMILY leads to the one used last. Made anew whenever tests/requirements/FAMILY.txt or the Python is another.
environment() {
  local family=$1 python=${2:-} requirements=tests/requirements/$1.txt key
  if [[ -z $python ]]; then
    python=$(tool_python) || {
      install_packages python3 python3-venv
      python=$(tool_python) || {
        echo "No Python 3.10 or later here: install one and name it, PYTHON=… make …" >&2
        return 1
      }
    }
  fi
  key=$({
    cat "$requirements"
    "$python" -c 'import sys; print(sys.executable, sys.version)'
  } | sha256sum | cut -c1-12)
  venv=$root/.cache/venv/$family-$key
  mkdir -p .cache/venv
  (
    flock 9
    [[ -e $venv/ready ]] && exit
    say "making the environment $family with $("$python" -V), in .cache/venv"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check -r "$requirements"
    touch "$venv/ready"
  ) 9>".cache/venv/$family.lock"
  ln -sfn "$(basename "$venv")" ".cache/venv/$family"
  export PATH=$venv/bin:$PATH
}

# The path at which the checkout is the collection.
link_collection() {
  mkdir -p "$collections/ansible_collections/linuxnet"
  ln -sfn "$root" "$collections/ansible_collections/linuxnet/netns"
}
