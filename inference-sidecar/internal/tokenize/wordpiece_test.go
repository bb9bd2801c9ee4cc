package tokenize_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/inference-sidecar/internal/tokenize"
)

func minilm(t testing.TB, opt tokenize.Options) *tokenize.WordPiece {
	t.Helper()
	f, err := os.Open("testdata/vocab.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	w, err := tokenize.NewWordPiece(z, opt)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestEncodeAsTransformersDoes(t *testing.T) {
	golden, err := os.ReadFile("testdata/minilm.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Text      string
		MaxTokens int
		IDs       []int32
	}
	if err := json.Unmarshal(golden, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 60 {
		t.Fatalf("the golden file has only %d cases", len(cases))
	}
	bySize := map[int]*tokenize.WordPiece{}
	for _, c := range cases {
		w, ok := bySize[c.MaxTokens]
		if !ok {
			w = minilm(t, tokenize.Options{Lowercase: true, MaxTokens: c.MaxTokens})
			bySize[c.MaxTokens] = w
		}
		if got := w.Encode(c.Text); !slices.Equal(got, c.IDs) {
			t.Errorf("%q, at most %d:\n got %v\nwant %v", c.Text, c.MaxTokens, got, c.IDs)
		}
	}
}

const small = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nHi\nhi\nÉ\n##go\n"

func TestCasedVocabularyKeepsCaseAndAccents(t *testing.T) {
	w, err := tokenize.NewWordPiece(strings.NewReader(small), tokenize.Options{MaxTokens: 16})
	if err != nil {
		t.Fatal(err)
	}
	want := []int32{2, 4, 5, 6, 7, 1, 3}
	if got := w.Encode("Hi hi Égo x"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWrap(t *testing.T) {
	w, err := tokenize.NewWordPiece(strings.NewReader(small), tokenize.Options{MaxTokens: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ids  []int64
		want []int32
		err  string
	}{
		{ids: []int64{4}, want: []int32{2, 4, 3}},
		{ids: []int64{2, 4, 3}, want: []int32{2, 4, 3}},
		{ids: []int64{4, 5, 6}, want: []int32{2, 4, 5, 3}},
		{ids: nil, want: []int32{2, 3}},
		{ids: []int64{4, 8}, err: "token 1 is 8, the vocabulary has 0 to 7"},
		{ids: []int64{-1}, err: "token 0 is -1"},
		{ids: []int64{4, 4, 4, 4, 99}, err: "token 4 is 99"},
	} {
		got, err := w.Wrap(c.ids)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v: error %v, want %q", c.ids, err, c.err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, %v, want %v", c.ids, got, err, c.want)
		}
	}
}

func TestNewWordPieceRefuses(t *testing.T) {
	for _, c := range []struct {
		vocabulary string
		max        int
		err        string
	}{
		{"[CLS]\n[SEP]\n", 8, "no [UNK]"},
		{"", 8, "no [CLS]"},
		{small, 2, "no room"},
		{strings.Repeat("x", 1<<20), 8, "vocabulary, line 1"},
	} {
		_, err := tokenize.NewWordPiece(strings.NewReader(c.vocabulary), tokenize.Options{MaxTokens: c.max})
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("error %v, want %q", err, c.err)
		}
	}
}

func FuzzEncode(f *testing.F) {
	w := minilm(f, tokenize.Options{Lowercase: true, MaxTokens: 32})
	long := minilm(f, tokenize.Options{Lowercase: true, MaxTokens: 1 << 20})
	for _, s := range []string{"hello", "[CLS]你好\xff[SEP", "e\u0301\u0301", "\u2028[", "𝐁ﷺ" + strings.Repeat("a", 101)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		short := w.Encode(text)
		if n := len(short); n < 2 || n > 32 || short[0] != 101 || short[n-1] != 102 {
			t.Fatalf("%q gives %v", text, short)
		}
		all := long.Encode(text)
		if n := len(short) - 1; !slices.Equal(short[:n], all[:n]) || len(all) < 32 && len(all) != len(short) {
			t.Fatalf("%q: the bound changes more than the length: %v, %v", text, short, all)
		}
		for _, id := range all {
			if id < 0 || int(id) >= w.Size() {
				t.Fatalf("%q: id %d is outside the vocabulary", text, id)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	w := minilm(b, tokenize.Options{Lowercase: true, MaxTokens: 256})
	text := strings.Repeat("Embeddings are dense vectors, and “naïve” café prose is tokenised. ", 4)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		w.Encode(text)
	}
}
