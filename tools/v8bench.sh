#!/usr/bin/env bash
# usage: v8bench.sh FILTER.wasm
# Times the filter's own work in V8, by Node.js, which is not installed for this alone: without it, the measurement is
# left out and says so.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

if ! command -v node >/dev/null; then
	say "node is not installed: the filter is not timed in V8"
	exit
fi
scratch v8bench
cd "$root"
go run ./xds-server/cmd/measure corpus "$work"
node tools/v8bench.mjs "$1" "$work"
