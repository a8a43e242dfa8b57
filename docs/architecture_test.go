// Package docs holds the documents to the code.
package docs

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/timbridge/timbridge/"

// room is a row of the table in architecture.md.
type room struct {
	floor            int
	name             string
	knows, libraries []string
}

func rooms(t *testing.T) map[string]room {
	t.Helper()
	page, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]room{}
	quoted := regexp.MustCompile("`([^`]+)`")
	words := func(cell string) (list []string) {
		for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
			list = append(list, m[1])
		}
		return list
	}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 7 {
			continue
		}
		floor, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue // the table's head
		}
		name := strings.Trim(strings.TrimSpace(cells[2]), "`")
		out[name] = room{floor: floor, name: name, knows: words(cells[4]), libraries: words(cells[5])}
	}
	if len(out) < 10 {
		t.Fatalf("architecture.md has a table of %d rooms", len(out))
	}
	return out
}

// goPackage is what go list says of one.
type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// Who imports whom is what architecture.md says.
func TestRoomsKnowOnlyWhomTheyMay(t *testing.T) {
	all := rooms(t)
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		r, ok := all[name]
		if !ok {
			t.Errorf("%s is no room of docs/architecture.md", name)
			continue
		}
		seen[name] = true
		for _, path := range p.Imports {
			switch ours, isOurs := strings.CutPrefix(path, module); {
			case isOurs:
				if !slices.Contains(r.knows, ours) {
					t.Errorf("%s imports %s, which docs/architecture.md does not let it", name, ours)
				}
			case strings.Contains(strings.Split(path, "/")[0], "."):
				short := strings.TrimPrefix(path, "github.com/")
				if !slices.ContainsFunc(r.libraries, func(l string) bool { return short == l || strings.HasPrefix(short, l+"/") }) {
					t.Errorf("%s imports %s, which docs/architecture.md does not let it", name, path)
				}
			}
		}
	}
	for name, r := range all {
		if !seen[name] {
			t.Errorf("docs/architecture.md has a room %s that is not there", name)
		}
		for _, known := range r.knows {
			below, ok := all[known]
			own := strings.HasPrefix(name, known+"/") // a room's own folder
			if !ok || below.floor > r.floor || below.floor == r.floor && !own {
				t.Errorf("docs/architecture.md lets %s on floor %d know %s on floor %d", name, r.floor, known, below.floor)
			}
		}
	}
}

// Links between the documents lead somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	var pages []string
	for _, pattern := range []string{"../*.md", "*.md", "*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		folder := page[:strings.LastIndexByte(page, '/')+1]
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(folder + m[1]); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}
