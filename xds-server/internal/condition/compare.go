package condition

import (
	"math"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// mirrored are the comparisons read from right to left.
var mirrored = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// compare makes a test of a comparison. One side is of the request, the other a
// literal; two literals fold into a constant.
func (p *parser) compare(left term, op token, right term) (Expr, error) {
	if err := p.count(op.at); err != nil {
		return nil, err
	}
	literal := func(t term) bool { return t.kind == termString || t.kind == termNumber }
	switch {
	case left.kind == termBool || right.kind == termBool:
		return nil, p.fail(op.at, "%s is not compared: write it alone, or with !", termBool)
	case literal(left) && literal(right):
		return p.fold(left, op, right)
	case literal(left):
		left, right = right, left
		op.text = mirrored[op.text]
	case !literal(right):
		return nil, p.fail(op.at, "one side must be a string or a number")
	}
	if op.text == "!=" {
		op.text = "=="
		x, err := p.against(left, op, right)
		if err != nil {
			return nil, err
		}
		return negate(x), nil
	}
	return p.against(left, op, right)
}

// against compares what the request says with a literal.
func (p *parser) against(left term, op token, right term) (Expr, error) {
	test := left.test
	switch {
	case left.kind == termClock && right.kind == termString:
		n, problem := parseClock(test.Kind, right.text)
		if problem != "" {
			return nil, p.fail(right.at, "%q is no %s", right.text, problem)
		}
		return span(test, op.text, n, clockRange(test.Kind)), nil
	case left.kind == termAmbiguous && right.kind == termNumber:
		test.Kind = spec.TestInteger
		return span(test, op.text, right.number, everything), nil
	case left.kind == termInteger && right.kind == termNumber:
		return p.number(left, op, right)
	case (left.kind == termText || left.kind == termAmbiguous) && right.kind == termString:
		if op.text != "==" {
			return nil, p.fail(op.at, "texts have no order: write == or !=, or int(...) for a number")
		}
		if right.text == "" {
			return nil, p.fail(right.at, "an empty text is the same as none: write has(...) or !has(...)")
		}
		if len(right.text) > spec.MaxValueBytes {
			return nil, p.fail(right.at, "the text has more than %d bytes", spec.MaxValueBytes)
		}
		test.Kind, test.Text = spec.TestEqual, right.text
		return &test, nil
	}
	hint := ""
	if left.kind == termText && right.kind == termNumber {
		hint = ": write int(...) for the number that it is, or % N for its slot"
	}
	return nil, p.fail(op.at, "%s is compared with %s%s", left.kind, right.kind, hint)
}

func (p *parser) number(left term, op token, right term) (Expr, error) {
	test := left.test
	switch test.Kind {
	case spec.TestSlot, spec.TestModulo:
		if test.Modulus == 0 {
			return nil, p.fail(left.at, "a hash is used with %% N only")
		}
		x := span(test, op.text, right.number, [2]int64{0, int64(test.Modulus) - 1})
		if all, isTest := x.(*Test); isTest && left.whole && all.Low == 0 && all.High == int64(test.Modulus)-1 {
			return Constant(true), nil // every request has a slot
		}
		return x, nil
	}
	return span(test, op.text, right.number, everything), nil
}

var everything = [2]int64{-spec.MaxTreeNumber, spec.MaxTreeNumber}

// span makes a test of a range out of a comparison, within the range that the value
// can have; one that no value can meet is false.
func span(test Test, op string, n int64, within [2]int64) Expr {
	low, high := within[0], within[1]
	switch op {
	case "==":
		low, high = max(low, n), min(high, n)
	case "<":
		high = min(high, n-1)
	case "<=":
		high = min(high, n)
	case ">":
		low = max(low, n+1)
	case ">=":
		low = max(low, n)
	}
	if low > high {
		return Constant(false)
	}
	test.Low, test.High = low, high
	if test.Kind >= spec.TestSecond && low == within[0] && high == within[1] {
		return Constant(true)
	}
	return &test
}

func (p *parser) fold(left term, op token, right term) (Expr, error) {
	if left.kind != right.kind {
		return nil, p.fail(op.at, "%s is compared with %s", left.kind, right.kind)
	}
	equal, less := left.number == right.number, left.number < right.number
	if left.kind == termString {
		if op.text != "==" && op.text != "!=" {
			return nil, p.fail(op.at, "texts have no order: write == or !=")
		}
		equal = left.text == right.text
	}
	return Constant(map[string]bool{
		"==": equal, "!=": !equal, "<": less, "<=": less || equal, ">": !less && !equal, ">=": !less,
	}[op.text]), nil
}

// Weekdays are the names of the days, Sunday first.
var Weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

const minutesOfDay = 24 * 60

func clockRange(kind spec.TreeTest) [2]int64 {
	switch kind {
	case spec.TestMinute:
		return [2]int64{0, minutesOfDay - 1}
	case spec.TestWeekday:
		return [2]int64{0, int64(len(Weekdays)) - 1}
	}
	return everything
}

func parseClock(kind spec.TreeTest, text string) (n int64, problem string) {
	switch kind {
	case spec.TestMinute:
		if n, ok := ParseMinute(text); ok {
			return n, ""
		}
		return 0, "time of day such as 09:30"
	case spec.TestWeekday:
		for i, day := range Weekdays {
			if day == text {
				return int64(i), ""
			}
		}
		return 0, "weekday: there are sun, mon, tue, wed, thu, fri, sat"
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, "date and time such as 2026-11-01T00:00:00Z"
	}
	return at.Unix(), ""
}

// ParseMinute reads a time of day, 00:00 to 24:00, as minutes since midnight.
func ParseMinute(text string) (int64, bool) {
	if text == "24:00" {
		return minutesOfDay, true
	}
	at, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, false
	}
	return int64(at.Hour()*60 + at.Minute()), true
}

// ParseOffset reads an offset from UTC, such as +08:00, Z or -05:30, in minutes.
func ParseOffset(text string) (int32, bool) {
	at, err := time.Parse("Z07:00", text)
	if err != nil {
		return 0, false
	}
	_, seconds := at.Zone()
	if math.Abs(float64(seconds)) >= minutesOfDay*60 {
		return 0, false
	}
	return int32(seconds / 60), true
}
