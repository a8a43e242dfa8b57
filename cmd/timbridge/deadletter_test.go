package main

import (
	"strings"
	"testing"
	"time"
)

// A dead letter fits a terminal, and is one line for programs.
func TestLetterText(t *testing.T) {
	at := time.Date(2026, 11, 23, 6, 28, 36, 0, time.Local)
	id := "outcome/694f19e54d956104c266a304f14c2581/dead"
	what := "failed  message.send  im_error 10010 ERR_SVR_GROUP_NOT_FOUND: the group \"nosuch\" does not exist, or was dismissed"
	if got, want := letterText(0, at, id, what), "2026-11-23 06:28:36\t"+id+"\t"+what+"\n"; got != want {
		t.Errorf("in a pipe %q", got)
	}
	got := letterText(80, at, id, what)
	if !strings.HasPrefix(got, "2026-11-23 06:28:36  "+id+"\n  failed  message.send") {
		t.Errorf("on a terminal %q", got)
	}
	for line := range strings.Lines(got) {
		if n := span(strings.TrimRight(line, "\r\n")); n > 80 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

func TestPeriod(t *testing.T) {
	at := time.Date(2026, 11, 23, 6, 28, 36, 0, time.Local)
	for _, c := range []struct {
		name     string
		from, to time.Time
		want     string
	}{
		{"of one day", at, at.Add(time.Second), "2026-11-23 06:28:36 to 06:28:37"},
		{"of two", at, at.AddDate(0, 0, 1), "2026-11-23 06:28:36 to 2026-11-24 06:28:36"},
		{"of nothing", time.Time{}, time.Time{}, "- to -"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := period(c.from, c.to); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}
