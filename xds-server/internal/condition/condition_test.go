package condition_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/condition"
)

// text writes a condition in a form of its own, with every test spelled out.
func text(x condition.Expr) string {
	switch x := x.(type) {
	case condition.Constant:
		return fmt.Sprint(bool(x))
	case *condition.Not:
		return "!" + text(x.X)
	case *condition.And:
		return "(" + text(x.X) + " & " + text(x.Y) + ")"
	case *condition.Or:
		return "(" + text(x.X) + " | " + text(x.Y) + ")"
	case *condition.Test:
		return x.String()
	}
	return "?"
}

func TestParse(t *testing.T) {
	for source, want := range map[string]string{
		`user.id % 100 < 10`:                             `hash(user, "salt") % 100 in 0..9`,
		`10 > user % 100`:                                `hash(user, "salt") % 100 in 0..9`,
		`hash(user) % 100 >= 90`:                         `hash(user, "salt") % 100 in 90..99`,
		`hash(header("X-Session"), "e1") % 4 == 2`:       `hash(header("x-session"), "e1") % 4 in 2..2`,
		`user % 100 < 0`:                                 `false`,
		`user % 100 < 100`:                               `true`,
		`user % 100 >= 0 && tenant == "a"`:               `tenant == "a"`,
		`tenant % 100 < 100`:                             `hash(tenant, "salt") % 100 in 0..99`,
		`int(query("n")) % 4 != 1`:                       `!int(query("n")) % 4 in 1..1`,
		`int(header("x-n")) < -5`:                        `int(header("x-n")) in ..-6`,
		`metadata.tier == 'gold'`:                        `metadata("tier") == "gold"`,
		`metadata("a b") > 7`:                            `int(metadata("a b")) in 8..`,
		`metadata.shard % 10 == 3`:                       `hash(metadata("shard"), "salt") % 10 in 3..3`,
		`colour == "blue" || colour("lane") == "a"`:      `(colour("colour") == "blue" | colour("lane") == "a")`,
		`variant in ["cuda118", "cpu"]`:                  `(header("x-model-profile") == "cuda118" | header("x-model-profile") == "cpu")`,
		`!has(baggage("lab")) && peer != "spiffe://a/b"`: `(!has(baggage("lab")) & !peer == "spiffe://a/b")`,
		`startsWith(user, "test-")`:                      `startsWith(user, "test-")`,
		`startsWith(user, "")`:                           `has(user)`,
		`time >= "09:30" && time < "18:00"`:              `(time("Z") in 09:30..23:59 & time("Z") in 00:00..17:59)`,
		`time("+08:00") < "24:00"`:                       `true`,
		`weekday("-05:30") in ["sat", "sun"]`:            `(weekday("-05:30") in sat..sat | weekday("-05:30") in sun..sun)`,
		`now >= "2026-11-01T00:00:00Z"`:                  `now in 2026-11-01T00:00:00Z..`,
		`1 < 2 && "a" != "b" && !(3 == 4)`:               `true`,
		`false || !!(tenant == "a")`:                     `tenant == "a"`,
		`tenant == "a" && false`:                         `false`,
		`tenant == "a\"\\\'"`:                            `tenant == "a\"\\'"`,
		`claim("org.team") in ["a"]`:                     `claim("org.team") == "a"`,
		`7 % 4 == 3`:                                     `true`,
	} {
		x, err := condition.Parse(source, "salt")
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := text(x); got != want {
			t.Errorf("%s is %s, want %s", source, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for source, want := range map[string]string{
		``:                               `column 1: the condition ends where a term is needed`,
		`user`:                           `column 1: a text of the request is no condition: compare it with something`,
		`user.name == "x"`:               `column 6: "name" stands where id is needed`,
		`usr == "x"`:                     `column 1: "usr" is no term: there are`,
		`tenants == "x"`:                 `column 1: "tenants" is no term: did you mean tenant?`,
		`user = "x"`:                     `column 6: = is no operator: write == to compare`,
		`user == "x" & true`:             `column 13: & is no operator: write &&`,
		`user == "x`:                     `column 9: the string does not end`,
		`user == "x\n"`:                  `column 11: a backslash stands before`,
		`user == 5`:                      `column 6: a text of the request is compared with a number: write int(...) for the number that it is, or % N for its slot`,
		`user < "b"`:                     `column 6: texts have no order`,
		`user == ""`:                     `column 9: an empty text is the same as none: write has(...) or !has(...)`,
		`user % 0 == 1`:                  `column 8: a number from 1 to 1000000 is needed behind %`,
		`user % 2000000 == 1`:            `column 8: a number from 1 to 1000000`,
		`hash(user) < 5`:                 `column 1: a hash is used with % N only`,
		`user % 100 == "a"`:              `column 12: a number of the request is compared with a string`,
		`user == tenant`:                 `column 6: one side must be a string or a number`,
		`has(user) == true`:              `column 11: a condition is not compared`,
		`has("x")`:                       `column 5: has needs a text of the request, not a string`,
		`header("x-weir-model") == "a"`:  `column 7: it is no name of a header that clients may send`,
		`header("a b") == "a"`:           `column 7: it is no name of a header`,
		`header(x) == "a"`:               `column 8: "x" stands where a name in quotes is needed`,
		`header("") == "a"`:              `column 7: a name has 1 to 128 bytes`,
		`claim("a..b") == "x"`:           `column 6: a claim is a path of names`,
		`metadata == "a"`:                `column 10: "==" stands where ( is needed`,
		`time == "25:00"`:                `column 9: "25:00" is no time of day such as 09:30`,
		`weekday == "someday"`:           `column 12: "someday" is no weekday`,
		`now < "yesterday"`:              `column 7: "yesterday" is no date and time`,
		`time("east") < "10:00"`:         `column 5: "east" is no offset from UTC`,
		`(user == "a"`:                   `column 13: the condition ends where ) is needed`,
		`user == "a" user`:               `column 13: "user" stands where &&, || or the end is needed`,
		`user in []`:                     `column 10: "]" stands where a term is needed`,
		`user in ["a"`:                   `column 13: the condition ends where ] is needed`,
		`1.5 < 2`:                        `column 1: numbers are whole`,
		`99999999999999999999 > 1`:       `column 1: "99999999999999999999" is no whole number that fits`,
		`"中" == user && #`:               `column 16: '#' means nothing here`,
		`"a" == 1`:                       `column 5: a string is compared with a number`,
		`startsWith(user)`:               `column 16: ")" stands where a comma and the text that it starts with is needed`,
		strings.Repeat("(", 40) + `true`: `nests deeper than 32 levels`,
		strings.Repeat(" ", 5000):        `column 1: a condition has at most 4096 bytes`,
		strings.Repeat(`tenant=="a"||`, 300) + "true": `the condition has more than 256 tests`,
	} {
		_, err := condition.Parse(source, "")
		var located *condition.Error
		if !errors.As(err, &located) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", source, err, want)
		}
	}
}

func TestParseText(t *testing.T) {
	at, err := condition.ParseText(`header("X-Session")`)
	if want := (spec.Attribute{Source: spec.FromHeader, Name: "x-session"}); err != nil || at != want {
		t.Errorf("%+v, %v", at, err)
	}
	for _, source := range []string{`user % 5`, `user == "a"`, `"a"`, `metadata.x`, ``} {
		if _, err := condition.ParseText(source); err == nil {
			t.Errorf("%s: no error", source)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`user.id % 100 < 10 && (header("x-beta") == "1" || metadata.tier in ["gold", 'silver'])`,
		`!has(query("a")) || time("+08:00") >= "09:00" && weekday != "sun"`, `int(header("x")) % 5 <= -3`, `((((`, `"\`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		x, err := condition.Parse(source, "salt")
		if err != nil {
			var located *condition.Error
			if !errors.As(err, &located) || located.Column < 1 || located.Column > utf8.RuneCountInString(source)+1 {
				t.Fatalf("%q: %v", source, err)
			}
			return
		}
		bounded(t, x)
	})
}

// bounded checks that a condition holds only what the filter takes.
func bounded(t *testing.T, x condition.Expr) {
	t.Helper()
	switch x := x.(type) {
	case *condition.Not:
		bounded(t, x.X)
	case *condition.And:
		bounded(t, x.X)
		bounded(t, x.Y)
	case *condition.Or:
		bounded(t, x.X)
		bounded(t, x.Y)
	case *condition.Test:
		if x.Low > x.High || x.Low < -spec.MaxTreeNumber || x.High > spec.MaxTreeNumber || len(x.Text) > spec.MaxValueBytes || x.Kind > spec.TestWeekday {
			t.Errorf("test %+v", x)
		}
	case condition.Constant:
	default:
		t.Errorf("%T", x)
	}
}
