#!/usr/bin/env bash
# usage: protoc.sh FILE.proto...
# Generates Go code beside protocol buffer files, for go:generate lines. The plugins are built from Go modules that are
# pinned in tools/protoc; the system's protoc (any of version 3.15 or newer) leaves no trace in the code.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

command -v protoc >/dev/null || fail "protoc is not installed" "install it, with apt-get install protobuf-compiler for example"
scratch protoc
(cd "$root/tools/protoc" && GOWORK=off go build -o "$work/" google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc)

for file in "$@"; do
	folder="$(cd "$(dirname "$file")" && pwd)"
	name="$(basename "$file" .proto)"
	protoc --plugin="$work/protoc-gen-go" --plugin="$work/protoc-gen-go-grpc" -I"$folder" \
		--go_out="$folder" --go_opt=paths=source_relative \
		--go-grpc_out="$folder" --go-grpc_opt=paths=source_relative "$name.proto"
	for generated in "$folder/$name.pb.go" "$folder/${name}_grpc.pb.go"; do
		sed -i -E '/^\/\/ (- |\t)protoc +\(?unknown|^\/\/ (- |\t)protoc +v/d' "$generated"
	done
done
