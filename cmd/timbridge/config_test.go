package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/schemas"
)

// The configuration knows every command by name.
func TestConfigKnowsTheCommands(t *testing.T) {
	all, err := schemas.New().List()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, s := range all {
		if s.Stream == schemas.Commands {
			want = append(want, strings.TrimPrefix(s.Name, "command."))
		}
	}
	slices.Sort(want)
	if got := config.Verbs(); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("policy.verbs knows\n%v, there are\n%v", got, want)
	}
}
