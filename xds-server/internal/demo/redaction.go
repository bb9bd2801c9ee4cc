package demo

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	received "github.com/weirmesh/weir/xds-server/internal/echo"
)

// secrets are one of each kind, made up but with right check digits, and what
// the model may see of them.
var secrets = []struct{ kind, sent, seen string }{
	{"phone", "13812345678", "138****5678"},
	{"e-mail", "zhang.wei@example.com", "z********@example.com"},
	{"resident ID", "11010519491231002X", "110*************2X"},
	{"bank card", "4111 1111 1111 1111", "**** **** **** 1111"},
}

func (d *demo) redaction(ctx context.Context) error {
	var sent, want []string
	for _, s := range secrets {
		sent = append(sent, "my "+s.kind+" is "+s.sent)
		want = append(want, "my "+s.kind+" is "+s.seen)
	}
	text, expected := strings.Join(sent, ", "), strings.Join(want, ", ")
	a, err := d.client.chat(ctx, text, 16, "x-tenant-id", "demo-redaction")
	if err != nil {
		return err
	}
	var got struct {
		Choices []struct {
			Message struct{ Content string } `json:"message"`
		} `json:"choices"`
		Received received.Received `json:"received"`
	}
	if err := a.into(http.StatusOK, &got); err != nil {
		return err
	}
	if len(got.Choices) != 1 {
		return fmt.Errorf("the answer has %d choices", len(got.Choices))
	}
	seen := got.Choices[0].Message.Content
	d.printf("%-15s %-24s %s", "", d.style(dim, "the client sent"), d.style(dim, "the model received"))
	d.table(text, seen)
	d.printf("%s", d.style(dim, "the body that the model got: "+clip(got.Received.Body, 96)))
	if seen != expected {
		return fmt.Errorf("the model received %q, not %q", seen, expected)
	}
	d.mark(true, "no personal value left the gateway, and the JSON around them is untouched")
	return nil
}

// table prints both sides of each value. The texts are alike but for the
// values, so they are cut at the same words.
func (d *demo) table(sent, seen string) {
	before, after := strings.Split(sent, ", "), strings.Split(seen, ", ")
	for i, s := range secrets {
		if i >= len(before) || i >= len(after) {
			return // not what was expected: the caller says so
		}
		prefix := "my " + s.kind + " is "
		d.printf("%-15s %-24s %s", s.kind, strings.TrimPrefix(before[i], prefix), d.stars(strings.TrimPrefix(after[i], prefix)))
	}
}

// clip shortens a text to n bytes at most, for texts of ASCII.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return text[:n] + "..."
}
