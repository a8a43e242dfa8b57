package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Example is the configuration file in which every setting stands, commented
// out, at its default, with what it does above it.
func Example() string {
	var b strings.Builder
	b.WriteString("# timbridge's configuration. Every setting stands here at its default, commented out:\n" +
		"# with no file at all the same holds. Take the # away from what you change.\n" +
		"# Secrets come from elsewhere: env(\"NAME\") reads a variable, file(\"path\") a file\n" +
		"# (relative to this one). \"timbridge config check\" says whether all is well.\n\n")
	writeExample(&b, reflect.ValueOf(*Default()), "")
	return b.String()
}

func writeExample(b *strings.Builder, v reflect.Value, indent string) {
	begun := false
	for _, s := range settings(v) {
		field := v.FieldByIndex(s.field)
		switch s.kind {
		case label:
			continue
		case attribute:
			if begun {
				b.WriteString("\n")
			}
			for _, line := range wrap(s.sentence(), 96-len(indent)) {
				fmt.Fprintf(b, "%s# %s\n", indent, line)
			}
			fmt.Fprintf(b, "%s#%s = %s\n", indent, s.name, value(field))
		case block:
			writeBlock(b, s.name, field, indent, begun)
		case blocks:
			for n := range field.Len() {
				writeBlock(b, s.name, field.Index(n), indent, true)
			}
			if field.Len() == 0 {
				var sample strings.Builder
				writeBlock(&sample, s.name, sampleOf(field), "", false)
				fmt.Fprintf(b, "\n%s# None by default, any number; one looks like this:\n", indent)
				writeSample(b, sample.String(), indent)
			}
		}
		begun = true
	}
}

func writeBlock(b *strings.Builder, name string, v reflect.Value, indent string, space bool) {
	if space {
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "%s%s {\n", indent, head(name, v))
	writeExample(b, v, indent+"  ")
	fmt.Fprintf(b, "%s}\n", indent)
	for _, other := range others(v) {
		var sample strings.Builder
		fmt.Fprintf(&sample, "%s {\n", head(name, other))
		writeExample(&sample, other, "  ")
		sample.WriteString("}\n")
		fmt.Fprintf(b, "\n%s# Or, instead of it:\n", indent)
		writeSample(b, sample.String(), indent)
	}
}

// writeSample writes a block commented out.
func writeSample(b *strings.Builder, block, indent string) {
	for line := range strings.Lines(block) {
		if at := strings.Index(line, "#"); at >= 0 && !strings.HasPrefix(line[at:], "# ") {
			line = line[:at] + line[at+1:]
		}
		fmt.Fprintf(b, "%s%s\n", indent, strings.TrimRight("# "+line, " \n"))
	}
}

// sampleOf is the first of several blocks, or what one is by default.
func sampleOf(field reflect.Value) reflect.Value {
	if field.Len() > 0 {
		return field.Index(0)
	}
	element := reflect.New(field.Type().Elem()).Elem()
	fill(element)
	return element
}

// sentence is the description with the bounds that the tags add.
func (s setting) sentence() string {
	text := s.doc
	if len(s.oneof) > 1 && !strings.Contains(text, `"`+s.oneof[0]+`"`) {
		text += " One of " + quoted(s.oneof) + "."
	}
	switch {
	case s.min != "" && s.min != "0" && s.max != "":
		text += fmt.Sprintf(" From %s to %s.", s.min, s.max)
	case s.min != "" && s.min != "0":
		text += fmt.Sprintf(" At least %s.", s.min)
	case s.max != "":
		text += fmt.Sprintf(" At most %s.", s.max)
	}
	return text
}

// Reference is the page that describes every setting, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\nMade from the descriptions in `config/config.go`; `go test ./config -update` makes it again.\n\n" +
		"Durations are written as `\"300ms\"`, `\"5m\"`, `\"36h\"`, `\"7d\"`; sizes as `\"256KiB\"`, `\"64MiB\"`. A secret is given by " +
		"`env(\"NAME\")` or `file(\"path\")` and never printed. `timbridge config show` prints what holds, `timbridge config check` says what is wrong, with its line.\n")
	writeReference(&b, reflect.ValueOf(*Default()), "")
	return b.String()
}

func writeReference(b *strings.Builder, v reflect.Value, path string) {
	writeSection(b, v, path)
	for _, other := range others(v) {
		writeSection(b, other, path)
	}
}

func writeSection(b *strings.Builder, v reflect.Value, path string) {
	if len(others(v)) > 0 {
		path = head(path, v) // its kind tells it from the others
	}
	title := path
	if title == "" {
		title = "top of the file"
	}
	var nested []setting
	rows := 0
	for _, s := range settings(v) {
		if s.kind == block || s.kind == blocks {
			nested = append(nested, s)
			continue
		}
		if rows == 0 {
			fmt.Fprintf(b, "\n## %s\n\n| setting | type | default | what it does |\n|---|---|---|---|\n", title)
		}
		rows++
		name := "`" + s.name + "`"
		if s.kind == label {
			name = "the block's name"
		}
		fallback := "`" + value(v.FieldByIndex(s.field)) + "`"
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", name, typeName(v.FieldByIndex(s.field).Type()), fallback, strings.ReplaceAll(s.sentence(), "|", "\\|"))
	}
	for _, s := range nested {
		field := v.FieldByIndex(s.field)
		if s.kind == blocks {
			field = sampleOf(field)
		}
		writeReference(b, field, join(path, s.name))
	}
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
