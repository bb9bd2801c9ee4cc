#!/usr/bin/env bash
# Checks that what Weir is built with is installed, and says what is missing. Downloads nothing.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

python="${PYTHON:-python3}"

need() { command -v "$1" >/dev/null || fail "$1 was not found" "$2"; }

need go "install Go 1.26 or newer"
need git "install git"
need "$python" "install Python 3.11 or newer, or set PYTHON= to one"
need flock "install util-linux"
cd "$root"
go version >/dev/null 2>&1 || fail "this Go cannot build Weir: $(go version 2>&1 | tail -1)" "install Go 1.26 or newer"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
	fail "$("$python" --version 2>&1) is too old: the model tools need Python 3.11 or newer" "set PYTHON= to a newer one"
command -v cc >/dev/null || command -v gcc >/dev/null || "$root/tools/system-packages.sh" "compiling C (cgo)" gcc libc6-dev
is_done prerequisites ok || finish prerequisites ok
