package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// evalContext gives expressions their functions: env("NAME"), and file("path"),
// relative to the configuration's own folder.
func evalContext(dir string) *hcl.EvalContext {
	name := []function.Parameter{{Name: "name", Type: cty.String}}
	env := function.New(&function.Spec{
		Params: name, Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, ok := os.LookupEnv(args[0].AsString())
			if !ok {
				return cty.NilVal, fmt.Errorf("the environment has no variable %s; set it, or give the value otherwise", args[0].AsString())
			}
			return cty.StringVal(v), nil
		},
	})
	file := function.New(&function.Spec{
		Params: name, Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := args[0].AsString()
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			text, err := readSecret(path)
			if err != nil {
				return cty.NilVal, err
			}
			return cty.StringVal(text).Mark(filePath(path)), nil
		},
	})
	return &hcl.EvalContext{Functions: map[string]function.Function{"env": env, "file": file}}
}

// filePath marks a value with the file that it came from.
type filePath string

// origin takes the marks off a value and says which file it came from; none
// where it is more than one file's content.
func origin(v cty.Value) (cty.Value, string) {
	v, marks := v.UnmarkDeep()
	path := ""
	for m := range marks {
		if p, ok := m.(filePath); ok && len(marks) == 1 {
			path = string(p)
		}
	}
	return v, path
}

// readSecret reads a small file without the line break at its end.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := readAtMost(f, maxSecret)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

var errTooLarge = errors.New("file too large")

func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	return b, nil
}

// nearest is the name that was most likely meant, or none.
func nearest(name string, names []string) string {
	best, distance := "", 4
	for _, n := range names {
		if d := levenshtein.Distance(name, n, nil); d < distance && d < len(name) {
			best, distance = n, d
		}
	}
	return best
}
