// Package policytest holds golden requests: what a policy has to do with them, in
// a form that every host of the engine can run, be it the engine itself, the
// shipped wasm module on wazero, or Envoy. It is for tests only.
//
// A vector stands in testdata/vectors, its policy in testdata/policies. The body
// may be given to a host in pieces of any size: the outcome must be the same.
package policytest

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Vector is one request and what is to become of it.
type Vector struct {
	Name   string `json:"name"`
	Policy string `json:"policy"` // file name in testdata/policies without .json

	// What surrounds the request. A host that cannot arrange it skips the vector.
	Now        int64             `json:"now,omitempty"`        // Unix nanoseconds; 0: any time
	Peer       string            `json:"peer,omitempty"`       // SPIFFE ID of the downstream
	Properties map[string]string `json:"properties,omitempty"` // of the stream, by path with dots between its parts
	StoreFails bool              `json:"storeFails,omitempty"` // buckets cannot be used
	Before     int               `json:"before,omitempty"`     // how often the same request was sent before

	Request Request `json:"request"`
	Answer  *Answer `json:"answer,omitempty"` // what upstream answers to each; nil: anything short
	Expect  Expect  `json:"expect"`
}

// Answer is what upstream answers.
type Answer struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers,omitempty"`
	Body    string      `json:"body,omitempty"`

	BodyBase64 string      `json:"bodyBase64,omitempty"`
	Trailers   [][2]string `json:"trailers,omitempty"`
}

// Bytes returns the body.
func (a *Answer) Bytes() []byte {
	if a.BodyBase64 == "" {
		return []byte(a.Body)
	}
	body, err := base64.StdEncoding.DecodeString(a.BodyBase64)
	if err != nil {
		panic(fmt.Sprintf("policytest: answer: %v", err))
	}
	return body
}

// Request is what the client sends. The hosts add a content-length unless Chunked.
type Request struct {
	Method     string      `json:"method"`
	Path       string      `json:"path"`
	Headers    [][2]string `json:"headers,omitempty"`
	Body       string      `json:"body,omitempty"`
	BodyBase64 string      `json:"bodyBase64,omitempty"`
	Repeat     *Repeat     `json:"repeat,omitempty"` // a body that is too long to write down
	Chunked    bool        `json:"chunked,omitempty"`
}

// Repeat is a body of Text, Times over, between Before and After.
type Repeat struct {
	Before string `json:"before"`
	Text   string `json:"text"`
	Times  int    `json:"times"`
	After  string `json:"after"`
}

func (r *Repeat) bytes() []byte { return []byte(r.Before + strings.Repeat(r.Text, r.Times) + r.After) }

// Expect is either of its two.
type Expect struct {
	Forward *Forward `json:"forward,omitempty"`
	Reply   *Reply   `json:"reply,omitempty"`
}

// Any stands for every value of a header that is not empty.
const Any = "*"

// Forward is what upstream gets.
type Forward struct {
	Headers  map[string]string `json:"headers,omitempty"` // these, among others; "*" is any value
	Absent   []string          `json:"absent,omitempty"`  // none of these
	Body     *string           `json:"body,omitempty"`    // nil, with Repeat nil: as it was sent
	Repeat   *Repeat           `json:"repeat,omitempty"`
	Base64   string            `json:"bodyBase64,omitempty"`   // Body, if it is no text
	Response map[string]string `json:"response,omitempty"`     // headers added to the response
	Answer   *string           `json:"answer,omitempty"`       // body of the response; nil: as upstream sent it
	Message  string            `json:"answerBase64,omitempty"` // Answer, if it is no text
}

// Reply is what the client gets instead.
type Reply struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"` // these, among others; "*" is any value
	Absent  []string          `json:"absent,omitempty"`  // none of these
	Body    json.RawMessage   `json:"body,omitempty"`    // a part of the JSON body

	GRPCStatus *int   `json:"grpcStatus,omitempty"` // instead of Status and Body
	Message    string `json:"message,omitempty"`    // a part of the gRPC message
}

// Outcome is what a host made of a request.
type Outcome struct {
	Status   int         // of a local reply; 0: forwarded
	Headers  [][2]string // of the request that upstream got, or of the reply
	Body     []byte      // likewise; the message of a gRPC reply
	GRPC     int         // gRPC status of a local reply
	Response [][2]string // of a forwarded request: what the response had beyond upstream's
	Answer   []byte      // of a forwarded request: the body of the response
}

//go:embed testdata/policies testdata/vectors
var files embed.FS

// Vectors returns all vectors in a fixed order. It panics if the files that it
// was built with are broken: they are code.
func Vectors() []Vector {
	names, err := fs.Glob(files, "testdata/vectors/*.json")
	if err != nil {
		panic(err)
	}
	var all []Vector
	for _, name := range names {
		var some []Vector
		d := json.NewDecoder(bytes.NewReader(read(name)))
		d.DisallowUnknownFields()
		if err := d.Decode(&some); err != nil {
			panic(fmt.Sprintf("policytest: %s: %v", name, err))
		}
		all = append(all, some...)
	}
	return all
}

