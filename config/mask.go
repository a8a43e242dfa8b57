package config

import (
	"bytes"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// secretLine is the rest of a line from where it sets a secret.
var secretLine = regexp.MustCompile(`(?m)\b(?:` + strings.Join(secretNames(), "|") + `)[ \t]*=.*$`)

var literal = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?`)

// masked is a file for people to look at: what stands in quotes where a secret
// is set is hidden, in its length, so that columns stay. What env() and file()
// name is shown: it is no secret.
func masked(files map[string]*hcl.File) map[string]*hcl.File {
	out := make(map[string]*hcl.File, len(files))
	for name, f := range files {
		hidden := *f
		hidden.Bytes = secretLine.ReplaceAllFunc(f.Bytes, func(line []byte) []byte {
			at := bytes.IndexByte(line, '=') + 1
			value := bytes.TrimSpace(line[at:])
			if bytes.HasPrefix(value, []byte("env(")) || bytes.HasPrefix(value, []byte("file(")) {
				return line
			}
			return append(bytes.Clone(line[:at]), literal.ReplaceAllFunc(line[at:], func(text []byte) []byte {
				return append([]byte{'"'}, bytes.Repeat([]byte{'*'}, len(text)-1)...)
			})...)
		})
		out[name] = &hidden
	}
	return out
}

// secretNames are the names of all settings that are secrets.
func secretNames() []string {
	names := map[string]struct{}{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Type == reflect.TypeFor[Secret]() {
				name, _, _ := strings.Cut(f.Tag.Get("hcl"), ",")
				names[name] = struct{}{}
			} else if f.IsExported() {
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	return slices.Sorted(maps.Keys(names))
}
