#!/usr/bin/env bash
# usage: build-filter.sh OUTPUT [TAG]
# Builds the filter's WebAssembly module with TinyGo, with a build tag if one is named, and checks it: what is not as
# filter/target says never reaches OUTPUT.
set -euo pipefail
. "$(dirname "$0")/shell.sh"
. "$(dirname "$0")/wasm.sh"

output="$root/$1"
mkdir -p "$(dirname "$output")"
scratch filter
new="$work/$(basename "$output")"
say "building $(basename "$output")"
compile_wasm ./cmd/filter "$new" "${2:-}"
cd "$root/filter"
go run ./target/wasmcheck -rules target "$new"
mv -f "$new" "$output"
