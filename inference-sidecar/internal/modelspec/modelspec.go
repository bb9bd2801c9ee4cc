// Package modelspec reads model.yaml, the file beside a model that says how it is to be served. It does no input or
// output.
package modelspec

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// Task is what a model is for.
type Task string

// The tasks. Every model is served over the Open Inference Protocol; an Embedding model over /v1/embeddings, too.
const (
	Embedding Task = "embedding"
	Generic   Task = "generic"
)

// Pooling is how the vectors of a text's tokens become one.
type Pooling string

// The ways of pooling. None is for graphs that pool themselves and answer one vector a text.
const (
	Mean Pooling = "mean"
	CLS  Pooling = "cls"
	None Pooling = "none"
)

// Spec is the content of a model.yaml.
type Spec struct {
	// Name and Version are those of the two folders that hold the file.
	Name    string `yaml:"name"`
	Version string `yaml:"version"`
	// Format is "onnx": the model is model.onnx beside the file.
	Format string `yaml:"format"`
	Task   Task   `yaml:"task"`
	// Default makes this version the one for requests that name none. Without it that is the highest version.
	Default bool `yaml:"default"`
	// SHA256 is that of the model file, in hexadecimal digits. Where it is set and differs, the model is refused.
	SHA256 string `yaml:"sha256"`
	// Warmup says whether the model is run once, with ones for lengths that vary and zeros for values, before it is
	// served. True if not set; false is for generic models that cannot compute such an input.
	Warmup *bool `yaml:"warmup"`

	// The rest is for Embedding only.

	Tokenizer *Tokenizer `yaml:"tokenizer"`
	Pooling   Pooling    `yaml:"pooling"`
	// Normalize scales each embedding to length 1.
	Normalize bool `yaml:"normalize"`
	// Dimensions is the length of an embedding.
	Dimensions int `yaml:"dimensions"`
	// Matryoshka says that the model is trained so that the first numbers of an embedding are an embedding, too: only
	// then may a request ask for fewer dimensions.
	Matryoshka bool `yaml:"matryoshka"`
}

// Tokenizer says how text becomes token ids.
type Tokenizer struct {
	// Kind is "wordpiece": a vocabulary of BERT.
	Kind string `yaml:"kind"`
	// Vocab is the vocabulary's file name beside model.yaml.
	Vocab string `yaml:"vocab"`
	// Lowercase lowers letters and strips accents, for uncased vocabularies.
	Lowercase bool `yaml:"lowercase"`
	// MaxTokens bounds a text, [CLS] and [SEP] included. What is beyond is cut off.
	MaxTokens int `yaml:"maxTokens"`
}

// WarmsUp tells whether the model is to be run once before it is served.
func (s Spec) WarmsUp() bool { return s.Warmup == nil || *s.Warmup }

// Parse reads the content of a model.yaml. name stands for the file in errors, which say line, column and field.
func Parse(name string, content []byte) (Spec, error) {
	var s Spec
	if err := yaml.UnmarshalWithOptions(content, &s, yaml.Strict()); err != nil {
		return Spec{}, located(name, err)
	}
	var errs []error
	for _, p := range s.problems() {
		errs = append(errs, fmt.Errorf("%s%s: %s: %s", name, position(content, p.field), p.field, p.reason))
	}
	return s, errors.Join(errs...)
}

func located(name string, err error) error {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		p := at.GetToken().Position
		return fmt.Errorf("%s:%d:%d: %s", name, p.Line, p.Column, at.GetMessage())
	}
	return fmt.Errorf("%s: %w", name, err)
}

// position returns ":line:column" of a field, or nothing where the file has no such field.
func position(content []byte, field string) string {
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return ""
	}
	path, err := yaml.PathString("$." + field)
	if err != nil {
		return ""
	}
	node, err := path.FilterFile(file)
	if err != nil || node.GetToken() == nil {
		return ""
	}
	p := node.GetToken().Position
	return fmt.Sprintf(":%d:%d", p.Line, p.Column)
}

