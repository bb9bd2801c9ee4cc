#!/usr/bin/env bash
# Builds etcd into .tools/bin, as the xds-server's go.mod and go.sum pin it: the server that the tests have in their own
# process, as a process of its own.
set -euo pipefail
. "$(dirname "$0")/shell.sh"

package=go.etcd.io/etcd/server/v3
version=v3.7.3

key="$(cat "$0" "$root/xds-server/go.mod" | digest)"
begin etcd "$key" "$tools/bin/etcd"
scratch etcd
cd "$root/xds-server"
pinned="$(GOWORK=off go list -m -f '{{.Version}}' "$package")"
[ "$pinned" = "$version" ] || fail "xds-server/go.mod has etcd $pinned, tools/etcd.sh $version" "write the same version in both"
say "building etcd $version"
GOWORK=off nice -n 19 go build -buildvcs=false -trimpath -o "$work/etcd" "$package"
mv -f "$work/etcd" "$tools/bin/etcd"
finish etcd "$key"
say "etcd $version is ready"
