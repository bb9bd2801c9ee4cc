package onnx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

// session is a loaded model. The mutex lets any number of runs go on together and Close wait for them.
type session struct {
	mu      sync.RWMutex
	closed  bool
	ort     *ort.DynamicAdvancedSession
	inputs  []runtime.Info
	outputs []runtime.Info
	plans   []plan
	device  Device
}

// loadMu makes loading one model at a time: it takes several times the memory that the model takes afterwards.
var loadMu sync.Mutex

// Load implements runtime.Engine. Outputs that are not tensors are left out, and said so in the log.
func (e *Engine) Load(model []byte) (runtime.Session, error) {
	loadMu.Lock()
	defer loadMu.Unlock()
	defer trim()
	if len(model) == 0 {
		return nil, errors.New("the model file is empty")
	}
	s := &session{device: e.opt.Device}
	if err := e.describe(model, s); err != nil {
		return nil, err
	}
	var err error
	if s.ort, err = e.open(model, s); err != nil {
		return nil, err
	}
	return s, nil
}

// describe reads what goes into the model and what comes out of it.
func (e *Engine) describe(model []byte, s *session) error {
	ins, outs, err := ort.GetInputOutputInfoWithONNXData(model)
	if err != nil {
		return fmt.Errorf("reading the model: %w", err)
	}
	if s.inputs, err = infos("input", ins); err != nil {
		return err
	}
	tensors := slices.DeleteFunc(slices.Clone(outs), func(o ort.InputOutputInfo) bool { return o.OrtValueType != ort.ONNXTypeTensor })
	if len(tensors) < len(outs) {
		e.opt.Log.Warn("the model has outputs that are not tensors, which the protocol cannot carry: they are left out")
	}
	if s.outputs, err = infos("output", tensors); err != nil {
		return err
	}
	if len(s.inputs) == 0 || len(s.outputs) == 0 {
		return errors.New("the model has no tensor as input or none as output")
	}
	for _, o := range s.outputs {
		p, err := planOutput(o, s.inputs[0])
		if err != nil {
			return err
		}
		s.plans = append(s.plans, p)
	}
	return nil
}

// open makes the library's session. On CUDA it first demands that all nodes run there and says so where they do not.
func (e *Engine) open(model []byte, s *session) (*ort.DynamicAdvancedSession, error) {
	if e.opt.Device != CUDA {
		return e.tryOpen(model, s, false)
	}
	defer mendSignals()
	opened, strict := e.tryOpen(model, s, true)
	if strict == nil {
		return opened, nil
	}
	opened, err := e.tryOpen(model, s, false)
	if err != nil {
		return nil, err
	}
	e.opt.Log.Warn("some nodes of the model run on the CPU; with --log-level debug, ONNX Runtime lists them under \"Node placements\"", "reason", strict)
	return opened, nil
}

func (e *Engine) tryOpen(model []byte, s *session, strict bool) (*ort.DynamicAdvancedSession, error) {
	options, err := e.sessionOptions(strict)
	if err != nil {
		return nil, err
	}
	opened, err := ort.NewDynamicAdvancedSessionWithONNXData(model, runtime.Names(s.inputs), runtime.Names(s.outputs), options)
	if err != nil {
		err = fmt.Errorf("loading the model: %w", err)
	}
	// Destroying options fails only where there are none.
	return opened, errors.Join(err, options.Destroy())
}

func infos(what string, given []ort.InputOutputInfo) ([]runtime.Info, error) {
	out := make([]runtime.Info, len(given))
	for i, g := range given {
		typ, ok := elementTypes[g.DataType]
		if g.OrtValueType != ort.ONNXTypeTensor || !ok {
			return nil, fmt.Errorf("%s %q is %s of %s, which the protocol cannot carry", what, g.Name, g.OrtValueType, g.DataType)
		}
		out[i] = runtime.Info{Name: g.Name, Type: typ, Shape: slices.Clone([]int64(g.Dimensions))}
		for d := range out[i].Shape {
			out[i].Shape[d] = max(out[i].Shape[d], -1)
		}
	}
	return out, nil
}

// Inputs implements runtime.Session.
func (s *session) Inputs() []runtime.Info { return s.inputs }

// Outputs implements runtime.Session.
func (s *session) Outputs() []runtime.Info { return s.outputs }

// Run implements runtime.Session.
func (s *session) Run(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, runtime.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var v values
	defer v.destroy()
	for _, t := range inputs {
		if err := v.input(t); err != nil {
			return nil, err
		}
	}
	if err := v.reserve(s.outputs, s.plans, inputs); err != nil {
		return nil, err
	}
	ins, outs := v.all[:len(inputs):len(inputs)], slices.Clone(v.all[len(inputs):])
	err := s.run(ctx, ins, outs)
	v.all = append(ins, outs...)
	if err != nil {
		return nil, s.classify(ctx, err)
	}
	return s.collect(outs)
}

func (s *session) collect(outs []ort.Value) ([]tensor.Tensor, error) {
	out := make([]tensor.Tensor, len(outs))
	for i, value := range outs {
		t, err := output(s.outputs[i], value)
		if err != nil {
			return nil, err
		}
		out[i] = t
	}
	return out, nil
}

// run calls the library and tells it to stop when ctx ends; it stops between two nodes of the graph.
func (s *session) run(ctx context.Context, ins, outs []ort.Value) error {
	options, err := ort.NewRunOptions()
	if err != nil {
		return fmt.Errorf("making run options: %w", err)
	}
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		// It fails only without options.
		_ = options.Terminate()
	})
	err = s.ort.RunWithOptions(ins, outs, options)
	if !stop() {
		<-told // the options must live until Terminate has returned
	}
	if s.device == CUDA {
		mendSignals()
	}
	return errors.Join(err, options.Destroy())
}

// classify finds out whose fault a failed run is. The library's C interface has codes for that, but the wrapper passes
// the text alone. Names, types and ranks were checked before, and the weights ran at warm-up: a node that fails on the
// CPU then fails over the values or the lengths that it was sent, unless memory ran out.
func (s *session) classify(ctx context.Context, err error) error {
	text := err.Error()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case strings.Contains(text, "Failed to allocate memory"), strings.Contains(text, "Available memory of"):
		return fmt.Errorf("%w: %w", runtime.ErrMemory, err)
	case s.device == CPU && strings.Contains(text, "Non-zero status code returned while running"),
		strings.Contains(text, "Got invalid dimensions for input"):
		return runtime.InputErrorf("the model cannot compute this input: %v", err)
	}
	return err
}

// Close implements runtime.Session.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	defer trim()
	if err := s.ort.Destroy(); err != nil {
		return fmt.Errorf("unloading the model: %w", err)
	}
	return nil
}
