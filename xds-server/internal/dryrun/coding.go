package dryrun

import (
	"fmt"
	"slices"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/wasmhost"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// decompressed is a request as the filter gets it: where Envoy undoes its content
// coding, without one. Its body was written down without one anyhow. The coding is empty
// if none is undone.
func decompressed(c *catalog.Catalog, r *Request) (request *Request, coding string) {
	var mediaType string
	for _, h := range r.Headers {
		switch h.Name {
		case "content-type":
			mediaType = h.Value
		case "content-encoding":
			coding = h.Value
		}
	}
	if !c.Decompresses() || !translate.Undone(coding, mediaType) {
		return r, ""
	}
	plain := *r
	plain.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h wasmhost.Header) bool { return h.Name == "content-encoding" })
	return &plain, coding
}

// decompression is what follows for other models from a policy that has bodies
// decompressed.
func decompression(c *catalog.Catalog) []string {
	var notes []string
	for _, r := range c.Redactions {
		if r.Encodings == spec.EncodingsDecompress && len(r.Models) > 0 {
			notes = append(notes, fmt.Sprintf("RedactionPolicy/%s (%s): gateways decompress requests to all models, for the model is known only when the body has been read (spec.encodings)",
				r.Name, r.Origin))
		}
	}
	return notes
}
