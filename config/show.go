package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
)

// Show is a configuration as a file would say it: every setting with the value
// that holds, secrets hidden.
func Show(c *Config) string {
	var b strings.Builder
	b.WriteString("# What holds: the settings of the file, and the defaults of all others. Secrets are shown as \"***\".\n\n")
	show(&b, reflect.ValueOf(*c), "")
	return b.String()
}

func show(b *strings.Builder, v reflect.Value, indent string) {
	known := settings(v)
	width, begun, after := 0, false, false
	for _, s := range known {
		if s.kind == attribute {
			width = max(width, len(s.name))
		}
	}
	for _, s := range known {
		field := v.FieldByIndex(s.field)
		switch s.kind {
		case label:
			continue
		case attribute:
			if after {
				b.WriteString("\n")
			}
			fmt.Fprintf(b, "%s%-*s = %s\n", indent, width, s.name, value(field))
		case block:
			showBlock(b, s.name, field, indent, begun)
		case blocks:
			for n := range field.Len() {
				showBlock(b, s.name, field.Index(n), indent, begun || n > 0)
			}
		}
		begun, after = true, s.kind != attribute
	}
}

func showBlock(b *strings.Builder, name string, v reflect.Value, indent string, space bool) {
	if space {
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "%s%s {\n", indent, head(name, v))
	show(b, v, indent+"  ")
	fmt.Fprintf(b, "%s}\n", indent)
}

// head is a block's name with its labels.
func head(name string, v reflect.Value) string {
	for _, s := range settings(v) {
		if s.kind == label {
			name += " " + value(v.FieldByIndex(s.field))
		}
	}
	return name
}

// Values is a configuration for machines: objects by the names of the
// settings, labels among them; secrets hidden.
func Values(c *Config) map[string]any { return values(reflect.ValueOf(*c)) }

func values(v reflect.Value) map[string]any {
	out := map[string]any{}
	for _, s := range settings(v) {
		field := v.FieldByIndex(s.field)
		switch s.kind {
		case block:
			out[s.name] = values(field)
		case blocks:
			list := []any{}
			for n := range field.Len() {
				list = append(list, values(field.Index(n)))
			}
			out[s.name] = list
		default:
			out[s.name] = plain(field)
		}
	}
	return out
}

// plain is a setting's value as JSON has it.
func plain(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case encoding.TextMarshaler:
		return x
	case []string:
		return append([]string{}, x...)
	}
	return v.Interface()
}
