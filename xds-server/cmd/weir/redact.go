package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/answer"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/findings"
)

// redactFlags are the flags of `weir redact`.
type redactFlags struct {
	kinds, mode, key string
	threshold        int
	stream, lines    bool
	text, explain    bool
}

// runRedact is `weir redact FILE`: what the filter does with the strings of a body is
// done with a file or a pipe.
func runRedact(_ context.Context, i *invocation) error {
	var f redactFlags
	i.flags.StringVar(&f.kinds, "kinds", "", "`kinds` to look for, with commas between (default: all)")
	i.flags.StringVar(&f.mode, "mode", "mask", "what replaces them: a `mode` of a RedactionPolicy, but token")
	i.flags.StringVar(&f.key, "key", "", "`file` with the key of the modes hmac and format (default: a random one)")
	i.flags.IntVar(&f.threshold, "threshold", spec.DefaultThreshold, "`percent` that a match must score")
	i.flags.BoolVar(&f.stream, "stream", false, "read server-sent events, and join the texts that come in pieces")
	i.flags.BoolVar(&f.lines, "lines", false, "read a JSON value a line")
	i.flags.BoolVar(&f.text, "text", false, "read text, even if it begins like JSON")
	i.flags.BoolVar(&f.explain, "explain", false, "say on standard error what was found, and where; never the value")
	words, err := i.words()
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usagef("weir redact: name one file; - is the standard input")
	}
	redaction, err := f.redaction()
	if err != nil {
		return err
	}
	return f.run(i, words[0], redaction)
}

// redaction is what the flags ask for.
func (f *redactFlags) redaction() (*spec.Redaction, error) {
	if f.threshold < 1 || f.threshold > 100 {
		return nil, usagef("weir redact: --threshold %d is no percentage from 1 to 100", f.threshold)
	}
	mode, err := spec.ParseRedactionMode(f.mode)
	if err != nil {
		return nil, usagef("weir redact: --mode: %w", err)
	}
	if mode == spec.RedactToken {
		return nil, usagef("weir redact: --mode token: it is for requests, whose answers get the values back; here hmac has the same code for the same value")
	}
	redaction := &spec.Redaction{Threshold: uint8(f.threshold)}
	add := func(k spec.EntityKind) {
		redaction.Entities = append(redaction.Entities, spec.Entity{Kind: k, Mode: mode})
	}
	if f.kinds == "" {
		for k := range spec.EntityKinds {
			add(spec.EntityKind(k))
		}
		return redaction, nil
	}
	for name := range strings.SplitSeq(f.kinds, ",") {
		kind, err := spec.ParseEntityKind(strings.TrimSpace(name))
		if err != nil {
			return nil, usagef("weir redact: --kinds: %w", err)
		}
		add(kind)
	}
	return redaction, nil
}

