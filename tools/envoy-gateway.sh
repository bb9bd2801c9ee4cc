#!/usr/bin/env bash
# Builds Envoy Gateway into .tools/bin, in a copy of its own module so that its own go.mod and go.sum say what goes in. It
# is a peer to compare with, and no part of Weir.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

module=github.com/envoyproxy/gateway
version=v1.9.1
sum=h1:vAVp6/AlBXJ1aOhp1mxL7fNEzVEfjADUguUhm2wzxQY=

key="$(digest <"$0")"
begin envoy-gateway "$key" "$tools/bin/envoy-gateway"
scratch envoy-gateway
say "building Envoy Gateway $version (seven minutes on two cores, the first time)"
cd "$work"
GOWORK=off GOFLAGS=-mod=mod go mod download -json "$module@$version" >module.json
field() { "$tools/venv/bin/python" -c 'import json, sys; print(json.load(open("module.json"))[sys.argv[1]])' "$1"; }
[ "$(field Sum)" = "$sum" ] || fail "Envoy Gateway $version has the sum $(field Sum), not $sum" "do not use it"
cp -r "$(field Dir)/." source
chmod -R u+w source
cd source
GOWORK=off GOFLAGS= nice -n 19 go build -p 2 -mod=readonly -buildvcs=false -trimpath -o "$work/envoy-gateway" ./cmd/envoy-gateway
mv -f "$work/envoy-gateway" "$tools/bin/envoy-gateway"
finish envoy-gateway "$key"
say "Envoy Gateway $version is ready"
