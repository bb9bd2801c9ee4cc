package findings_test

import (
	"slices"
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/findings"
)

func TestBetween(t *testing.T) {
	for _, c := range []struct {
		raw, tagged string
		want        []findings.Finding
	}{
		{"nothing here", "nothing here", nil},
		{"a 13812345678 b bob@example.com", "a <PHONE> b <EMAIL>", []findings.Finding{{spec.EntityPhone, 2, 13}, {spec.EntityEmail, 16, 31}}},
		{"13812345678", "<PHONE>", []findings.Finding{{spec.EntityPhone, 0, 11}}},
		{findings.Plain("<13812345678>"), "{<PHONE>>", []findings.Finding{{spec.EntityPhone, 1, 12}}},
		{"a b", "a <X>", []findings.Finding{{findings.Unknown, 2, 3}}},
		{"key AKIAIOSFODNN7EXAMPLE.", "key <AWS_KEY>.", []findings.Finding{{spec.EntityAWSKey, 4, 24}}},
	} {
		if got := findings.Between(c.raw, c.tagged); !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.raw, got, c.want)
		}
	}
}
