package catalog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// Policy is the document by which a gateway's filter decides.
func (c *Catalog) Policy(gateway *Gateway) *spec.Document {
	document := &spec.Document{
		Version:  spec.Version,
		Settings: gateway.Settings,
	}
	for _, limit := range c.Limits {
		document.Limits = append(document.Limits, limit.Limit)
	}
	for _, redaction := range c.Redactions {
		document.Redactions = append(document.Redactions, redaction.Redaction)
	}
	for _, m := range c.Models {
		model := spec.Model{
			Name:          m.Name,
			Aliases:       m.Aliases,
			Salt:          m.Route.Salt,
			VersionHeader: m.Route.VersionHeader,
			Rules:         m.Route.Rules,
		}
		for _, version := range m.Versions {
			model.Versions = append(model.Versions, version.Name)
		}
		document.Models = append(document.Models, model)
	}
	return document
}

// policies asks the filter's own rules about each gateway's document, and finds
// the resource that an objection is about.
func (c *checker) policies(all *resources, built *Catalog) {
	for _, gateway := range built.Gateways {
		document := built.Policy(gateway)
		err := spec.Validate(document)
		if err == nil {
			if size := len(spec.Encode(document)); size > spec.MaxDocumentBytes {
				c.whole(fmt.Sprintf("the policy of Gateway/%s has %d bytes, more than the filter's limit of %d", gateway.Name, size, spec.MaxDocumentBytes),
					"remove models, limits or policies")
			}
			continue
		}
		c.problems = append(c.problems, c.locate(all, document, gateway.Name, err))
		return // the documents share models and policies: the others would object to the same
	}
}

// locate makes a problem of the filter's objection, at the resource that it is about.
func (c *checker) locate(all *resources, document *spec.Document, gateway string, err error) Problem {
	problem := Problem{Message: "the filter would refuse it: " + err.Error()}
	var objection *spec.Error
	if !errors.As(err, &objection) {
		return problem
	}
	section, rest, _ := strings.Cut(objection.Path, "[")
	digits, _, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(digits)
	switch {
	case section == "models" && err == nil:
		return about(all.models, document.Models[i].Name, problem)
	case section == "limits" && err == nil:
		return about(all.limits, document.Limits[i].Name, problem)
	case section == "redactions" && err == nil:
		return about(all.redactions, document.Redactions[i].Name, problem)
	case strings.HasPrefix(section, "settings"):
		return about(all.gateways, gateway, problem)
	default:
		return problem
	}
}

func about[T any](entries []entry[T], name string, problem Problem) Problem {
	for _, e := range entries {
		if e.name == name {
			return e.doc.At("metadata.name", problem.Message, problem.Hint)
		}
	}
	return problem
}