type problem struct{ field, reason string }

var (
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	hexForm  = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
)

// ValidName tells whether s may be the name of a model or a version: letters, digits, '.', '_' and '-'. A slash is
// forbidden because clients do not escape it in paths.
func ValidName(s string) bool { return nameForm.MatchString(s) }

type problems []problem

func (p *problems) check(ok bool, field, format string, args ...any) {
	if !ok {
		*p = append(*p, problem{field, fmt.Sprintf(format, args...)})
	}
}

func (s Spec) problems() []problem {
	var p problems
	p.check(ValidName(s.Name), "name", "%q is not a name: it takes letters, digits, '.', '_' and '-'", s.Name)
	p.check(ValidName(s.Version), "version", "%q is not a version: it takes letters, digits, '.', '_' and '-'", s.Version)
	p.check(s.Format == "onnx", "format", "%q is not a format: it is onnx", s.Format)
	p.check(s.Task == Embedding || s.Task == Generic, "task", "%q is not a task: it is embedding or generic", s.Task)
	p.check(s.SHA256 == "" || hexForm.MatchString(s.SHA256), "sha256", "it is not 64 hexadecimal digits")
	if s.Task == Embedding {
		s.embeddingProblems(&p)
	} else {
		s.genericProblems(&p)
	}
	return p
}

func (s Spec) embeddingProblems(p *problems) {
	p.check(s.Pooling == Mean || s.Pooling == CLS || s.Pooling == None, "pooling", "%q is not a way of pooling: it is mean, cls or none", s.Pooling)
	p.check(s.Dimensions > 0, "dimensions", "it must be the length of an embedding, such as 384")
	p.check(s.Normalize || !s.Matryoshka, "matryoshka", "it needs normalize: true, as a shorter embedding is normalised again")
	p.check(s.WarmsUp(), "warmup", "it cannot be turned off for embeddings: it is when their dimensions are checked")
	if s.Tokenizer == nil {
		p.check(false, "tokenizer", "it is missing")
		return
	}
	t := *s.Tokenizer
	p.check(t.Kind == "wordpiece", "tokenizer.kind", "%q is not a kind: it is wordpiece", t.Kind)
	p.check(t.Vocab != "" && !strings.ContainsAny(t.Vocab, `/\`) && t.Vocab != "..", "tokenizer.vocab", "%q is not the name of a file beside model.yaml", t.Vocab)
	p.check(t.MaxTokens >= 3 && t.MaxTokens <= 1<<20, "tokenizer.maxTokens", "%d is not between 3 and %d", t.MaxTokens, 1<<20)
}

func (s Spec) genericProblems(p *problems) {
	const why = "it is for task: embedding"
	p.check(s.Tokenizer == nil, "tokenizer", why)
	p.check(s.Pooling == "", "pooling", why)
	p.check(!s.Normalize, "normalize", why)
	p.check(s.Dimensions == 0, "dimensions", why)
	p.check(!s.Matryoshka, "matryoshka", why)
}

// CompareVersions orders versions as people count: v10 is above v9, and 1.10 above 1.9.
func CompareVersions(a, b string) int {
	whole := cmp.Compare(a, b)
	for a != "" && b != "" {
		var x, y string
		x, a = run(a)
		y, b = run(b)
		if c := compareRuns(x, y); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return whole // they differ in leading zeros at most
}

// run cuts the digits or the non-digits off that s starts with.
func run(s string) (head, rest string) {
	i := 1
	for i < len(s) && isDigit(s[i]) == isDigit(s[0]) {
		i++
	}
	return s[:i], s[i:]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func compareRuns(x, y string) int {
	if !isDigit(x[0]) || !isDigit(y[0]) {
		return cmp.Compare(x, y)
	}
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	if c := cmp.Compare(len(x), len(y)); c != 0 {
		return c
	}
	return cmp.Compare(x, y)
}
