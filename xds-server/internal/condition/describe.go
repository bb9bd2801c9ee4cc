package condition

import (
	"fmt"
	"strconv"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// String writes the test as a person reads it.
func (t *Test) String() string {
	switch t.Kind {
	case spec.TestHas:
		return "has(" + place(t.Attribute) + ")"
	case spec.TestEqual:
		return place(t.Attribute) + " == " + strconv.Quote(t.Text)
	case spec.TestPrefix:
		return fmt.Sprintf("startsWith(%s, %q)", place(t.Attribute), t.Text)
	case spec.TestInteger:
		return fmt.Sprintf("int(%s) in %s", place(t.Attribute), t.span())
	case spec.TestModulo:
		return fmt.Sprintf("int(%s) %% %d in %s", place(t.Attribute), t.Modulus, t.span())
	case spec.TestSlot:
		return fmt.Sprintf("hash(%s, %q) %% %d in %s", place(t.Attribute), t.Text, t.Modulus, t.span())
	case spec.TestMinute:
		return fmt.Sprintf("time(%q) in %s", offset(t.Modulus), t.span())
	case spec.TestWeekday:
		return fmt.Sprintf("weekday(%q) in %s", offset(t.Modulus), t.span())
	}
	return "now in " + t.span()
}

func place(a spec.Attribute) string {
	if a.Name == "" {
		return a.Source.String()
	}
	return fmt.Sprintf("%s(%q)", a.Source, a.Name)
}

// span is the range of a test; without a bound it is open.
func (t *Test) span() string {
	low, high := "", ""
	if t.Low > -spec.MaxTreeNumber {
		low = t.value(t.Low)
	}
	if t.High < spec.MaxTreeNumber {
		high = t.value(t.High)
	}
	return low + ".." + high
}

func (t *Test) value(n int64) string {
	switch t.Kind {
	case spec.TestMinute:
		return fmt.Sprintf("%02d:%02d", n/60, n%60)
	case spec.TestWeekday:
		return Weekdays[n]
	case spec.TestSecond:
		return time.Unix(n, 0).UTC().Format(time.RFC3339)
	}
	return strconv.FormatInt(n, 10)
}

func offset(minutes int32) string {
	return time.Unix(0, 0).In(time.FixedZone("", int(minutes)*60)).Format("Z07:00")
}
