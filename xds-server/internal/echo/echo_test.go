package echo_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/echo"
)

func TestSaysWhatItReceived(t *testing.T) {
	for name, tc := range map[string]struct{ body, said string }{
		"chat":     {`{"messages":[{"role":"system","content":"be kind"},{"role":"user","content":"a <b> c"}]}`, "a <b> c"},
		"no chat":  {`{"input":"x"}`, `{"input":"x"}`},
		"not JSON": {"\x00\xffplain", "\x00\uFFFDplain"}, // JSON strings carry UTF-8 only
		"empty":    {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions?a=b", strings.NewReader(tc.body))
			r.Header.Set("X-Weir-Version", "v1")
			w := httptest.NewRecorder()
			echo.Handler().ServeHTTP(w, r)
			var answer struct {
				Choices []struct{ Message struct{ Content string } }
				Got     echo.Received `json:"received"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatalf("%v in %s", err, w.Body)
			}
			if got := answer.Choices[0].Message.Content; got != tc.said {
				t.Errorf("said %q, want %q", got, tc.said)
			}
			got := answer.Got
			if got.Method != http.MethodPost || got.Path != "/v1/chat/completions?a=b" || got.Headers["x-weir-version"] != "v1" || got.Headers["host"] != "example.com" {
				t.Errorf("received %+v", got)
			}
		})
	}
}

func TestRefusesABodyThatBreaksOff(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	r.Body = failing{}
	w := httptest.NewRecorder()
	echo.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest {
		t.Errorf("status %d", w.Code)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, http.ErrBodyReadAfterClose }
func (failing) Close() error             { return nil }
