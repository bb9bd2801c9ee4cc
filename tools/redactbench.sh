#!/usr/bin/env bash
# usage: redactbench.sh [NAME]
# Times the redactor by itself in V8, by Node.js, which is not installed for this alone: without it, the measurement is
# left out and says so. NAME is of one text. The module is built as the filter is.
set -euo pipefail
. "$(dirname "$0")/shell.sh"
. "$(dirname "$0")/wasm.sh"

if ! command -v node >/dev/null; then
	say "node is not installed: the redactor is not timed in V8"
	exit
fi
scratch redactbench
cd "$root"
compile_wasm ./cmd/redactbench "$work/redactbench.wasm"
go run ./xds-server/cmd/measure corpus "$work"
node tools/redactbench.mjs "$work/redactbench.wasm" "$work" "$@"
