package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
)

// Policy is the document by which a gateway's filter decides.
func (c *Catalog) Policy(gateway *Gateway) *spec.Document {
	document := &spec.Document{
		Version:  spec.Version,
		Settings: gateway.Settings,
	}
	for _, limit := range c.Limits {
		document.Limits = append(document.Limits, limit.Limit)
		document.Overrides = append(document.Overrides, limit.Overrides...)
	}
	slices.SortFunc(document.Overrides, func(a, b spec.Override) int { return cmp.Compare(a.Key, b.Key) })
	for _, redaction := range c.Redactions {
		document.Redactions = append(document.Redactions, redaction.Redaction)
	}
	document.Models = make([]spec.Model, len(c.Models))
	for i, m := range c.Models {
		document.Models[i] = *m.policy
	}
	document.Attributes, document.Trees = trees(c.Models)
	return document
}

// Decompresses says whether any redaction has Envoy decompress bodies. The filter knows
// the model, and so the redaction, only when it has read the body.
func (c *Catalog) Decompresses() bool {
	return slices.ContainsFunc(c.Redactions, func(r *Redaction) bool { return r.Encodings == spec.EncodingsDecompress })
}

// newPolicy is what the filter is told of a model.
func newPolicy(m *Model) *spec.Model {
	told := &spec.Model{
		Name:          m.Name,
		Aliases:       m.Aliases,
		Salt:          m.Route.Salt,
		VersionHeader: m.Route.VersionHeader,
		Rules:         m.Route.Rules,
		Estimate:      m.Estimate,
		Renames:       m.Renames(),
		GRPC:          !slices.ContainsFunc(m.Versions, func(v Version) bool { return !v.GRPC }),
	}
	for _, version := range m.Versions {
		told.Versions = append(told.Versions, version.Name)
	}
	return told
}

// PolicyDocument is the encoded policy document of a gateway. It has been read
// back by the filter's own parser, so that what is published is what the filter
// accepts; the error says why it would not.
func (c *Catalog) PolicyDocument(gateway *Gateway) ([]byte, error) {
	if known := c.policies[gateway.Name]; known.gateway == gateway {
		return known.encoded, nil
	}
	return encodePolicy(c.Policy(gateway))
}

// policy is an encoded document and the gateway that it was made for.
type policy struct {
	gateway *Gateway
	encoded []byte
}

func encodePolicy(document *spec.Document) ([]byte, error) {
	encoded := spec.Encode(document)
	if len(encoded) > spec.MaxDocumentBytes {
		return nil, fmt.Errorf("policy document has %d bytes, more than the filter's limit of %d", len(encoded), spec.MaxDocumentBytes)
	}
	if _, err := spec.Parse(encoded); err != nil {
		return nil, fmt.Errorf("read the policy document as the filter does: %w", err)
	}
	return encoded, nil
}

// encodePolicies makes the documents of a catalog that has passed all other
// checks, and finds the resource that the filter objects to. The documents of
// current, which may be nil, are taken if they would come out the same.
func (w *world) encodePolicies(built, current *Catalog) []issue {
	if current != nil && samePolicies(built, current) {
		built.policies = current.policies
		return nil
	}
	built.policies = make(map[string]policy, len(built.Gateways))
	for _, gateway := range built.Gateways {
		document := built.Policy(gateway)
		encoded, err := encodePolicy(document)
		if err == nil {
			built.policies[gateway.Name] = policy{gateway, encoded}
			continue
		}
		if objection := spec.Validate(document); objection != nil {
			// The documents share models and policies: the others would meet the same objection.
			return []issue{w.locate(document, gateway.Name, objection)}
		}
		return []issue{{Problem: Problem{
			Message: fmt.Sprintf("the policy of Gateway/%s: %s", gateway.Name, err), Hint: "remove models, limits or policies",
		}}}
	}
	return nil
}

// samePolicies reports whether all gateways of two catalogs have the same documents.
func samePolicies(a, b *Catalog) bool {
	return slices.Equal(a.Gateways, b.Gateways) && slices.Equal(a.Limits, b.Limits) && slices.Equal(a.Redactions, b.Redactions) &&
		slices.EqualFunc(a.Models, b.Models, (*Model).samePolicy)
}

// locate makes an issue of the filter's objection, at the resource that it is about.
func (w *world) locate(document *spec.Document, gateway string, err error) issue {
	unknown := issue{Problem: Problem{Message: "the filter would refuse it: " + err.Error()}}
	var objection *spec.Error
	if !errors.As(err, &objection) {
		return unknown
	}
	section, rest, _ := strings.Cut(objection.Path, "[")
	if section == "attributes" || section == "trees" {
		return w.locateTree(document, unknown)
	}
	digits, _, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(digits)
	var about key
	switch {
	case section == "models" && err == nil:
		about = key{api.KindModel, document.Models[i].Name}
	case section == "limits" && err == nil:
		name, _, _ := strings.Cut(document.Limits[i].Name, "/")
		about = key{api.KindTokenLimit, name}
	case section == "redactions" && err == nil:
		about = key{api.KindRedactionPolicy, document.Redactions[i].Name}
	case strings.HasPrefix(section, "settings"):
		about = key{api.KindGateway, gateway}
	default:
		return unknown
	}
	// A limit may be one too many because of others, a model because of its route.
	involves := []key{{kind: api.KindTokenLimit}, {kind: api.KindRedactionPolicy}}
	if about.kind == api.KindModel {
		involves = []key{{routesOfModel, about.name}}
	}
	return issue{Problem: w.problem(w.get(about), "metadata.name", unknown.Message, ""), about: about, involves: involves}
}
