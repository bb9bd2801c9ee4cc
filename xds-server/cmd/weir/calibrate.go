package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/weirmesh/weir/xds-server/internal/calibrate"
)

// runCalibrate is `weir calibrate FILE`: it fits the estimate of prompts to an access
// log.
func runCalibrate(_ context.Context, i *invocation) error {
	only := i.flags.String("model", "", "`name` of the one model to calibrate (default: every one in the log)")
	words, err := i.words()
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usagef("weir calibrate: name one file with an access log; - is the standard input")
	}
	samples, others, err := readLog(words[0], i.stdin)
	if err != nil {
		return fmt.Errorf("calibrate from %s: %w", words[0], err)
	}
	models := make(map[string][]calibrate.Sample)
	for _, s := range samples {
		if *only == "" || s.Model == *only {
			models[s.Model] = append(models[s.Model], s)
		}
	}
	_, _ = fmt.Fprintf(i.stderr, "%d requests read; %d lines have no counts or no tokens that a model reported\n", len(samples), others)
	fitted := 0
	for _, model := range slices.Sorted(maps.Keys(models)) {
		result, err := calibrate.Fit(models[model])
		if err != nil {
			_, _ = fmt.Fprintf(i.stderr, "Model/%s: %v\n", model, err)
			continue
		}
		fitted++
		if _, err := io.WriteString(i.stdout, result.YAML(model)); err != nil {
			return fmt.Errorf("write the numbers: %w", err)
		}
	}
	if fitted == 0 {
		return fmt.Errorf("calibrate from %s: there is no model with enough requests; they are recorded by a Gateway with accessLog: true and record: true, where a TokenLimit counts them", words[0])
	}
	return nil
}

// readLog reads the samples of a file, or of the standard input.
func readLog(path string, stdin io.Reader) ([]calibrate.Sample, int, error) {
	if path == "-" {
		return calibrate.Read(stdin)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	return calibrate.Read(file)
}
