#!/usr/bin/env bash
# usage: build-filter.sh OUTPUT [TAG]
# Builds the filter's WebAssembly module with TinyGo, with a build tag if one is named, and checks it: what is not as
# filter/target says never reaches OUTPUT.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

tinygo="$tools/bin/tinygo"
output="$root/$1"
mkdir -p "$(dirname "$output")"
cd "$root/filter"

# TinyGo's releases bring their own WebAssembly C library; the one built here uses the system's (tools/tinygo.sh).
target=target/weir-filter.json
[ ! -d "$("$tinygo" env TINYGOROOT)/lib/wasi-libc" ] || target=target/weir-filter-release.json

scratch filter
new="$work/$(basename "$output")"
say "building $(basename "$output")"
"$tinygo" build -target="$target" -tags="${2:-}" -buildmode=c-shared -opt=2 -no-debug -o "$new" ./cmd/filter
# TinyGo optimizes each function by itself; a pass over the linked whole takes a twentieth off.
wasm_opt="${WASMOPT:-$(command -v wasm-opt || echo "$("$tinygo" env TINYGOROOT)/bin/wasm-opt")}"
[ -x "$wasm_opt" ] || fail "wasm-opt is missing: install binaryen, or name it with WASMOPT="
"$wasm_opt" -O2 --enable-bulk-memory --enable-mutable-globals --enable-nontrapping-float-to-int --enable-sign-ext --enable-simd \
	"$new" -o "$new"
go run ./target/wasmcheck -rules target "$new"
mv -f "$new" "$output"
