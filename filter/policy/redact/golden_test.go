package redact_test

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

var update = flag.Bool("update", false, "write the golden files")

// golden is one case of a file in testdata.
type golden struct {
	in, mask, tag string
	found         bool // "yes"
}

func readGolden(t testing.TB, file string) (cases []golden, head string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, text, _ := strings.Cut(lines.Text(), " ")
		text = strings.TrimPrefix(text, strings.Repeat(" ", 4-len(key)))
		switch key {
		case "#":
			head += lines.Text() + "\n"
		case "yes", "no":
			cases = append(cases, golden{in: text, found: key == "yes"})
		case "mask":
			cases[len(cases)-1].mask = text
		case "tag":
			cases[len(cases)-1].tag = text
		default:
			t.Fatalf("%s: a line begins with %q", file, key)
		}
	}
	return cases, head
}

func writeGolden(t *testing.T, file, head string, cases []golden) {
	t.Helper()
	var b strings.Builder
	b.WriteString(head)
	for _, c := range cases {
		if c.found {
			fmt.Fprintf(&b, "yes  %s\nmask %s\ntag  %s\n", c.in, c.mask, c.tag)
		} else {
			fmt.Fprintf(&b, "no   %s\n", c.in)
		}
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// goldenKind is the entity that a file is about; mixed.txt is about all.
var goldenKind = map[string]spec.EntityKind{
	"phone.txt": spec.EntityPhone, "email.txt": spec.EntityEmail,
	"resident_id.txt": spec.EntityResidentID, "bank_card.txt": spec.EntityBankCard,
	"landline.txt": spec.EntityLandline, "phone_us.txt": spec.EntityPhoneUS,
	"phone_intl.txt": spec.EntityPhoneIntl, "passport.txt": spec.EntityPassport,
	"permit.txt": spec.EntityPermit, "plate.txt": spec.EntityPlate,
	"uscc.txt": spec.EntityUSCC, "hk_id.txt": spec.EntityHKID,
	"tw_id.txt": spec.EntityTWID, "macau_id.txt": spec.EntityMacauID, "ssn.txt": spec.EntitySSN,
	"iban.txt": spec.EntityIBAN, "ip.txt": spec.EntityIP,
	"mac.txt": spec.EntityMAC, "imei.txt": spec.EntityIMEI,
	"vin.txt": spec.EntityVIN, "aws_key.txt": spec.EntityAWSKey,
	"github_token.txt": spec.EntityGitHubToken, "slack_token.txt": spec.EntitySlackToken,
	"openai_key.txt": spec.EntityOpenAIKey, "google_key.txt": spec.EntityGoogleKey,
	"jwt.txt": spec.EntityJWT, "private_key.txt": spec.EntityPrivateKey,
	"bearer.txt": spec.EntityBearer, "url_password.txt": spec.EntityURLPassword,
}

func goldenFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) != len(goldenKind)+1 {
		t.Fatalf("golden files: %v %v", files, err)
	}
	return files
}

func TestGolden(t *testing.T) {
	for _, file := range goldenFiles(t) {
		kind, one := goldenKind[filepath.Base(file)]
		cases, head := readGolden(t, file)
		for i := range cases {
			c := &cases[i]
			mask, n := apply(t, maskAll, c.in)
			tag, m := apply(t, tagAll, c.in)
			switch {
			case !c.found && (mask != c.in || tag != c.in):
				t.Errorf("%s: %q was redacted: %q, %q", file, c.in, mask, tag)
			case c.found && (n == counts{} || one && n[kind] == 0 || one && m[kind] == 0):
				t.Errorf("%s: %q was not found: %q, %v, %v", file, c.in, mask, n, m)
			}
			if *update {
				c.mask, c.tag = mask, tag
			} else if c.found && (mask != c.mask || tag != c.tag) {
				t.Errorf("%s: %q:\n got  %q\n      %q\n want %q\n      %q", file, c.in, mask, tag, c.mask, c.tag)
			}
		}
		if *update {
			writeGolden(t, file, head, cases)
		}
	}
}

// Every case, with all of them in one string as well, in all kinds of chunks.
func TestGoldenInChunks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, file := range goldenFiles(t) {
		cases, _ := readGolden(t, file)
		var whole strings.Builder
		for _, c := range cases {
			whole.WriteString(c.in + []string{" ", "，", `\n`, `\u4f60`, "-", ""}[rng.IntN(6)])
		}
		for _, c := range append(cases, golden{in: whole.String()}) {
			for _, r := range []*redact.Rules{maskAll, tagAll, everything} {
				want, n := apply(t, r, c.in)
				for _, sizes := range [][]int{{1}, {2}, {3}, {5}, {7}, {16}, {1, 31}, {64, 1}, {1 + rng.IntN(40), 1 + rng.IntN(9)}} {
					if got, m := apply(t, r, c.in, sizes...); got != want || m != n {
						t.Errorf("%s in %v:\n got  %q %v\n want %q %v", file, sizes, got, m, want, n)
					}
				}
			}
		}
	}
}

func TestGoldenStaysJSON(t *testing.T) {
	for _, file := range goldenFiles(t) {
		cases, _ := readGolden(t, file)
		for _, c := range cases {
			if c.found && validJSON(c.in) && (!validJSON(c.mask) || !validJSON(c.tag)) {
				t.Errorf("%s: %q became invalid: %q, %q", file, c.in, c.mask, c.tag)
			}
		}
	}
}

// maxMatchRaw is how many raw bytes a value may take.
const maxMatchRaw = 384

// A spelling changes nothing about what is found. respell spells one character.
func TestSpellings(t *testing.T) {
	for name, respell := range map[string]func(r rune) string{
		"escaped": func(r rune) string {
			if r > 0xFFFF {
				return string(r)
			}
			return fmt.Sprintf(`\u%04x`, r)
		},
		"ESCAPED": func(r rune) string {
			if r > 0xFFFF {
				return string(r)
			}
			return fmt.Sprintf(`\u%04X`, r)
		},
		"zero width":         func(r rune) string { return string(r) + "\u200b" },
		"zero width escaped": func(r rune) string { return string(r) + `\u200d\ufeff` },
		"soft hyphen":        func(r rune) string { return string(r) + "\u00ad" },
		"full width": func(r rune) string {
			if r > ' ' && r < 0x7F {
				return string(r + 0xFEE0)
			}
			return string(r)
		},
	} {
		for file := range goldenKind {
			cases, _ := readGolden(t, "testdata/"+file)
			for _, c := range cases {
				if strings.Contains(c.in, `\`) || strings.Contains(c.in, "%") {
					continue // spelled already
				}
				var in strings.Builder
				for _, r := range c.in {
					in.WriteString(respell(r))
				}
				if len(in.String()) > maxMatchRaw {
					continue // more than is held for one value
				}
				_, want := apply(t, tagAll, c.in)
				got, n := apply(t, tagAll, in.String())
				if n != want {
					t.Errorf("%s: %q: found %v, want %v: %q", name, c.in, n, want, got)
				}
				if name == "escaped" && c.found && unescape(t, got) != c.tag {
					t.Errorf("%s: %q: %q, want %q", name, c.in, got, c.tag)
				}
			}
		}
	}
}