// Policies returns the names of all policies.
func Policies() []string {
	entries, err := files.ReadDir("testdata/policies")
	if err != nil {
		panic(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	return names
}

// Policy returns the document of a policy by name.
func Policy(name string) []byte { return read("testdata/policies/" + name + ".json") }

func read(name string) []byte {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return data
}

// Document returns the policy document of v.
func (v *Vector) Document() []byte { return Policy(v.Policy) }

// Body returns the bytes that the client sends.
func (v *Vector) Body() []byte {
	switch {
	case v.Request.Repeat != nil:
		return v.Request.Repeat.bytes()
	case v.Request.BodyBase64 != "":
		return decoded(v.Name, v.Request.BodyBase64)
	}
	return []byte(v.Request.Body)
}

func decoded(name, text string) []byte {
	body, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(fmt.Sprintf("policytest: %s: %v", name, err))
	}
	return body
}

// Check returns what is wrong with an outcome, one sentence each.
func (v *Vector) Check(o *Outcome) []string {
	if f := v.Expect.Forward; f != nil {
		return v.checkForward(f, o)
	}
	return v.Expect.Reply.check(o)
}

func (v *Vector) checkForward(f *Forward, o *Outcome) []string {
	if o.Status != 0 {
		return []string{fmt.Sprintf("was answered %d %s, want it forwarded", o.Status, o.Body)}
	}
	problems := checkHeaders("request", o.Headers, f.Headers, f.Absent)
	problems = append(problems, checkHeaders("response", o.Response, f.Response, nil)...)
	want := v.Body()
	switch {
	case f.Repeat != nil:
		want = f.Repeat.bytes()
	case f.Body != nil:
		want = []byte(*f.Body)
	case f.Base64 != "":
		want = decoded(v.Name, f.Base64)
	}
	if !bytes.Equal(o.Body, want) {
		problems = append(problems, fmt.Sprintf("upstream got %d bytes %.200s, want %d bytes %.200s", len(o.Body), o.Body, len(want), want))
	}
	return append(problems, v.checkAnswer(f, o)...)
}

func (v *Vector) checkAnswer(f *Forward, o *Outcome) []string {
	if v.Answer == nil {
		return nil
	}
	want := string(v.Answer.Bytes())
	if f.Answer != nil {
		want = *f.Answer
	} else if f.Message != "" {
		want = string(decoded(v.Name, f.Message))
	}
	if string(o.Answer) != want {
		return []string{fmt.Sprintf("the client got %q, want %q", o.Answer, want)}
	}
	return nil
}

func (r *Reply) check(o *Outcome) []string {
	if o.Status == 0 {
		return []string{fmt.Sprintf("was forwarded, want status %d", r.Status)}
	}
	problems := checkHeaders("reply", o.Headers, r.Headers, r.Absent)
	if r.GRPCStatus != nil {
		if o.GRPC != *r.GRPCStatus || !strings.Contains(string(o.Body), r.Message) {
			problems = append(problems, fmt.Sprintf("gRPC status is %d %q, want %d %q", o.GRPC, o.Body, *r.GRPCStatus, r.Message))
		}
		return problems
	}
	if o.Status != r.Status {
		problems = append(problems, fmt.Sprintf("status is %d, want %d", o.Status, r.Status))
	}
	if len(r.Body) > 0 {
		var want, got any
		if err := json.Unmarshal(r.Body, &want); err != nil {
			panic(err)
		}
		if err := json.Unmarshal(o.Body, &got); err != nil {
			return append(problems, fmt.Sprintf("body %s: %v", o.Body, err))
		}
		if !within(want, got) {
			problems = append(problems, fmt.Sprintf("body is %s, want in it %s", o.Body, r.Body))
		}
	}
	return problems
}

func checkHeaders(kind string, got [][2]string, want map[string]string, absent []string) []string {
	var problems []string
	for name, value := range want {
		i := slices.IndexFunc(got, func(h [2]string) bool { return strings.EqualFold(h[0], name) })
		if i < 0 || got[i][1] != value && value != Any || got[i][1] == "" {
			problems = append(problems, fmt.Sprintf("%s headers %q, want %s: %s", kind, got, name, value))
		}
	}
	for _, name := range absent {
		if slices.ContainsFunc(got, func(h [2]string) bool { return strings.EqualFold(h[0], name) }) {
			problems = append(problems, fmt.Sprintf("%s headers %q, want no %s", kind, got, name))
		}
	}
	return problems
}

// within says whether every member of want is in got.
func within(want, got any) bool {
	w, ok := want.(map[string]any)
	if !ok {
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		return bytes.Equal(a, b)
	}
	g, ok := got.(map[string]any)
	if !ok {
		return false
	}
	for k, v := range w {
		other, ok := g[k]
		if !ok || !within(v, other) {
			return false
		}
	}
	return true
}
