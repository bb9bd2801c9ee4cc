package engine_test

import (
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
)

// An answer of text goes on only if it is what it is read as: UTF-8, or what has the
// letters and digits of ASCII in the same place.
func TestAnswersOfText(t *testing.T) {
	const plain = "call 13800138000"
	wide := strings.Join(strings.Split(plain, ""), "\x00") + "\x00"
	pool := hold.NewPool(1 << 20)
	s, p := engine.NewStream(pool), compile(t, everyKind())
	for _, tt := range []struct {
		contentType, in, out string
		fault                engine.AnswerFault
	}{
		{"text/plain", plain, "call <PHONE>", engine.AnswerFine},
		{"text/plain; charset=UTF-8", plain + " 中", "call <PHONE> 中", engine.AnswerFine},
		{"text/html; charset=iso-8859-1", plain, "call <PHONE>", engine.AnswerFine},
		{"text/html; charset=iso-8859-1", plain + " \xe9", "call <PHONE> ", engine.AnswerBroken},
		{"text/plain; charset=utf-16le", wide, "", engine.AnswerRefused},
		{"text/plain; charset=gbk", plain, "", engine.AnswerRefused},
		{"text/plain", "\xff\xfe" + wide, "", engine.AnswerBroken},
		{"text/plain", plain + " \xe4\xb8", "call <PHONE> ", engine.AnswerBroken},
	} {
		got := receive(t, pool, s, p, tt.contentType, []byte(tt.in), func() int { return len(tt.in) })
		if got.fault != tt.fault || got.body != tt.out && !strings.HasPrefix(tt.out, got.body) || tt.fault == engine.AnswerFine && got.body != tt.out {
			t.Errorf("%q as %s: fault %d, %q; want %d, %q", tt.in, tt.contentType, got.fault, got.body, tt.fault, tt.out)
		}
	}
}
