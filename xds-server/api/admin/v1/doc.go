// Package adminv1 is the admin API of the xds-server: generated messages, gRPC
// client and server.
package adminv1

//go:generate ../../../../tools/protoc.sh admin.proto
