package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var errDuration = errors.New("must be a duration such as 500ms, 30s, 5m, 1h30m, 2d or 1w")

// ParseDuration reads a duration as a configuration has it: 500ms, 1h30m, 400d, 2w. It is never negative. The error says
// what the text must be.
func ParseDuration(text string) (time.Duration, error) { return parseDuration(trimmed(text)) }

// FormatDuration returns a duration as a person writes it into a configuration: 400d, 1h30m.
func FormatDuration(d time.Duration) string { return spell(d) }

// parseDuration reads a duration as package time writes it (1h30m, 1.5s), with days (d) and weeks (w) too, and without a
// sign.
func parseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	if text == "" {
		return 0, errDuration
	}
	var total float64
	for text != "" {
		digits := number(text)
		letters := strings.IndexAny(text[len(digits):]+"0", "0123456789.")
		unit := durationUnit(text[len(digits) : len(digits)+letters])
		if digits == "" || unit == 0 {
			return 0, errDuration
		}
		amount, err := strconv.ParseFloat(digits, 64)
		if err != nil {
			return 0, errDuration
		}
		total += amount * float64(unit)
		text = text[len(digits)+letters:]
	}
	// A duration has 63 bits: 292 years.
	if total >= math.MaxInt64 {
		return 0, errors.New("is longer than 292 years")
	}
	return time.Duration(math.Round(total)), nil
}

func durationUnit(unit string) time.Duration {
	switch unit {
	case "ns":
		return time.Nanosecond
	case "us", "µs", "μs": // U+00B5 and U+03BC, as package time has it
		return time.Microsecond
	case "ms":
		return time.Millisecond
	case "s":
		return time.Second
	case "m":
		return time.Minute
	case "h":
		return time.Hour
	case "d":
		return 24 * time.Hour
	case "w":
		return 7 * 24 * time.Hour
	}
	return 0
}

// number returns the decimal number that text begins with, such as 12 or 1.5; empty where it begins with none.
func number(text string) string {
	whole := digits(text)
	if whole == 0 || whole == len(text) || text[whole] != '.' {
		return text[:whole]
	}
	fraction := digits(text[whole+1:])
	if fraction == 0 {
		return ""
	}
	return text[:whole+1+fraction]
}

func digits(text string) int {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return i
		}
	}
	return len(text)
}

// parseQuantity reads a limit's bound on a statistic of the given unit (s, B, %, 1, Cel, B/s, 1/s). A unit is spelt out
// wherever a bare number could be taken for something else: 90% (and not 0.9 or 90), 5m (and not 300).
func parseQuantity(text, unit string) (float64, error) {
	switch unit {
	case "%":
		return parsePercentage(text)
	case "s":
		d, err := parseDuration(text)
		return d.Seconds(), err
	case "B":
		return parseSize(text, errors.New("must be a size such as 512MiB, 10GB, 1.5TiB or a number of bytes"))
	case "B/s":
		size, found := strings.CutSuffix(text, "/s")
		err := errors.New("must be a size a second such as 10MB/s or 512KiB/s")
		if !found {
			return 0, err
		}
		return parseSize(size, err)
	case "1/s":
		return parseNumber(strings.TrimSuffix(text, "/s"), errors.New("must be a number a second such as 100 or 100/s"))
	case "Cel":
		return parseTemperature(text)
	}
	return parseNumber(text, errors.New("must be a number such as 8 or 0.5"))
}

func parsePercentage(text string) (float64, error) {
	digits, found := strings.CutSuffix(text, "%")
	value, err := parseNumber(digits, errors.New("must be a percentage from 0% to 100%"))
	switch {
	case err != nil:
		return 0, err
	case !found:
		return 0, errors.New("must be a percentage: write the sign too, as in 90%")
	case value > 100:
		return 0, errors.New("must be a percentage from 0% to 100%")
	}
	return value, nil
}

func parseTemperature(text string) (float64, error) {
	digits, negative := strings.CutPrefix(strings.TrimSuffix(text, "°C"), "-")
	value, err := parseNumber(digits, errors.New("must be a temperature in degrees Celsius such as 80, 80°C or -5"))
	if negative {
		value = -value
	}
	return value, err
}

func parseSize(text string, invalid error) (float64, error) {
	digits := number(text)
	value, err := parseNumber(digits, invalid)
	if err != nil {
		return 0, err
	}
	suffix := text[len(digits):]
	factor := sizeUnit(suffix)
	switch {
	case math.IsInf(value*factor, 0):
		return 0, errors.New("is too large")
	case factor != 0:
		return value * factor, nil
	case sizeUnit(suffix+"B") != 0:
		return 0, fmt.Errorf("write %sB (powers of 1000) or %siB (powers of 1024) for the unit", suffix, suffix)
	}
	return 0, invalid
}

// sizeUnit returns the bytes in a unit: powers of 1000, or, with the i of ISO/IEC 80000-13, of 1024. It is 0 for what is
// no unit.
func sizeUnit(unit string) float64 {
	switch unit {
	case "", "B":
		return 1
	case "kB", "KB":
		return 1e3
	case "MB":
		return 1e6
	case "GB":
		return 1e9
	case "TB":
		return 1e12
	case "PB":
		return 1e15
	case "KiB":
		return 1 << 10
	case "MiB":
		return 1 << 20
	case "GiB":
		return 1 << 30
	case "TiB":
		return 1 << 40
	case "PiB":
		return 1 << 50
	}
	return 0
}

// parseNumber reads a decimal number without sign and exponent.
func parseNumber(text string, invalid error) (float64, error) {
	if text == "" || number(text) != text {
		return 0, invalid
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, invalid
	}
	return value, nil
}
