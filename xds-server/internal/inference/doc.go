// Package inference is the gRPC service of the Open Inference Protocol: its messages,
// for what speaks it here.
package inference

//go:generate ../../../tools/protoc.sh inference.proto
