#!/usr/bin/env bash
# Builds golangci-lint into .tools/bin, in a copy of its own module so that its own go.mod and go.sum say what goes in.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

module=github.com/golangci/golangci-lint/v2
version=v2.5.0
sum=h1:BDRg4ASm4J1y/DSRY6zwJ5tr5Yy8ZqbZ79XrCeFxaQo=

key="$(digest <"$0")"
begin golangci-lint "$key" "$tools/bin/golangci-lint"
scratch golangci-lint
say "building golangci-lint $version (two minutes on two cores, the first time)"
cd "$work"
GOWORK=off GOFLAGS=-mod=mod go mod download -json "$module@$version" >module.json
field() { "$tools/venv/bin/python" -c 'import json, sys; print(json.load(open("module.json"))[sys.argv[1]])' "$1"; }
[ "$(field Sum)" = "$sum" ] || fail "golangci-lint $version has the sum $(field Sum), not $sum" "do not use it"
cp -r "$(field Dir)/." source
chmod -R u+w source
cd source
GOWORK=off GOFLAGS= go build -mod=readonly -buildvcs=false -trimpath -ldflags "-X main.version=${version#v} -X main.date=pinned" -o "$work/golangci-lint" ./cmd/golangci-lint
mv -f "$work/golangci-lint" "$tools/bin/golangci-lint"
finish golangci-lint "$key"
say "golangci-lint $version is ready"
