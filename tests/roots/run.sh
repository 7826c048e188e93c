#!/usr/bin/env bash
# Tries a Debian from nothing: in a root made by debootstrap a clone of this repository, as it was last
# committed, installs, builds and runs something. Needs root, debootstrap, 15 GB of disk, and time.
#
#     tests/roots/run.sh [SUITE] [COMMAND…]     # trixie, and scripts/demo.sh --small
#
# Mirror, certificates and settings of pip are those of this machine. The root is KNNSEQ_ROOT
# (/var/tmp/knnseq-SUITE); one that is there is used again.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/environment.sh"

suite=${1:-trixie}
shift || true
[ $# -gt 0 ] || set -- scripts/demo.sh --small
root=${KNNSEQ_ROOT:-/var/tmp/knnseq-$suite}
logs=$root/var/log
if [ "$(id -u)" != 0 ] || ! command -v debootstrap > /dev/null; then
  echo "tests/roots/run.sh: needs root and debootstrap (apt-get install debootstrap)" >&2
  exit 2
fi

make_root() {
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -n 1)
  debootstrap --variant=minbase --include=ca-certificates,git "$suite" "$root" "$mirror" &&
    cp -L --remove-destination /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
}

fill_root() {
  local file
  for file in /etc/resolv.conf /etc/hosts /etc/pip.conf; do
    if [ -e "$file" ]; then cp -L "$file" "$root$file"; fi
  done
  if [ -d "$root/knnseq/.git" ]; then
    git -C "$root/knnseq" fetch -q "$top" HEAD && git -C "$root/knnseq" reset -q --hard FETCH_HEAD
  else
    git clone -q --no-hardlinks "$top" "$root/knnseq"
  fi
}

# What is mounted is gone with its namespace.
in_root() {
  unshare --mount bash -c '
    root=$0
    mount --make-rprivate / && mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" &&
      mount -t sysfs sysfs "$root/sys" && cd / && exec chroot "$root" "$@"' "$root" \
    env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    $(env | grep '^PIP_' | tr '\n' ' ') bash -c 'cd /knnseq && exec "$@"' in_root "$@"
}

mkdir -p "$logs"
[ -e "$root/usr/bin/git" ] || step "root of $suite" make_root
step "clone" fill_root
in_root "$@"
