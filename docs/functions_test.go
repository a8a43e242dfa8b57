package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every function of the SDK has its line in reference/functions.md, in the
// SDK's order; what is "in" names Go that exists, and no name of the SDK that
// package tim's comments say is mirrored is left for later.
func TestFunctionsOfTheSDK(t *testing.T) {
	list, err := os.ReadFile("testdata/functions.txt")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("reference/functions.md")
	if err != nil {
		t.Fatal(err)
	}
	exported, mirrored := goNames(t)
	quoted := regexp.MustCompile("`tim\\.([^`]+)`")
	var named []string
	is, count := map[string]string{}, map[string]int{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		name, word, text := strings.Trim(cells[1], " `"), strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])
		named, is[name] = append(named, name), word
		count[word]++
		goes := quoted.FindAllStringSubmatch(text, -1)
		switch {
		case word == "in" && len(goes) == 0:
			t.Errorf("%s is in, and as nothing", name)
		case word == "not wanted" && !strings.HasPrefix(text, "because "):
			t.Errorf("%s is not wanted, and nothing says why", name)
		case word == "later" && text == "":
			t.Errorf("%s comes later, and nothing says what it is", name)
		case word != "in" && word != "not wanted" && word != "later":
			t.Errorf("%s is %q", name, word)
		}
		for _, g := range goes {
			if !exported[g[1]] {
				t.Errorf("%s: there is no tim.%s", name, g[1])
			}
		}
	}
	if want := strings.Fields(string(list)); !slices.Equal(named, want) {
		for _, name := range want {
			if is[name] == "" {
				t.Errorf("%s is missing", name)
			}
		}
		t.Errorf("the page lists %d functions, the SDK has %d, or in another order", len(named), len(want))
	}
	if sum := fmt.Sprintf("%d functions: %d in, %d later, %d not wanted.", len(named), count["in"], count["later"], count["not wanted"]); !strings.Contains(string(page), sum) {
		t.Errorf("the page does not say %q", sum)
	}
	for _, name := range mirrored {
		if is[name] != "" && is[name] != "in" {
			t.Errorf("%s is %q, and package tim says that it mirrors it", name, is[name])
		}
	}
}

// goNames gives what package tim exports, methods as Type.Method, and the names
// of the SDK that its comments say are mirrored.
func goNames(t *testing.T) (exported map[string]bool, mirrored []string) {
	t.Helper()
	files, err := filepath.Glob("../tim/*.go")
	if err != nil {
		t.Fatal(err)
	}
	exported = map[string]bool{}
	mirrors := regexp.MustCompile(`Mirrors\s+(TIM\w+(?:,\s+TIM\w+)*)`)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range file.Comments {
			for _, m := range mirrors.FindAllStringSubmatch(c.Text(), -1) {
				mirrored = append(mirrored, strings.Fields(strings.ReplaceAll(m[1], ",", " "))...)
			}
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					exported[d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					exportedOf(spec, exported)
				}
			}
		}
	}
	return exported, mirrored
}

// exportedOf adds the names that a specification declares.
func exportedOf(spec ast.Spec, exported map[string]bool) {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		for _, id := range s.Names {
			exported[id.Name] = true
		}
	case *ast.TypeSpec:
		exported[s.Name.Name] = true
		if i, ok := s.Type.(*ast.InterfaceType); ok {
			for _, m := range i.Methods.List {
				for _, id := range m.Names {
					exported[s.Name.Name+"."+id.Name] = true
				}
			}
		}
	}
}
