package measure

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// What a model says arrives as it was said, and is counted, whatever the words are like.
func TestStreamArrives(t *testing.T) {
	m := &model{sent: map[string]*sent{}}
	server := httptest.NewServer(m)
	defer server.Close()
	for _, cut := range []string{"before", "behind"} {
		a, err := m.ask(t.Context(), strings.TrimPrefix(server.URL, "http://"), 0, cut)
		if err != nil {
			t.Fatal(err)
		}
		letters := utf8.RuneCountInString(strings.Join(tokens(cut), ""))
		if len(a.first) != 1 || len(a.text) != 1 || len(a.between) != streamEvents+1 || len(a.way) != letters || a.behind != 0 {
			t.Errorf("%s: %d first, %d texts, %d between, %d letters of %d, %d behind", cut, len(a.first), len(a.text), len(a.between), len(a.way), letters, a.behind)
		}
	}
	if got := tokens("before")[1]; got[0] != ' ' {
		t.Errorf("%q has no space in front", got)
	}
}

// Text that comes an event late is counted so.
func TestLateText(t *testing.T) {
	var a arrivals
	event := func(text string) string { return strings.Replace(streamEvent, "%s", `{"content":"`+text+`"}`, 1) }
	letters, err := a.read(strings.NewReader(event("")+event("")+event("ab")+": a comment\n\n"+event("c")+"data: [DONE]\n\n"), time.Now())
	if err != nil || len(letters.at) != 3 || letters.event[0] != 2 || letters.event[2] != 3 || len(a.between) != 3 || len(a.text) != 1 {
		t.Errorf("%v %v %d between", err, letters.event, len(a.between))
	}
	if _, err := a.read(strings.NewReader("data: {\n\n"), time.Now()); err == nil {
		t.Error("a broken event is read")
	}
}
