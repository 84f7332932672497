# shellcheck shell=bash
# Functions that the scripts in this directory share. Sourced, never run.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
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
    # apt-get update does not wait for another one.
    flock 8
    "${sudo[@]}" apt-get -qq update
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
  } 8>.cache/apt.lock >.cache/apt.log 2>&1 </dev/null || {
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

# unmount DIRECTORY: unmount everything at or below a directory, the deepest mounts first.
unmount() {
  findmnt --raw --noheadings --output TARGET | awk -v directory="$1" '$0 == directory || index($0, directory "/") == 1' |
    sort -r | xargs -r -d '\n' "${sudo[@]}" umount -l
}
