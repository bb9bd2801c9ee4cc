package openai

import (
	"errors"
	"fmt"

	"github.com/weirmesh/weir/inference-sidecar/internal/embed"
	"github.com/weirmesh/weir/inference-sidecar/internal/jsonread"
	"github.com/weirmesh/weir/inference-sidecar/internal/serve"
)

// The bounds of one request.
const (
	// maxBody is how many bytes it may have.
	maxBody = 8 << 20
	// maxInputs is how many texts it may have, as in the OpenAI API.
	maxInputs = 2048
	// maxTokenIDs is how many token ids all its inputs together may have.
	maxTokenIDs = 1 << 20
)

// request is a decoded embeddings request. Each input is a text or a list of token ids.
type request struct {
	model      string
	texts      []string
	tokens     [][]int64
	tokenIDs   int
	base64     bool
	dimensions int // 0: all
}

// parse reads an embeddings request. Parameters that it does not know, and user, are left alone.
func parse(b []byte) (*request, error) {
	c := jsonread.New(b)
	q := &request{}
	err := c.Object(func(key string) error {
		if c.Kind() == jsonread.Null && key != "input" && key != "model" {
			return c.Null()
		}
		if err := q.field(c, key); err != nil {
			return parameterError(key, err)
		}
		return nil
	})
	if err == nil {
		err = c.End()
	}
	if err != nil {
		return nil, serve.BadRequest(err)
	}
	if q.model == "" {
		return nil, serve.BadRequest(&fault{kind: invalidRequest, param: "model", code: "missing_model", text: "the request has no model"})
	}
	if len(q.texts)+len(q.tokens) == 0 {
		return nil, invalid("input", "input is missing or empty")
	}
	return q, nil
}

// parameterError says to which parameter an error belongs, unless the document is no JSON at all.
func parameterError(key string, err error) error {
	var f *fault
	var syntax *jsonread.SyntaxError
	if errors.As(err, &f) || errors.As(err, &syntax) {
		return err
	}
	return invalid(key, "%s: %v", key, err)
}

func (q *request) field(c *jsonread.Cursor, key string) (err error) {
	switch key {
	case "model":
		q.model, err = c.Text()
	case "input":
		err = q.input(c)
	case "encoding_format":
		err = q.encoding(c)
	case "dimensions":
		err = q.readDimensions(c)
	default:
		_, err = c.Skip()
	}
	return err
}

func (q *request) encoding(c *jsonread.Cursor) error {
	s, err := c.Text()
	if err != nil {
		return err
	}
	if s != "float" && s != "base64" {
		return invalid("encoding_format", "encoding_format is %q: it is float or base64", s)
	}
	q.base64 = s == "base64"
	return nil
}

func (q *request) readDimensions(c *jsonread.Cursor) error {
	n, err := c.Int(32)
	if err != nil {
		return err
	}
	if n < 1 {
		return invalid("dimensions", "dimensions is %d: it must be at least 1", n)
	}
	q.dimensions = int(n)
	return nil
}

// input reads a text, texts, token ids, or lists of token ids.
func (q *request) input(c *jsonread.Cursor) error {
	switch c.Kind() {
	case jsonread.String:
		return q.text(c)
	case jsonread.Array:
	case jsonread.Invalid:
		_, err := c.Skip()
		return err
	default:
		return errors.New("it is a string, an array of strings, an array of token ids, or an array of such arrays")
	}
	var flat []int64
	err := c.Array(func(i int) error {
		switch kind := c.Kind(); {
		case kind == jsonread.String && len(q.tokens) == 0 && flat == nil:
			return q.text(c)
		case kind == jsonread.Number && len(q.texts)+len(q.tokens) == 0:
			return q.tokenID(c, &flat)
		case kind == jsonread.Array && len(q.texts) == 0 && flat == nil:
			return q.tokenIDList(c, i)
		case kind == jsonread.Invalid:
			_, err := c.Skip()
			return err
		default:
			return fmt.Errorf("element %d is %s: the elements must be all strings, all token ids or all arrays of token ids", i, kind)
		}
	})
	if flat != nil {
		q.tokens = [][]int64{flat}
	}
	return err
}

func (q *request) text(c *jsonread.Cursor) error {
	s, err := c.Text()
	if err != nil {
		return err
	}
	if s == "" {
		return fmt.Errorf("element %d is an empty string", len(q.texts))
	}
	if len(q.texts) == maxInputs {
		return fmt.Errorf("there are more than %d inputs", maxInputs)
	}
	q.texts = append(q.texts, s)
	return nil
}

func (q *request) tokenID(c *jsonread.Cursor, list *[]int64) error {
	id, err := c.Int(64)
	if err != nil {
		return err
	}
	if q.tokenIDs++; q.tokenIDs > maxTokenIDs {
		return fmt.Errorf("there are more than %d token ids", maxTokenIDs)
	}
	*list = append(*list, id)
	return nil
}

func (q *request) tokenIDList(c *jsonread.Cursor, i int) error {
	if i == maxInputs {
		return fmt.Errorf("there are more than %d inputs", maxInputs)
	}
	var list []int64
	if err := c.Array(func(int) error { return q.tokenID(c, &list) }); err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("element %d is an empty array", i)
	}
	q.tokens = append(q.tokens, list)
	return nil
}

// sequences returns the token ids of all inputs and how many they are together.
func (q *request) sequences(e *embed.Embedder) (out [][]int32, tokens int, err error) {
	for _, text := range q.texts {
		out = append(out, e.Tokenizer().Encode(text))
	}
	for i, ids := range q.tokens {
		wrapped, err := e.Tokenizer().Wrap(ids)
		if err != nil {
			return nil, 0, invalid("input", "input: element %d: %v", i, err)
		}
		out = append(out, wrapped)
	}
	for _, ids := range out {
		tokens += len(ids)
	}
	return out, tokens, nil
}
