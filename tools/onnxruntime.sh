#!/usr/bin/env bash
# Puts ONNX Runtime in place as .tools/lib/libonnxruntime.so: the CPU build, or the user's own (ONNXRUNTIME_LIB=path).
set -euo pipefail
. "$(dirname "$0")/shell.sh"
. "$(dirname "$0")/wheel.sh"

version=1.31.1
library="$tools/lib/libonnxruntime.so"

# use_own links the user's library. A version that is too old is refused by the sidecar, which asks it.
use_own() {
	[ -f "$1" ] || fail "ONNXRUNTIME_LIB=$1 is not a file" "give the path of libonnxruntime.so, or leave ONNXRUNTIME_LIB unset to have it fetched"
	begin onnxruntime "own $1" "$library"
	ln -sfn "$(realpath "$1")" "$library"
	finish onnxruntime "own $1"
}

if [ -n "${ONNXRUNTIME_LIB:-}" ]; then
	use_own "$ONNXRUNTIME_LIB"
	exit
fi
key="$(cat "$0" "$root/tools/wheels/onnxruntime.txt" | digest)"
begin onnxruntime "$key" "$library"
scratch onnxruntime
say "downloading ONNX Runtime $version (about 20 MB)"
from_wheel onnxruntime.txt "onnxruntime/capi/libonnxruntime.so.$version" "$library"
finish onnxruntime "$key"
say "ONNX Runtime $version is ready"
