package httpapi

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/jsonread"
	"github.com/weirmesh/weir/inference-sidecar/internal/tensor"
)

// inferRequest is a decoded inference request.
type inferRequest struct {
	id     string
	hasID  bool
	inputs []input
	// outputs are those asked for; none means all.
	outputs []wanted
	parameters
}

// input is a tensor of a request; its data is in the JSON or follows it.
type input struct {
	tensor.Tensor
	hasShape, hasData bool
	parameters
	// late is data that came before what is needed to read it, and where.
	late   []byte
	lateAt int
}

type wanted struct {
	name string
	parameters
}

// parameters are those that mean something here, of a request, an input or an output.
type parameters struct {
	binaryDataOutput *bool
	binaryData       *bool
	binaryDataSize   *int64
	timeout          time.Duration
}

// parseRequest reads the JSON of an inference request. Data in binary form is filled in afterwards, by attach.
func parseRequest(b []byte) (*inferRequest, error) {
	c := jsonread.New(b)
	q := &inferRequest{}
	err := c.Object(func(key string) (err error) {
		if c.Kind() == jsonread.Null {
			return c.Null() // some clients write what they leave out
		}
		switch key {
		case "id":
			q.hasID = true
			q.id, err = c.Text()
		case "parameters":
			q.parameters, err = readParameters(c)
		case "inputs":
			err = c.Array(func(int) error { return q.readInput(c) })
		case "outputs":
			err = c.Array(func(int) error { return q.readWanted(c) })
		default:
			_, err = c.Skip()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := c.End(); err != nil {
		return nil, err
	}
	if len(q.inputs) == 0 {
		return nil, errNoInputs
	}
	return q, nil
}

func (q *inferRequest) readInput(c *jsonread.Cursor) error {
	var in input
	err := c.Object(func(key string) (err error) {
		if c.Kind() == jsonread.Null {
			return c.Null()
		}
		switch key {
		case "name":
			in.Name, err = c.Text()
		case "datatype":
			in.Type, err = readType(c)
		case "shape":
			in.hasShape = true
			in.Shape, err = readShape(c)
		case "parameters":
			in.parameters, err = readParameters(c)
		case "data":
			in.hasData = true
			err = in.readData(c)
		default:
			_, err = c.Skip()
		}
		return err
	})
	if err == nil {
		err = in.complete()
	}
	if err != nil {
		return fmt.Errorf("input %s: %w", in.label(len(q.inputs)), err)
	}
	q.inputs = append(q.inputs, in)
	return nil
}

func (in *input) label(i int) string {
	if in.Name != "" {
		return fmt.Sprintf("%q", in.Name)
	}
	return fmt.Sprint(i)
}

func readType(c *jsonread.Cursor) (tensor.Type, error) {
	name, err := c.Text()
	if err != nil {
		return 0, err
	}
	return tensor.ParseType(name)
}

func readShape(c *jsonread.Cursor) ([]int64, error) {
	const most = 32
	shape := []int64{}
	err := c.Array(func(i int) error {
		if i == most {
			return c.Errorf("a shape of more than %d dimensions", most)
		}
		d, err := c.Int(64)
		shape = append(shape, d)
		return err
	})
	return shape, err
}

// readData reads the data, or only steps over it where datatype or shape are still to come.
func (in *input) readData(c *jsonread.Cursor) (err error) {
	if in.Type != 0 && in.hasShape {
		return tensor.ReadJSON(c, &in.Tensor)
	}
	c.Kind()
	in.lateAt = c.Offset()
	in.late, err = c.Skip()
	return err
}

// complete checks that nothing is missing and reads data that came early.
func (in *input) complete() error {
	switch {
	case in.Name == "":
		return errors.New("it has no name")
	case in.Type == 0:
		return errors.New("it has no datatype")
	case !in.hasShape:
		return errors.New("it has no shape")
	case in.hasData == (in.binaryDataSize != nil):
		return errors.New("it needs either data or the parameter binary_data_size")
	case in.late == nil:
		return nil
	}
	err := tensor.ReadJSON(jsonread.New(in.late), &in.Tensor)
	var value *jsonread.ValueError // its syntax was checked before
	if errors.As(err, &value) {
		value.Offset += in.lateAt
	}
	return err
}

func (q *inferRequest) readWanted(c *jsonread.Cursor) error {
	var out wanted
	err := c.Object(func(key string) (err error) {
		if c.Kind() == jsonread.Null {
			return c.Null()
		}
		switch key {
		case "name":
			out.name, err = c.Text()
		case "parameters":
			out.parameters, err = readParameters(c)
		default:
			_, err = c.Skip()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("output %d: %w", len(q.outputs), err)
	}
	if slices.ContainsFunc(q.outputs, func(o wanted) bool { return o.name == out.name }) {
		return fmt.Errorf("output %q is asked for twice", out.name)
	}
	const most = 1024
	if len(q.outputs) == most {
		return fmt.Errorf("more than %d outputs are asked for", most)
	}
	q.outputs = append(q.outputs, out)
	return nil
}

// readParameters reads the parameters of a request, an input or an output. Unknown ones are left alone, as the protocol
// says; known ones that ask for what this server does not do are an error, because the answer would be another.
func readParameters(c *jsonread.Cursor) (p parameters, err error) {
	err = c.Object(func(key string) (err error) {
		switch key {
		case "binary_data_output":
			p.binaryDataOutput, err = pointer(c.Bool())
		case "binary_data":
			p.binaryData, err = pointer(c.Bool())
		case "binary_data_size":
			p.binaryDataSize, err = pointer(c.Int(64))
		case "timeout":
			p.timeout, err = readTimeout(c)
		case "sequence_id", "classification", "shared_memory_region":
			err = readUnsupported(c, key)
		default:
			_, err = c.Skip()
		}
		if err != nil {
			return fmt.Errorf("parameter %q: %w", key, err)
		}
		return nil
	})
	return p, err
}

func pointer[T any](v T, err error) (*T, error) { return &v, err }

// readTimeout reads microseconds; 0 is none.
func readTimeout(c *jsonread.Cursor) (time.Duration, error) {
	us, err := c.Int(64)
	if err != nil {
		return 0, err
	}
	const most = int64(24 * time.Hour / time.Microsecond)
	if us < 0 {
		return 0, c.Errorf("a negative time")
	}
	return time.Duration(min(us, most)) * time.Microsecond, nil
}

// readUnsupported takes the values that turn a feature off: clients send them by default.
func readUnsupported(c *jsonread.Cursor, key string) error {
	at := c.Offset()
	v, err := c.Skip()
	if err != nil {
		return err
	}
	if s := string(v); s == "0" || s == `""` {
		return nil
	}
	return &jsonread.ValueError{Offset: at, Reason: "this server has no " + key}
}
