#!/usr/bin/env bash
# usage: system-packages.sh WHAT PACKAGE...
# Sees to it that the named Debian packages are installed, which WHAT needs. Calls apt-get only for missing ones, and
# only as root or with a sudo that asks for no password; otherwise it says what to install.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

what="$1"
shift

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# missing prints those of the packages that are not installed.
missing() {
	local package
	for package in "$@"; do installed "$package" || printf '%s ' "$package"; done
}

# apt runs apt-get with root's rights; no question is asked.
apt() {
	local as=()
	[ "$(id -u)" = 0 ] || as=(sudo -n)
	"${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >&2
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	say "$what needs what Debian calls: $*; this system has no apt-get, so they are taken as installed"
	exit
fi
[ -n "$(missing "$@")" ] || exit 0
lock system-packages
lacking="$(missing "$@")"
[ -n "$lacking" ] || exit 0
if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
	fail "$what needs system packages that are not installed: $lacking" "run: sudo apt-get install $lacking"
fi
say "installing system packages for $what: $lacking"
# shellcheck disable=SC2086 # one word a package
apt install -y --no-install-recommends $lacking && exit
say "refreshing the package lists"
apt update
# shellcheck disable=SC2086
apt install -y --no-install-recommends $lacking ||
	fail "the system packages could not be installed: $lacking" "$what needs them; install them by hand and run make again"
