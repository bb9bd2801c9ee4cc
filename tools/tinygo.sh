#!/usr/bin/env bash
# Puts TinyGo in place as .tools/bin/tinygo: built from its Go module, or the user's own (TINYGO=path).
#
# The module holds neither wasi-libc nor compiler-rt, so the system's are linked into TinyGo's root, where
# filter/target/weir-filter.json looks for them.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

version=0.41.1 # also in tools/tinygo/go.mod; what it downloads is checked against tools/tinygo/go.sum
llvm=19

# use_own links the user's TinyGo, if it is the version that the filter is tested with.
use_own() {
	own_binary TINYGO "$1"
	local found
	found="$("$1" version | sed -n 's/^tinygo version \([^ ]*\).*/\1/p')"
	[ "$found" = "$version" ] || fail "TINYGO=$1 is version ${found:-unknown}, but Weir needs $version" \
		"install TinyGo $version, or leave TINYGO unset to have it built"
	begin tinygo "own $1" "$tools/bin/tinygo"
	ln -sfn "$(realpath "$1")" "$tools/bin/tinygo"
	finish tinygo "own $1"
}

# first_of PATH... prints the first of the paths that exists.
first_of() {
	local path
	for path in "$@"; do [ -e "$path" ] && { printf '%s\n' "$path"; return; }; done
	fail "none of these files was found: $*" "install wasi-libc and libclang-rt-$llvm-dev-wasm32, or set TINYGO= to an installed TinyGo $version"
}

# lay_sysroot ROOT links the system's WebAssembly C library and compiler runtime into TinyGo's root.
lay_sysroot() {
	local sysroot="$1/lib/wasi-sysroot" libc builtins
	libc="$(first_of /usr/lib/wasm32-wasi/libc.a /usr/share/wasi-sysroot/lib/wasm32-wasi/libc.a)"
	builtins="$(first_of "/usr/lib/llvm-$llvm/lib/clang/$llvm/lib/wasi/libclang_rt.builtins-wasm32.a" \
		"/usr/lib/clang/$llvm/lib/wasi/libclang_rt.builtins-wasm32.a")"
	mkdir -p "$sysroot/include"
	ln -s "$libc" "$sysroot/libc.a"
	ln -s "$builtins" "$sysroot/libclang_rt.builtins-wasm32.a"
	ln -s "$(first_of /usr/include/wasm32-wasi /usr/share/wasi-sysroot/include/wasm32-wasi)" "$sysroot/include/wasm32-wasi"
}

build() {
	begin tinygo "$key" "$tools/tinygo/bin/tinygo" "$tools/bin/tinygo"
	"$root/tools/system-packages.sh" "building TinyGo" "llvm-$llvm-dev" "libclang-$llvm-dev" "liblld-$llvm-dev" "clang-$llvm" "lld-$llvm" \
		binaryen wasi-libc "libclang-rt-$llvm-dev-wasm32" g++
	scratch tinygo
	local new="$work/tinygo"
	mkdir "$new"
	cd "$root/tools/tinygo"
	say "building TinyGo $version (one to two minutes on two cores)"
	GOWORK=off GOFLAGS= go mod download
	cp -r "$(GOWORK=off GOFLAGS= go list -mod=readonly -m -f '{{.Dir}}' github.com/tinygo-org/tinygo)/." "$new"
	chmod -R u+w "$new"
	mkdir -p "$new/src/net" "$new/bin"
	lay_sysroot "$new"
	GOWORK=off GOFLAGS= go build -mod=readonly -buildvcs=false -trimpath -tags "llvm$llvm" -o "$new/bin/tinygo" github.com/tinygo-org/tinygo
	rm -rf "$tools/tinygo"
	mv "$new" "$tools/tinygo"
	ln -sfn ../tinygo/bin/tinygo "$tools/bin/tinygo"
	finish tinygo "$key"
	say "TinyGo $version is ready"
}

if [ -n "${TINYGO:-}" ]; then
	use_own "$TINYGO"
	exit
fi
key="$(cat "$0" "$root/tools/tinygo/go.mod" "$root/tools/tinygo/go.sum" | digest)"
build
