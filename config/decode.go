package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// maxFile bounds a configuration file; maxSecret a file read by file().
const (
	maxFile   = 1 << 20
	maxSecret = 64 << 10
)

// Error is a configuration that cannot be used: every mistake found, each
// with its place, the line, and what to do.
type Error struct {
	diags hcl.Diagnostics
	files map[string]*hcl.File
}

// Error lists the mistakes, one after the other, with the lines they are on;
// secrets in them are hidden.
func (e *Error) Error() string {
	var b strings.Builder
	w := hcl.NewDiagnosticTextWriter(&b, masked(e.files), 80, false)
	if err := w.WriteDiagnostics(e.diags); err != nil {
		return e.diags.Error()
	}
	return strings.TrimSpace(b.String())
}

// Mistake is one mistake for machines.
type Mistake struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Summary string `json:"summary"`
	Detail  string `json:"detail"`
}

// Mistakes lists them.
func (e *Error) Mistakes() []Mistake {
	var out []Mistake
	for _, d := range e.diags {
		m := Mistake{Summary: d.Summary, Detail: d.Detail}
		if d.Subject != nil {
			m.File, m.Line, m.Column = d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
		}
		out = append(out, m)
	}
	return out
}

// Default is the configuration that holds with no file: everything inside the
// process, on loopback, in ./data.
func Default() *Config {
	var c Config
	fill(reflect.ValueOf(&c).Elem())
	c.App.Accounts = []Account{newAccount()}
	return &c
}

func newAccount() Account {
	var a Account
	fill(reflect.ValueOf(&a).Elem())
	return a
}

// Load reads a file. A mistake in it is an [*Error]; a file that cannot be
// read is the error of the operating system.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	src, err := readAtMost(f, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read the configuration %s: %w", path, err)
	}
	return Parse(path, src)
}

// Parse reads a configuration from memory; name is what mistakes call it, and
// file() looks beside it.
func Parse(name string, src []byte) (*Config, error) {
	if too := nesting(name, src); too != nil {
		return nil, &Error{diags: hcl.Diagnostics{too}, files: map[string]*hcl.File{name: {Bytes: src}}}
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	d := decoder{files: map[string]*hcl.File{name: file}, eval: evalContext(filepath.Dir(name)), diags: diags}
	c := Default()
	c.App.Accounts = nil
	if !diags.HasErrors() {
		d.body(file.Body, reflect.ValueOf(c).Elem(), "")
	}
	if len(c.App.Accounts) == 0 {
		c.App.Accounts = []Account{newAccount()}
	}
	if !d.diags.HasErrors() {
		d.check(c, file.Body)
	}
	if d.diags.HasErrors() {
		return nil, &Error{diags: d.diags, files: d.files}
	}
	return c, nil
}

type decoder struct {
	files map[string]*hcl.File
	eval  *hcl.EvalContext
	diags hcl.Diagnostics
}

func (d *decoder) mistake(r hcl.Range, summary, detail string, args ...any) {
	d.diags = append(d.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &r,
	})
}

// body decodes one body into a struct that already holds its defaults.
func (d *decoder) body(body hcl.Body, into reflect.Value, path string) {
	known := settings(into)
	syntax, ok := body.(*hclsyntax.Body)
	if !ok {
		return
	}
	for name, attr := range syntax.Attributes {
		s, ok := find(known, name)
		switch {
		case !ok || s.kind == label:
			d.unknown(attr.NameRange, path, name, into)
		case s.kind != attribute:
			d.mistake(attr.NameRange, "Not a setting but a block", "%s is a block: write %s { … } without an equals sign.", name, name)
		default:
			d.attribute(s, attr, into.FieldByIndex(s.field))
		}
	}
	seen, first := map[string]bool{}, map[string][]string{}
	for _, b := range syntax.Blocks {
		s, ok := find(known, b.Type)
		switch {
		case !ok:
			d.unknown(b.TypeRange, path, b.Type, into)
		case s.kind == attribute || s.kind == label:
			d.mistake(b.TypeRange, "Not a block but a setting", "Write %s = …, without braces.", b.Type)
		case s.kind == block && seen[b.Type]:
			detail := "put everything into it"
			if !slices.Equal(b.Labels, first[b.Type]) {
				detail = fmt.Sprintf("take one of the two away, %s or %s", strings.Join(first[b.Type], " "), strings.Join(b.Labels, " "))
			}
			d.mistake(b.TypeRange, "Written twice", "There can be one %s block; %s.", b.Type, detail)
		case s.kind == block:
			seen[b.Type], first[b.Type] = true, b.Labels
			d.block(b, into.FieldByIndex(s.field), join(path, b.Type))
		default:
			element := reflect.New(into.FieldByIndex(s.field).Type().Elem()).Elem()
			fill(element)
			d.block(b, element, join(path, b.Type))
			into.FieldByIndex(s.field).Set(reflect.Append(into.FieldByIndex(s.field), element))
		}
	}
}

