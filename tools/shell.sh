# What the scripts of this folder share: where things go, and how a step is done once.
# Sourced, never run. Callers set -euo pipefail themselves.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
tools="${WEIR_TOOLS:-$root/.tools}"
stamps="$tools/stamps"
mkdir -p "$stamps" "$tools/bin" "$tools/lib"

# say prints one progress line.
say() { printf 'weir: %s\n' "$*" >&2; }

# fail prints what is wrong and how to mend it, and ends the script.
fail() {
	printf 'weir: error: %s\n' "$1" >&2
	shift
	for line in "$@"; do printf '            %s\n' "$line" >&2; done
	exit 1
}

# digest prints the sha256 of its standard input.
digest() { sha256sum | cut -d' ' -f1; }

# is_done STAMP KEY OUTPUT...: whether STAMP was finished with this very KEY and every OUTPUT is still there.
is_done() {
	local stamp="$stamps/$1" key="$2" output
	shift 2
	[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] || return 1
	for output in "$@"; do [ -e "$output" ] || return 1; done
}

# lock NAME waits until no other script has the lock, and takes it until this one ends.
lock() {
	exec 9>"$stamps/$1.lock"
	flock 9
}

# begin STAMP KEY OUTPUT... ends the script at once when the step is done; the stamp is left untouched then, so that make
# rebuilds nothing that depends on it. Otherwise the script goes on, alone, and without the old stamp: from here on the
# outputs may be half made.
begin() {
	if is_done "$@"; then exit 0; fi
	lock "$1"
	if is_done "$@"; then exit 0; fi
	rm -f "$stamps/$1"
}

# finish STAMP KEY records a finished step. It is the last thing a step does: a step that is cut off leaves no stamp.
finish() {
	printf '%s\n' "$2" >"$stamps/$1.new"
	mv -f "$stamps/$1.new" "$stamps/$1"
}

# scratch NAME sets $work to a fresh folder below .tools (same file system, so that mv into place is atomic), which is
# removed when the script ends.
scratch() {
	work="$(mktemp -d "$tools/$1.XXXXXX")"
	trap 'rm -rf "$work"' EXIT
}

# own_binary VARIABLE PATH: fails clearly unless PATH, which the user gave in VARIABLE, can be run.
own_binary() {
	[ -x "$2" ] || fail "$1=$2 is not an executable file" "give the path of the program, or leave $1 unset to have it fetched"
}
