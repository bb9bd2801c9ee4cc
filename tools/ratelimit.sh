#!/usr/bin/env bash
# Builds envoyproxy/ratelimit into .tools/bin, in a copy of its own module so that its own go.mod and go.sum say what goes in. It
# is a service that Weir can leave budgets to, and no part of Weir.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

module=github.com/envoyproxy/ratelimit
version=v1.4.1-0.20260122083618-3fb702589d36
sum=h1:nEi1OH2qhE8NtcuBgO/uKpTw/P0nVu4i8mZvL6oD9CQ=

key="$(digest <"$0")"
begin ratelimit "$key" "$tools/bin/ratelimit"
scratch ratelimit
say "building envoyproxy/ratelimit $version"
cd "$work"
GOWORK=off GOFLAGS=-mod=mod go mod download -json "$module@$version" >module.json
field() { "$tools/venv/bin/python" -c 'import json, sys; print(json.load(open("module.json"))[sys.argv[1]])' "$1"; }
[ "$(field Sum)" = "$sum" ] || fail "envoyproxy/ratelimit $version has the sum $(field Sum), not $sum" "do not use it"
cp -r "$(field Dir)/." source
chmod -R u+w source
cd source
GOWORK=off GOFLAGS= nice -n 19 go build -p 2 -mod=readonly -buildvcs=false -trimpath -o "$work/ratelimit" ./src/service_cmd
mv -f "$work/ratelimit" "$tools/bin/ratelimit"
finish ratelimit "$key"
say "envoyproxy/ratelimit $version is ready"
