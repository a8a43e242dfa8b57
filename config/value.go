package config

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Secret is a value that never prints: every formatting verb, JSON and the
// log show "***". Reveal gives it to the one place that needs it.
type Secret struct {
	// fmt asks no method of what lies in an unexported field, and follows a
	// pointer to a struct, but of a pointer to a pointer it prints the address.
	held **secret
}

type secret struct {
	value string
	path  string // of the file that it was read from
}

// NewSecret wraps a value.
func NewSecret(value string) Secret { return newSecret(value, "") }

func newSecret(value, path string) Secret {
	if value == "" && path == "" {
		return Secret{}
	}
	return Secret{held: new(&secret{value: value, path: path})}
}

// Reveal returns the value.
func (s Secret) Reveal() string {
	if s.held == nil {
		return ""
	}
	return (*s.held).value
}

// Reread returns the value as it is now: where it came from file(), the file is
// read again.
func (s Secret) Reread() (string, error) {
	if s.held == nil || (*s.held).path == "" {
		return s.Reveal(), nil
	}
	return readSecret((*s.held).path)
}

// IsSet says whether there is a value at all.
func (s Secret) IsSet() bool { return s.Reveal() != "" }

// String hides the value.
func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return "***"
}

// Format hides the value from every verb, those that fit no string included.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, s.String()) // fmt's own buffer takes everything
}

// MarshalText hides the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Duration is a time written as "300ms", "5m" or "36h"; days as "7d".
type Duration time.Duration

// ParseDuration reads a Duration; it is never negative.
func ParseDuration(text string) (Duration, error) {
	rest := text
	var days float64
	if before, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseFloat(before, 64)
		if err != nil || n < 0 || n > 36500 {
			return 0, durationError(text)
		}
		if days, rest = n, after; rest == "" {
			return Duration(days * float64(24*time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 {
		return 0, durationError(text)
	}
	sum := float64(d) + days*float64(24*time.Hour)
	if sum >= math.MaxInt64 {
		return 0, durationError(text)
	}
	return Duration(sum), nil
}

func durationError(text string) error {
	return fmt.Errorf("%q is not a duration: write a number with a unit, as in \"300ms\", \"5m\", \"36h\" or \"7d\"", text)
}

// String writes it as it is read.
func (d Duration) String() string {
	t := time.Duration(d)
	if t > 0 && t%(24*time.Hour) == 0 {
		return strconv.FormatInt(int64(t/(24*time.Hour)), 10) + "d"
	}
	s := t.String()
	s = strings.Replace(s, "m0s", "m", 1)
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes it as it is read.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Std is the duration for the standard library.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Lifetime is a Duration, or "forever".
type Lifetime time.Duration

// Forever is the Lifetime without an end.
const Forever Lifetime = -1

const forever = "forever"

// ParseLifetime reads a Lifetime.
func ParseLifetime(text string) (Lifetime, error) {
	if text == forever {
		return Forever, nil
	}
	d, err := ParseDuration(text)
	if err != nil {
		err = fmt.Errorf("%w; or \"forever\"", err)
	}
	return Lifetime(d), err
}

// String writes it as it is read.
func (l Lifetime) String() string {
	if l == Forever {
		return forever
	}
	return Duration(l).String()
}

// MarshalText writes it as it is read.
func (l Lifetime) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Std is the duration for the standard library; below zero it has no end.
func (l Lifetime) Std() time.Duration { return time.Duration(l) }

// Size is a number of bytes, written as "64MiB", "256KiB", "1GiB" or a plain number.
type Size int64

var sizeUnits = []struct {
	suffix string
	factor int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// ParseSize reads a Size; it is never negative.
func ParseSize(text string) (Size, error) {
	number, factor := strings.TrimSpace(text), int64(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = strings.TrimSpace(n), u.factor
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is not a size: write a whole number of bytes with a unit, as in \"64MiB\", \"256KiB\" or \"1GiB\"", text)
	}
	return Size(n * factor), nil
}

// String writes it with the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s > 0 && int64(s)%u.factor == 0 {
			return strconv.FormatInt(int64(s)/u.factor, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText writes it as it is read.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