func (f *redactFlags) run(i *invocation, path string, redaction *spec.Redaction) error {
	in, name, err := openInput(path, i.stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	var keys redact.Keys
	if err := f.setKeys(&keys); err != nil {
		return err
	}
	r := &rewriting{keys: &keys}
	head := make([]byte, pieceSize)
	n, err := io.ReadFull(in, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read %s: %w", name, err)
	}
	format := f.format(head[:n])
	var source io.Reader = io.MultiReader(strings.NewReader(string(head[:n])), in)
	var whole strings.Builder
	if f.explain && format != answer.Events {
		source = io.TeeReader(source, &whole)
	}
	if err := r.rewrite(redaction, format, source, i.stdout); err != nil {
		return fmt.Errorf("redact %s: %w", name, err)
	}
	if !f.explain {
		return nil
	}
	if format == answer.Events { // what is held back moves, so that places mean nothing
		return r.count(i.stderr, redaction)
	}
	return r.explain(i.stderr, redaction, format, whole.String())
}

// pieceSize is how much is read at once.
const pieceSize = 64 << 10

func openInput(path string, stdin io.Reader) (io.ReadCloser, string, error) {
	if path == "-" {
		return io.NopCloser(stdin), "the standard input", nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("open what is to be redacted: %w", err)
	}
	return file, path, nil
}

func (f *redactFlags) setKeys(keys *redact.Keys) error {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails
	keys.Seed(&seed)
	if f.key == "" {
		return nil
	}
	secret, err := os.ReadFile(f.key)
	if err != nil {
		return fmt.Errorf("read the key: %w", err)
	}
	if len(secret) < 16 || len(secret) > 64 {
		return fmt.Errorf("the key in %s has %d bytes; it needs 16 to 64", f.key, len(secret))
	}
	keys.Set(secret)
	return nil
}

// format is how the input is read, by the flags or else by how it begins.
func (f *redactFlags) format(head []byte) answer.Format {
	begin := strings.TrimLeft(strings.TrimPrefix(string(head), "\ufeff"), " \t\r\n")
	switch {
	case f.stream:
		return answer.Events
	case f.lines:
		return answer.Lines
	case !f.text && (strings.HasPrefix(begin, "data:") || strings.HasPrefix(begin, "event:")):
		return answer.Events
	case !f.text && (strings.HasPrefix(begin, "{") || strings.HasPrefix(begin, "[")):
		return answer.JSON
	}
	return answer.Text
}

// rewriting is one run of the filter's rewriter.
type rewriting struct {
	keys    *redact.Keys
	session redact.Session
	out     io.Writer
	err     error
}

// Write is part of redact.Output.
func (r *rewriting) Write(p []byte) error {
	if r.err == nil {
		_, r.err = r.out.Write(p)
	}
	return r.err
}

// Errors of an input.
var (
	errUnreadable = errors.New("it is not what it was read as (JSON, or events with JSON) or not UTF-8; what was written so far is redacted, nothing of the rest was written; " +
		"--lines reads a JSON value a line, --text anything as text")
	errNotUTF8 = errors.New("it is no text in UTF-8; what was written so far is redacted, nothing of the rest was written; convert it first, as with iconv -t UTF-8")
	errCrowded = errors.New("more texts come in pieces at one time than can be told apart")
	errBlocked = errors.New("there is a value that may not pass at all (mode block)")
)

// rewrite reads one value, text or stream after the other: with lines, one a line.
func (r *rewriting) rewrite(redaction *spec.Redaction, format answer.Format, from io.Reader, to io.Writer) error {
	r.out = to
	r.session.Reset(r.keys, false)
	var w answer.Rewriter
	w.Bind(hold.NewPool(1 << 20))
	o := answer.Options{Desk: &answer.Desk{}, Format: format, Rules: redact.Compile(redaction, spec.DirectionRequest), Session: &r.session, Identifiers: true}
	if format != answer.Lines {
		w.Reset(&o)
		return r.copy(&w, format, from)
	}
	o.Format = answer.JSON
	lines := bufio.NewReaderSize(from, pieceSize)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			w.Reset(&o)
			if err := r.copy(&w, o.Format, bytes.NewReader(line)); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		} else if r.Write(line) != nil {
			return r.err
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// copy sends everything through the rewriter. Text must be UTF-8, which the rewriter
// leaves to others to look at: in another encoding it would find nothing.
func (r *rewriting) copy(w *answer.Rewriter, format answer.Format, from io.Reader) error {
	piece, kept := make([]byte, pieceSize), 0
	for {
		n, err := from.Read(piece[kept:])
		n += kept
		whole := n
		if format == answer.Text {
			if whole -= cutRune(piece[:n]); !utf8.Valid(piece[:whole]) {
				return errNotUTF8
			}
		}
		w.Write(piece[:whole], r)
		kept = copy(piece, piece[whole:n])
		if errors.Is(err, io.EOF) && kept > 0 {
			return errNotUTF8
		} else if errors.Is(err, io.EOF) {
			break
		}
		if err = errors.Join(err, r.err, problem(w.Problem())); err != nil {
			return err
		}
	}
	w.End(r)
	if r.session.Blocked() {
		return errBlocked
	}
	return errors.Join(r.err, problem(w.Problem()))
}

// cutRune returns how many bytes at the end of p begin a character that goes on behind it.
func cutRune(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if c := p[len(p)-n:]; utf8.RuneStart(c[0]) {
			if utf8.FullRune(c) {
				return 0
			}
			return n
		}
	}
	return 0
}

func problem(p answer.Problem) error {
	switch p {
	case answer.None:
		return nil
	case answer.Crowded:
		return errCrowded
	case answer.Blocked:
		return errBlocked
	}
	return errUnreadable
}

// count says how many values of each kind there were.
func (r *rewriting) count(to io.Writer, redaction *spec.Redaction) error {
	for _, e := range redaction.Entities {
		if n := r.session.Count(spec.DirectionRequest, e.Kind); n > 0 {
			if _, err := fmt.Fprintf(to, "%d %s: %s\n", n, e.Kind, e.Mode); err != nil {
				return fmt.Errorf("write the explanation: %w", err)
			}
		}
	}
	return nil
}

// explain says where values were. It reads the whole again, with tags for values.
func (r *rewriting) explain(to io.Writer, redaction *spec.Redaction, format answer.Format, whole string) error {
	tagging := *redaction
	tagging.Entities = slices.Clone(redaction.Entities)
	for k := range tagging.Entities {
		tagging.Entities[k].Mode = spec.RedactTag
	}
	var tagged strings.Builder
	plain := findings.Plain(whole)
	if err := r.rewrite(&tagging, format, strings.NewReader(plain), &tagged); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	line, begin := 1, 0
	for _, found := range findings.Between(plain, tagged.String()) {
		line += strings.Count(whole[begin:found.From], "\n")
		if feed := strings.LastIndexByte(whole[:found.From], '\n'); feed >= begin {
			begin = feed + 1
		}
		mode := redaction.Entities[slices.IndexFunc(redaction.Entities, func(e spec.Entity) bool { return e.Kind == found.Kind })].Mode
		if _, err := fmt.Fprintf(to, "line %d, byte %d: %s of %d bytes: %s\n", line, found.From-begin+1, found.Kind, found.To-found.From, mode); err != nil {
			return fmt.Errorf("write the explanation: %w", err)
		}
	}
	return nil
}
