# How Go becomes WebAssembly here. Sourced, never run, behind shell.sh.

# compile_wasm MAIN OUTPUT [TAG] builds a command of the module filter with TinyGo, with a build tag if one is named.
compile_wasm() {
	local tinygo="$tools/bin/tinygo" target=target/weir-filter.json wasm_opt
	# TinyGo's releases bring their own WebAssembly C library; the one built here uses the system's (tools/tinygo.sh).
	[ ! -d "$("$tinygo" env TINYGOROOT)/lib/wasi-libc" ] || target=target/weir-filter-release.json
	(cd "$root/filter" && "$tinygo" build -target="$target" -tags="${3:-}" -buildmode=c-shared -opt=2 -no-debug -o "$2" "$1")
	# TinyGo optimizes each function by itself; a pass over the linked whole takes a twentieth off. That nobody uses the
	# first KB of memory takes off 3 KB: it is the end of the stack, which grows down to 0 and would trap there anyway.
	wasm_opt="${WASMOPT:-$(command -v wasm-opt || echo "$("$tinygo" env TINYGOROOT)/bin/wasm-opt")}"
	[ -x "$wasm_opt" ] || fail "wasm-opt is missing: install binaryen, or name it with WASMOPT="
	"$wasm_opt" -O2 --low-memory-unused --enable-bulk-memory --enable-mutable-globals --enable-nontrapping-float-to-int --enable-sign-ext --enable-simd \
		"$2" -o "$2"
}
