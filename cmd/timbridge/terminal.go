package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"
)

// plain is text from elsewhere as a terminal may be given it: what would move
// the cursor, ring, or write backwards is written as its code. Lines become one.
func plain(text string) string {
	return escape(strings.Join(strings.Fields(text), " "))
}

// escape writes everything but printable characters as their codes.
func escape(text string) string {
	ok := func(r rune) bool { return unicode.IsPrint(r) && r != unicode.ReplacementChar || r == joiner }
	if strings.IndexFunc(text, func(r rune) bool { return !ok(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case ok(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// terminal says whether a person sits at the other end.
func terminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// columns is how wide the terminal is that is written to; 0 where it is none.
func (e *env) columns() int {
	out, ok := e.out.(*os.File)
	if !ok || !terminal(out) {
		return 0
	}
	if w, _, err := term.GetSize(int(out.Fd())); err == nil && w > 0 {
		return w
	}
	return 80
}

// progress tells, after a second and then now and then, what is being waited
// for; the function that it returns ends that.
func (e *env) progress(what string) (done func()) {
	if e.JSON {
		return func() {}
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		started, wait := time.Now(), time.Second
		for {
			select {
			case <-stop:
				return
			case <-time.After(wait):
				fmt.Fprintf(e.errs, "%s (%s)\n", what, time.Since(started).Round(time.Second))
				wait = min(2*wait, 30*time.Second)
			}
		}
	}()
	return func() { close(stop); <-ended }
}

// until waits for f or for the end of ctx, whichever comes first. It is for
// what cannot be interrupted: the process ends right after.
func until[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// maxInput bounds what is read from a file or from standard input.
const maxInput = 16 << 20

// read takes everything from in, as far as it is bounded.
func read(ctx context.Context, in io.Reader) ([]byte, error) {
	b, err := until(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(in, maxInput+1)) })
	if err == nil && len(b) > maxInput {
		return nil, badInput("", "the input has more than %d bytes", maxInput)
	}
	return b, err
}
