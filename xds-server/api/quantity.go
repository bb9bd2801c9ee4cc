package api

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// WholeWeight is the weight of all versions of a split together: 100 percent
// in hundredths.
const WholeWeight = 10_000

// Weight is a share in hundredths of a percent.
type Weight struct{ hundredths uint32 }

// ParseNumber reads percent, 0 to 100 with at most two decimals.
func (w *Weight) ParseNumber(decimal string) error {
	value, err := fixedPoint(decimal, 2)
	if err != nil {
		return err
	}
	if value > WholeWeight {
		return fmt.Errorf("weight %s is above 100 percent", decimal)
	}
	w.hundredths = uint32(value)
	return nil
}

// Hundredths is the share in hundredths of a percent: 0 to WholeWeight.
func (w Weight) Hundredths() uint32 { return w.hundredths }

// String is the percent, as short as they can be written.
func (w Weight) String() string { return FormatHundredths(int64(w.hundredths)) }

// Fraction is a share from 0 to 1, kept in hundredths of a percent.
type Fraction struct{ hundredths uint32 }

// ParseNumber reads a number from 0 to 1 with at most four decimals.
func (f *Fraction) ParseNumber(decimal string) error {
	value, err := fixedPoint(decimal, 4)
	if err != nil {
		return err
	}
	if value > WholeWeight {
		return fmt.Errorf("weight %s is above 1: a rule's weight is a part of 1, such as 0.1", decimal)
	}
	f.hundredths = uint32(value)
	return nil
}

// Hundredths is the share in hundredths of a percent: 0 to WholeWeight.
func (f Fraction) Hundredths() uint32 { return f.hundredths }

// FormatHundredths writes hundredths as a decimal: 1250 is 12.5.
func FormatHundredths(value int64) string {
	text := fmt.Sprintf("%d.%02d", value/100, value%100)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// FormatThousandths writes thousandths as a decimal, as Decimal reads it: 1250 is
// 1.25.
func FormatThousandths(value int64) string {
	text := fmt.Sprintf("%d.%03d", value/1000, value%1000)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// Decimal is a number from 0 in thousandths, exactly as written.
type Decimal struct{ milli int64 }

// ParseNumber reads a number from 0 with at most three decimals.
func (d *Decimal) ParseNumber(decimal string) error {
	value, err := fixedPoint(decimal, 3)
	if err != nil {
		return err
	}
	d.milli = value
	return nil
}

// Milli is the number in thousandths.
func (d Decimal) Milli() int64 { return d.milli }

// maxWhole bounds the whole part of a number, so that products of two
// thousandths cannot overflow 64 bits.
const maxWhole = 1_000_000_000

// fixedPoint reads a plain decimal of at most places decimals as an integer
// scaled by 10^places. It never rounds.
func fixedPoint(decimal string, places int) (int64, error) {
	if strings.HasPrefix(decimal, "-") {
		return 0, fmt.Errorf("%s is negative", decimal)
	}
	whole, fraction, _ := strings.Cut(decimal, ".")
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > places {
		return 0, fmt.Errorf("%s has more than %d decimals", decimal, places)
	}
	value, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || value > maxWhole {
		return 0, fmt.Errorf("%s is above the limit of %d", decimal, maxWhole)
	}
	for i := range places {
		value *= 10
		if i < len(fraction) {
			value += int64(fraction[i] - '0')
		}
	}
	return value, nil
}

// Bytes is an amount of memory.
type Bytes struct{ count int64 }

var bytesSyntax = regexp.MustCompile(`^([0-9]{1,15})(KiB|MiB|GiB)?$`)

// ParseString reads a number with KiB, MiB or GiB.
func (b *Bytes) ParseString(text string) error {
	match := bytesSyntax.FindStringSubmatch(text)
	if match == nil {
		return fmt.Errorf("%q is not an amount of memory such as 64KiB or 1MiB", text)
	}
	shift := map[string]int{"": 0, "KiB": 10, "MiB": 20, "GiB": 30}[match[2]]
	count, err := strconv.ParseInt(match[1], 10, 64)
	if err != nil || count > math.MaxInt32>>shift {
		return fmt.Errorf("%q is above the limit of 2GiB", text)
	}
	b.count = count << shift
	return nil
}

// ParseNumber reads a number of bytes.
func (b *Bytes) ParseNumber(decimal string) error { return b.ParseString(decimal) }

// Count is the number of bytes.
func (b Bytes) Count() int64 { return b.count }

// Duration is a span of time from 0.
type Duration struct{ span time.Duration }

// maxDuration bounds all durations: more is a mistyped unit.
const maxDuration = 24 * time.Hour

// ParseString reads 0s, 250ms, 1m30s and so on.
func (d *Duration) ParseString(text string) error {
	span, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 250ms, 5s or 1m30s", text)
	}
	if span < 0 || span > maxDuration || span%time.Millisecond != 0 {
		return fmt.Errorf("%q is not a duration from 0s to 24h in whole milliseconds", text)
	}
	d.span = span
	return nil
}

// Span is the duration.
func (d Duration) Span() time.Duration { return d.span }
