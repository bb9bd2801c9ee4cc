// Command inference-sidecar serves ONNX models over the Open Inference Protocol v2 and OpenAI-compatible embeddings.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/weirmesh/weir/inference-sidecar/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := app.Run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}
