package routetree

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/condition"
)

// timeWindow decides for a version in a span of time.
type timeWindow struct{}

const minutesOfDay = 24 * 60

func (timeWindow) Build(b *Builder, c *api.TimeWindowStrategy) Target {
	yes := b.decide("version", c.Version)
	daily, ok := b.daily(c)
	after, ok1 := b.date("after", c.After, -spec.MaxTreeNumber)
	before, ok2 := b.date("before", c.Before, spec.MaxTreeNumber+1)
	if !ok || !ok1 || !ok2 {
		return b.next
	}
	switch {
	case c.From == nil && c.To == nil && len(c.Days) == 0 && c.After == nil && c.Before == nil:
		b.problem("", "the window is all of time", "give it from and to, days, after or before")
	case after >= before:
		b.problem("before", "the window ends before it begins", "")
	}
	x := daily
	if c.After != nil || c.Before != nil {
		x = condition.Both(clock(spec.TestSecond, 0, after, before-1), x)
	}
	return b.If(x, yes, b.next)
}

func clock(kind spec.TreeTest, offset int32, low, high int64) condition.Expr {
	if low > high {
		return condition.Constant(false)
	}
	return &condition.Test{Kind: kind, Modulus: offset, Low: low, High: high}
}

// daily is the window of each day. The part of it that lies behind midnight belongs
// to the day before.
func (b *Builder) daily(c *api.TimeWindowStrategy) (condition.Expr, bool) {
	from, ok1 := b.minute("from", c.From, 0)
	to, ok2 := b.minute("to", c.To, minutesOfDay)
	offset, ok3 := int32(0), true
	if c.Offset != nil {
		if offset, ok3 = condition.ParseOffset(*c.Offset); !ok3 {
			b.problem("offset", fmt.Sprintf("%q is no offset from UTC such as +08:00", *c.Offset), "")
		}
	}
	days, ok4 := b.days(c.Days)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return nil, false
	}
	if from == to {
		b.problem("to", "the window ends when it begins", "leave both out for the whole day")
		return nil, false
	}
	on := func(days []int64) condition.Expr {
		var x condition.Expr = condition.Constant(len(days) == len(condition.Weekdays))
		for _, day := range days {
			x = condition.Either(x, clock(spec.TestWeekday, offset, day, day))
		}
		return x
	}
	if from < to {
		var x condition.Expr = condition.Constant(true)
		if from > 0 || to < minutesOfDay {
			x = clock(spec.TestMinute, offset, from, to-1)
		}
		return condition.Both(x, on(days)), true
	}
	var morrows []int64
	for _, day := range days {
		morrows = append(morrows, (day+1)%int64(len(condition.Weekdays)))
	}
	return condition.Either(condition.Both(clock(spec.TestMinute, offset, from, minutesOfDay-1), on(days)),
		condition.Both(clock(spec.TestMinute, offset, 0, to-1), on(morrows))), true
}

func (b *Builder) minute(field string, text *string, absent int64) (int64, bool) {
	if text == nil {
		return absent, true
	}
	n, ok := condition.ParseMinute(*text)
	if !ok {
		b.problem(field, fmt.Sprintf("%q is no time of day such as 09:30", *text), "")
	}
	return n, ok
}

// days are the numbers of weekdays; none stands for all.
func (b *Builder) days(names []string) (days []int64, ok bool) {
	ok = true
	for i, name := range names {
		day := int64(slices.Index(condition.Weekdays, name))
		field := fmt.Sprintf("days[%d]", i)
		switch {
		case day < 0:
			b.problem(field, fmt.Sprintf("%q is no weekday: use %s", name, strings.Join(condition.Weekdays, ", ")), "")
			ok = false
		case slices.Contains(days, day):
			b.problem(field, "the day is listed twice", "remove one of the two")
			ok = false
		}
		days = append(days, day)
	}
	if len(names) == 0 {
		for day := range condition.Weekdays {
			days = append(days, int64(day))
		}
	}
	return days, ok
}

func (b *Builder) date(field string, text *string, absent int64) (int64, bool) {
	if text == nil {
		return absent, true
	}
	at, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		b.problem(field, fmt.Sprintf("%q is no date and time such as 2026-11-01T00:00:00Z", *text), "")
		return 0, false
	}
	return at.Unix(), true
}
