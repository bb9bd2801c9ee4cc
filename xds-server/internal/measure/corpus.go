package measure

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/loadgen"
)

const prose = "Please summarise the attached incident report for the platform team, keep the tone factual, " +
	"list the three most likely causes in order, and end with one sentence on what to watch tomorrow. " +
	"请用两句话概括要点，不要使用表格。"

// Data that the redactor must find, all of it invalid or documented test data:
// GB 11643's own specimen, a reserved domain, a card number for testing.
const personal = "Call 13812345678 or write to zhang.san@example.com; the holder 11010519491231002X pays with 4111 1111 1111 1111. "

// chat is a chat completion request of about size bytes.
func chat(size int, text string) []byte {
	const frame = `{"model":"gpt-4","stream":false,"temperature":0.7,"max_tokens":128,"messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"%s"}]}`
	room := max(size-len(frame)+2-len(text), 0)
	filler := strings.Repeat(prose, room/len(prose)+1)
	return fmt.Appendf(nil, frame, text+strings.ToValidUTF8(filler[:room], ""))
}

// clean is a chat request of about 1 KB without personal data.
func clean() []byte { return chat(1024, "") }

// withPersonal is a chat request of about size bytes with one value of each entity.
func withPersonal(size int) []byte { return chat(size, personal) }

// fullOfPersonal is withPersonal with the values in every KB of it.
func fullOfPersonal(size int) []byte {
	const unit = personal + prose + prose
	return chat(size, strings.Repeat(unit, (size-1024)/len(unit)))
}

// everyKind looks for all kinds in both directions, in turn with the modes that let a
// request pass. Secrets have no format to keep.
func everyKind() (all []spec.Entity) {
	modes := []spec.RedactionMode{spec.RedactMask, spec.RedactTag, spec.RedactHMAC, spec.RedactToken, spec.RedactDrop, spec.RedactDetect}
	for kind := range spec.EntityKind(spec.EntityKinds) {
		e := spec.Entity{Kind: kind, Mode: modes[int(kind)%len(modes)]}
		if kind == spec.EntityBankCard {
			e.Mode = spec.RedactFormat
		}
		all = append(all, e)
	}
	return all
}

// request wraps body for the wire, with the headers that the policy reads.
func request(body []byte) []byte {
	return loadgen.Request("/v1/chat/completions", body, "x-tenant-id: acme", "x-user-id: user-17")
}

// chunkedRequest is request with a chunked body in pieces of size bytes.
func chunkedRequest(body []byte, size int) []byte {
	var b bytes.Buffer
	b.WriteString("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n" +
		"x-tenant-id: acme\r\nx-user-id: user-17\r\ntransfer-encoding: chunked\r\n\r\n")
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

// policy is a document that does all of the filter's work on each request and
// never refuses one: every entity, one semantic limit far above the load.
// overflow says what happens to bodies above the hold limit.
func policy(overflow spec.Overflow, record bool) *spec.Document {
	return &spec.Document{
		Version: spec.Version,
		Settings: spec.Settings{TenantHeader: "x-tenant-id", UserHeader: "x-user-id", HoldLimit: 1 << 20,
			WorkerHoldLimit: 16 << 20, Overflow: overflow, MaxDepth: 64, Record: record},
		Models: []spec.Model{{Name: "gpt-4", Versions: []string{"v1", "v2"}, Salt: "gpt-4"}},
		Limits: []spec.Limit{{Name: "per-tenant", Key: []spec.KeyPart{{Source: spec.KeyTenant}, {Source: spec.KeyModel}}, Mode: spec.LimitSemantic,
			Semantic: spec.Semantic{FloorMilli: 20_000, RefillMilli: 300, TokensPerUnit: 512, MaxTokens: 5_000_000, DefaultOutput: 512,
				Models: []spec.SemanticModel{{Model: "gpt-4", BaseMilli: 100_000, KMilli: 1200}}}}},
		Redactions: []spec.Redaction{{Name: "personal-data", Entities: []spec.Entity{
			{Kind: spec.EntityPhone}, {Kind: spec.EntityEmail}, {Kind: spec.EntityResidentID}, {Kind: spec.EntityBankCard}}}},
	}
}

// routingOnly is the policy without its limit and its redaction: what is left is
// finding the model and setting the headers that choose the route.
func routingOnly() *spec.Document {
	d := policy(spec.OverflowRefuse, false)
	d.Limits, d.Redactions = nil, nil
	return d
}

// largestRules is the largest size of a policy document without a table of words.
const largestRules = 2 << 20

// largestPolicy is a policy document just under the largest allowed size without a table,
// different for each i.
func largestPolicy(i int) string {
	d := policy(spec.OverflowStream, true)
	for n := 0; ; n++ {
		name := fmt.Sprintf("model-%06d-%04d", n, i)
		d.Models = append(d.Models, spec.Model{Name: name, Aliases: []string{name + "-latest"}, Versions: []string{"v1"}, Salt: strings.Repeat("s", 64)})
		if n%256 != 0 {
			continue
		}
		if b := spec.Encode(d); len(b) > largestRules-64<<10 {
			return string(b)
		}
	}
}
