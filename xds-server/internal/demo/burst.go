package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A burst of requests that ask for burstTokens each is more than a tenant's budget
// in examples/local holds, and so is what they cost: the echo says burstText again.
const (
	burstSize   = 8
	burstTokens = 200
)

var burstText = strings.Repeat("Tell me a long story. ", 20)

func (d *demo) burst(ctx context.Context) error {
	send := func() (answer, error) {
		return d.client.chat(ctx, burstText, burstTokens, "x-tenant-id", "demo-burst")
	}
	d.printf("%s", d.style(dim, fmt.Sprintf("%d requests in a row of one tenant, each with max_tokens %d", burstSize, burstTokens)))
	allowed := 0
	var refused answer
	for i := range burstSize {
		a, err := send()
		if err != nil {
			return err
		}
		switch a.status {
		case http.StatusOK:
			allowed++
			d.printf("#%d  %s  %s", i+1, d.style(green, "200"), d.style(dim, limits(a.header, "x-ratelimit-remaining")))
		case http.StatusTooManyRequests:
			d.printf("#%d  %s  %s", i+1, d.style(yellow, "429"), d.style(dim, limits(a.header, "retry-after")))
			refused = a
		default:
			return fmt.Errorf("request %d was answered %d: %s", i+1, a.status, a.body)
		}
	}
	if allowed == 0 || allowed == burstSize {
		return fmt.Errorf("%d of %d requests were allowed: the budget was not met", allowed, burstSize)
	}
	wait, err := d.refusal(refused)
	if err != nil {
		return err
	}
	return d.afterWait(ctx, wait, send)
}

// refusal prints the last refusal and returns how long it says to wait.
func (d *demo) refusal(a answer) (time.Duration, error) {
	d.printf("%s", d.style(dim, "the last refusal in full:"))
	for _, name := range names(a.header, "retry-after", "x-ratelimit", "x-should-retry") {
		d.printf("  %s: %s", name, a.header.Get(name))
	}
	d.printf("  %s", strings.TrimSpace(string(a.body)))
	var refusal struct {
		Error struct{ Message, Type, Code string }
	}
	if err := a.into(http.StatusTooManyRequests, &refusal); err != nil {
		return 0, err
	}
	if refusal.Error.Code != "rate_limit_exceeded" || refusal.Error.Type != "tokens" {
		return 0, fmt.Errorf("the refusal has the type %q and the code %q", refusal.Error.Type, refusal.Error.Code)
	}
	if a.header.Get("retry-after") == "" || len(names(a.header, "x-ratelimit")) == 0 {
		return 0, errors.New("the refusal does not say when to come back")
	}
	ms, err := strconv.Atoi(a.header.Get("retry-after-ms"))
	if err != nil {
		return 0, fmt.Errorf("the refusal's retry-after-ms: %w", err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// afterWait does as the refusal says: it waits, and asks again.
func (d *demo) afterWait(ctx context.Context, wait time.Duration, send func() (answer, error)) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	a, err := send()
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("after the %v that it was told to wait, the client was answered %d: %s", wait, a.status, a.body)
	}
	d.mark(true, "refused as OpenAI clients expect it, and let in after the %v that the answer named", wait)
	return nil
}

// names are the headers that start with one of the prefixes, sorted, in lower
// case.
func names(h http.Header, prefixes ...string) []string {
	var found []string
	for name := range h {
		name = strings.ToLower(name)
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// limits is one line of the headers that start with prefix.
func limits(h http.Header, prefix string) string {
	var parts []string
	for _, name := range names(h, prefix) {
		parts = append(parts, name+": "+h.Get(name))
	}
	return strings.Join(parts, "  ")
}