func (d *decoder) block(b *hclsyntax.Block, into reflect.Value, path string) {
	var labels []setting
	for _, s := range settings(into) {
		if s.kind == label {
			labels = append(labels, s)
		}
	}
	if len(b.Labels) != len(labels) {
		if len(labels) == 0 {
			d.mistake(b.LabelRanges[0], "A name too many", "The block %s has no name: write %s { … }.", b.Type, b.Type)
		} else {
			d.mistake(b.TypeRange, "Name missing", "The block needs its %s: write %s \"%s\" { … }.", labels[0].name, b.Type, labels[0].fallback)
		}
		return
	}
	for i, s := range labels {
		if err := s.set(into.FieldByIndex(s.field), b.Labels[i]); err != nil {
			d.mistake(b.LabelRanges[i], "Unknown "+path, "%v.", err)
			return // its settings are those of nothing
		}
	}
	d.body(b.Body, into, path)
}

func (d *decoder) attribute(s setting, attr *hclsyntax.Attribute, field reflect.Value) {
	v, diags := attr.Expr.Value(d.eval)
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return
	}
	where := attr.Expr.Range()
	v, path := origin(v)
	if !v.IsWhollyKnown() || v.IsNull() {
		d.mistake(where, "No value", "%s has no value; leave the line out to take the default.", s.name)
		return
	}
	if field.Kind() == reflect.Slice {
		list, err := convert.Convert(v, cty.List(cty.String))
		if err != nil {
			d.mistake(where, "Wrong kind of value", "%s is a list of strings: write [\"a\", \"b\"].", s.name)
			return
		}
		var words []string
		for it := list.ElementIterator(); it.Next(); {
			_, e := it.Element()
			if e.IsNull() {
				d.mistake(where, "No value", "%s holds a null.", s.name)
				return
			}
			words = append(words, e.AsString())
		}
		field.Set(reflect.ValueOf(words))
		return
	}
	text, err := convert.Convert(v, cty.String)
	if err != nil {
		d.mistake(where, "Wrong kind of value", "%s is a %s.", s.name, typeName(field.Type()))
		return
	}
	if err := s.set(field, text.AsString()); err != nil {
		if _, secret := field.Interface().(Secret); secret {
			err = fmt.Errorf("its value cannot be used")
		}
		d.mistake(where, "Wrong value", "%s: %v.", s.name, err)
	}
	if s, ok := field.Addr().Interface().(*Secret); ok && path != "" && text.AsString() == v.AsString() {
		*s = newSecret(text.AsString(), path)
	}
}

func (d *decoder) unknown(r hcl.Range, path, name string, into reflect.Value) {
	for _, other := range others(into) {
		if _, ok := find(settings(other), name); ok {
			d.mistake(r, "Not of this kind", "%q is a setting of %s; here it is %s.", name, head(path, other), head(path, into))
			return
		}
	}
	var names []string
	for _, s := range settings(into) {
		if s.kind != label {
			names = append(names, s.name)
		}
	}
	hint := "Known here: " + strings.Join(names, ", ") + "."
	if near := nearest(name, names); near != "" {
		hint = fmt.Sprintf("Did you mean %q?", near)
	}
	place := "at the top of the file"
	if path != "" {
		place = "in " + path
	}
	d.mistake(r, "Unknown setting", "There is no %q %s. %s", name, place, hint)
}

func find(known []setting, name string) (setting, bool) {
	for _, s := range known {
		if s.name == name {
			return s, true
		}
	}
	return setting{}, false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
