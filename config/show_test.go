package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What Show writes is read as the same configuration again.
func TestShowIsReadAgain(t *testing.T) {
	src := `
data_dir = "elsewhere"
app "shop" {
  sdkappid = 7
  account "a" {}
  account "b" {}
}
bus "nats" {
  mode = "structured"
  route "message.*" { name = "talk" }
  events { max_age = "36h" }
}
policy { verbs = ["message.*"] }
`
	c, err := Parse("a.hcl", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	text := Show(c)
	again, err := Parse("b.hcl", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(Show(again), text); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(text, `max_age           = "36h"`) {
		t.Errorf("the file's own setting is not there:\n%s", text)
	}
}

func TestShownSecretsAreHidden(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("a-very-secret-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Parse(filepath.Join(dir, "c.hcl"), []byte(`bus "nats" { token = file("token") }`))
	if err != nil {
		t.Fatal(err)
	}
	values, err := json.Marshal(Values(c))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{Show(c), string(values)} {
		if strings.Contains(text, "very-secret") || !strings.Contains(text, "***") {
			t.Errorf("the token is not hidden:\n%s", text)
		}
	}
	var read struct {
		App struct {
			Account []struct{ ID string }
			Driver  struct{ Listen string }
		}
	}
	if err := json.Unmarshal(values, &read); err != nil {
		t.Fatal(err)
	}
	if len(read.App.Account) != 1 || read.App.Account[0].ID != "bridge" || read.App.Driver.Listen != "127.0.0.1:7300" {
		t.Errorf("values are not by the settings' names: %s", values)
	}
}
