#!/usr/bin/env bash
# usage: fuzz.sh TIME MODULE...
# Runs every fuzz target of the modules for TIME (a Go duration) each, and stops at the first that finds something.
# Little time goes into making interesting inputs small: that would take most of it.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

time="$1"
shift

# targets FOLDER prints the names of the fuzz targets of the package in the folder.
targets() {
	local tests=("$1"/*_test.go)
	[ -e "${tests[0]}" ] || return 0
	sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*\*testing\.F\).*/\1/p' "${tests[@]}"
}

for module in "$@"; do
	cd "$root/$module"
	for folder in $(go list -f '{{.Dir}}' ./...); do
		for target in $(targets "$folder"); do
			say "fuzzing ${folder#"$root"/} $target for $time"
			(cd "$folder" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 100x .)
		done
	done
done
