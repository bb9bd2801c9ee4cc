package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// redactWith calls weir and returns what it wrote.
func redactWith(t *testing.T, input string, args ...string) (status int, out, explained string) {
	t.Helper()
	var stdout, stderr strings.Builder
	status = run(t.Context(), append([]string{"redact"}, args...), strings.NewReader(input), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func TestRedact(t *testing.T) {
	for _, c := range []struct{ name, args, input, want string }{
		{"text", "-", "Call 13812345678, or write to zhang.san@example.com.\n", "Call 138****5678, or write to z********@example.com.\n"},
		{"kinds", "--kinds phone -", "Call 13812345678, or write to a@example.com.", "Call 138****5678, or write to a@example.com."},
		{"tags", "--mode tag -", "卡号4111111111111111有效", "卡号<BANK_CARD>有效"},
		{"json", "--mode tag -", `{"a": ["\u00313812345678", {"b":1e3}],  "a":"x"}`, `{"a": ["<PHONE>", {"b":1e3}],  "a":"x"}`},
		{"json as text", "--mode tag --text -", `{"a": 13812345678}`, `{"a": <PHONE>}`},
		{"lines", "--mode tag --lines -", "{\"a\":\"13812345678\"}\n{\"a\":\"x\"}\n", "{\"a\":\"<PHONE>\"}\n{\"a\":\"x\"}\n"},
		{"identifiers", "--mode tag -", `{"id":"11010519491231002X","type":["13812345678"],"x":{"model":"a@example.com","index":"1"}}`, `{"id":"<RESIDENT_ID>","type":["<PHONE>"],"x":{"model":"<EMAIL>","index":"1"}}`},
		{"identifiers a line", "--mode tag --lines -", "{\"status\":\"13812345678\"}\n", "{\"status\":\"<PHONE>\"}\n"},
		{"JSON behind a mark", "--mode tag -", "\xEF\xBB\xBF{\"a\":\"13812345678\",\"b\":13812345678}", "\xEF\xBB\xBF{\"a\":\"<PHONE>\",\"b\":13812345678}"},
		{"events by how they begin", "--mode tag -", "data: {\"a\":\"138\"}\n\ndata: {\"a\":\"12345678!\"}\n\n", "data: {\"a\":\"\"}\n\ndata: {\"a\":\"<PHONE>!\"}\n\n"},
		{"text as events", "--mode tag --stream -", "call 13812345678\nor a@example.com\n", "call <PHONE>\nor <EMAIL>\n"},
		{"nothing is found", "-", "nothing", "nothing"},
	} {
		status, out, said := redactWith(t, c.input, strings.Fields(c.args)...)
		if status != exitOK || out != c.want {
			t.Errorf("%s: status %d, %q, want %q\n%s", c.name, status, out, c.want, said)
		}
	}
}

// A value that comes in pieces is found in a stream, and only there.
func TestRedactStream(t *testing.T) {
	var stream strings.Builder
	for _, piece := range []string{"Call 138", "1234", "5678", " now"} {
		stream.WriteString(`data: {"choices":[{"index":0,"delta":{"content":"` + piece + `"}}]}` + "\n\n")
	}
	stream.WriteString("data: [DONE]\n\n")
	status, out, said := redactWith(t, stream.String(), "--stream", "--mode", "tag", "--explain", "-")
	if status != exitOK || said != "1 phone: tag\n" || !strings.HasSuffix(out, "data: [DONE]\n\n") {
		t.Fatalf("status %d, %q\n%s", status, said, out)
	}
	var text strings.Builder
	for line := range strings.Lines(out) {
		var event struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		if data := strings.TrimPrefix(line, "data: "); strings.HasPrefix(data, "{") {
			if err := json.Unmarshal([]byte(data), &event); err != nil {
				t.Fatal(err)
			}
			text.WriteString(event.Choices[0].Delta.Content)
		}
	}
	if text.String() != "Call <PHONE> now" {
		t.Errorf("%q", text.String())
	}
}

func TestRedactExplains(t *testing.T) {
	input := "<b>\n  13812345678 and\na@example.com <13812345678>\n"
	status, out, said := redactWith(t, input, "--explain", "--mode", "drop", "-")
	want := "line 2, byte 3: phone of 11 bytes: drop\nline 3, byte 1: email of 13 bytes: drop\nline 3, byte 16: phone of 11 bytes: drop\n"
	if status != exitOK || said != want || out != "<b>\n   and\n <>\n" {
		t.Errorf("status %d, %q\n%s", status, out, said)
	}
}

// With the same key a value has the same code.
func TestRedactKey(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, first, _ := redactWith(t, "13812345678", "--mode", "hmac", "--key", key, "-")
	_, second, _ := redactWith(t, "x 13812345678", "--mode", "hmac", "--key", key, "-")
	_, other, _ := redactWith(t, "13812345678", "--mode", "hmac", "-")
	if "x "+first != second || first == other || !strings.HasPrefix(first, "<PHONE:") {
		t.Errorf("%q, %q, with another key %q", first, second, other)
	}
}

func TestRedactRefuses(t *testing.T) {
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, input, want string }{
		{"", "", "name one file"},
		{"-", `{"a":`, "it is not what it was read as"},
		{"--mode hide -", "", `"hide"`},
		{"--kinds phone,fax -", "", `"fax"`},
		{"--threshold 101 -", "", "no percentage"},
		{"--mode block -", "13812345678", "may not pass at all"},
		{"--key " + short + " -", "", "it needs 16 to 64"},
		{"no-such-file", "", "no-such-file"},
	} {
		status, out, said := redactWith(t, c.input, strings.Fields(c.args)...)
		if status == exitOK || !strings.Contains(said, c.want) || strings.Contains(said+out, "13812345678") {
			t.Errorf("%q: status %d, %q, want %q", c.args, status, said, c.want)
		}
	}
}

// Text that is not UTF-8 is no text: in another encoding nothing would be found. Pieces
// may cut characters.
func TestRedactUTF8(t *testing.T) {
	long := strings.Repeat("电话x", 20_000)
	for input, fine := range map[string]bool{
		long + "13812345678": true, "x" + long: true, "\xff 13812345678": false, long + "\xe7\x94": false, "\xe7": false,
		"\xff\xfe1\x003\x008\x001\x002\x003\x004\x005\x006\x007\x008\x00": false,
	} {
		status, out, said := redactWith(t, input, "--text", "-")
		if (status == exitOK) != fine || !fine && !strings.Contains(said, "UTF-8") || strings.Contains(out, "13812345678") || fine && len(out) != len(input) {
			t.Errorf("%.20q of %d bytes: status %d, %d bytes, %s", input, len(input), status, len(out), said)
		}
	}
}

// Nothing gives values of a file back, so tokens for them would be the values.
func TestRedactToken(t *testing.T) {
	if status, out, said := redactWith(t, "13812345678", "--mode", "token", "-"); status != exitUsage || out != "" || !strings.Contains(said, "hmac") {
		t.Errorf("status %d, %q, %s", status, out, said)
	}
}
