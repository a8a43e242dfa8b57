package schemas

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Error says why data does not fit the schema of its type.
type Error struct {
	// Name is the type in short.
	Name string
	// Problems has at least one, in the order of the data's pointers.
	Problems []Problem
}

// printableASCII is the pattern of ids, which people are told in words.
const printableASCII = `^[\x20-\x7e]+$`

// Problem is one thing that is wrong.
type Problem struct {
	// Pointer says where: a JSON pointer into the data, empty for the whole.
	Pointer string
	// Message says what is wrong and what to do.
	Message string
}

// maxShown is how many problems an error text tells.
const maxShown = 5

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Name)
	for i, p := range e.Problems {
		if i == maxShown {
			fmt.Fprintf(&b, "; and %d more", len(e.Problems)-maxShown)
			break
		}
		sep := ": "
		if i > 0 {
			sep = "; "
		}
		b.WriteString(sep)
		b.WriteString(p.String())
	}
	return b.String()
}

// String is the pointer and the message.
func (p Problem) String() string {
	if p.Pointer == "" {
		return p.Message
	}
	return p.Pointer + ": " + p.Message
}

// problems flattens the validator's tree to its leaves, which are what is wrong.
func (c *catalogue) problems(e *jsonschema.ValidationError) []Problem {
	var out []Problem
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if _, choice := e.ErrorKind.(*kind.OneOf); !choice && len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				walk(cause)
			}
			return
		}
		p := Problem{Pointer: pointer(e.InstanceLocation), Message: c.explain(e)}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	walk(e)
	slices.SortStableFunc(out, func(a, b Problem) int { return cmp.Compare(a.Pointer, b.Pointer) })
	return out
}

func (c *catalogue) explain(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		missing := make([]string, len(k.Missing))
		for i, name := range k.Missing {
			missing[i] = fmt.Sprintf("%q", name)
			if text := c.describe(e.SchemaURL, name); text != "" {
				missing[i] += " (" + text + ")"
			}
		}
		return "add what is missing: " + strings.Join(missing, ", ")
	case *kind.AdditionalProperties:
		unknown := make([]string, len(k.Properties))
		for i, name := range k.Properties {
			unknown[i] = fmt.Sprintf("%q", name)
		}
		slices.Sort(unknown)
		text := strings.Join(unknown, ", ") + " is not known here: leave it out"
		if known := c.known(e.SchemaURL); len(known) > 0 {
			text += ", or use one of " + strings.Join(known, ", ")
		}
		return text
	case *kind.FalseSchema:
		return "this may not be here together with what else is given: leave it out"
	case *kind.OneOf:
		return c.explainChoice(e, k)
	case *kind.Enum:
		want := make([]string, len(k.Want))
		for i, w := range k.Want {
			want[i] = show(w)
		}
		return fmt.Sprintf("%s is not one of %s", show(k.Got), strings.Join(want, ", "))
	case *kind.Const:
		return fmt.Sprintf("%s must be %s", show(k.Got), show(k.Want))
	case *kind.Type:
		return fmt.Sprintf("this is of type %s and must be of type %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.MinLength:
		return fmt.Sprintf("too short: at least %d characters are needed", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("too long: at most %d characters, and this has %d", k.Want, k.Got)
	case *kind.MinItems:
		return fmt.Sprintf("too few: at least %d are needed", k.Want)
	case *kind.Pattern:
		if k.Want == printableASCII {
			return show(k.Got) + " has characters other than printable ASCII"
		}
		return fmt.Sprintf("%s must match %s", show(k.Got), k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("items %d and %d are the same: give each once", k.Duplicates[0], k.Duplicates[1])
	}
	return e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
}

// explainChoice tells of forms of which data must have exactly one.
func (c *catalogue) explainChoice(e *jsonschema.ValidationError, k *kind.OneOf) string {
	var forms []string
	schema, _ := c.resolve(e.SchemaURL).(map[string]any)
	choices, _ := schema["oneOf"].([]any)
	for _, choice := range choices {
		object, _ := choice.(map[string]any)
		required, _ := object["required"].([]any)
		names := make([]string, len(required))
		for i, r := range required {
			names[i] = fmt.Sprint(r)
		}
		forms = append(forms, strings.Join(names, " and "))
	}
	text := "give exactly one of: " + strings.Join(forms, "; ")
	if len(k.Subschemas) > 1 {
		text += " (there are more)"
	}
	return text
}

// describe gives the words a schema has for one of its properties.
func (c *catalogue) describe(schemaURL, property string) string {
	// The keyword may stand in a branch (a "then") of the object's schema.
	for at := schemaURL; ; {
		if object, ok := c.resolve(at).(map[string]any); ok {
			if properties, ok := object["properties"].(map[string]any); ok {
				if p, ok := properties[property].(map[string]any); ok {
					return c.description(at, p)
				}
			}
		}
		slash := strings.LastIndexByte(at, '/')
		if slash < strings.IndexByte(at, '#') {
			return ""
		}
		at = at[:slash]
	}
}

func (c *catalogue) description(base string, property map[string]any) string {
	text, _ := property["description"].(string)
	if text == "" {
		if ref, ok := property["$ref"].(string); ok {
			if target, ok := c.resolve(join(base, ref)).(map[string]any); ok {
				text, _ = target["description"].(string)
			}
		}
	}
	return strings.TrimSuffix(text, ".")
}

// known lists the properties of an object's schema.
func (c *catalogue) known(schemaURL string) []string {
	object, _ := c.resolve(schemaURL).(map[string]any)
	properties, _ := object["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(properties))
}

// resolve finds the part of a document that a URI with a JSON pointer names.
func (c *catalogue) resolve(uri string) any {
	doc, fragment, _ := strings.Cut(uri, "#")
	value := c.docs[doc]
	if fragment == "" {
		return value
	}
	for _, token := range strings.Split(strings.TrimPrefix(fragment, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~", "%24", "$").Replace(token)
		switch v := value.(type) {
		case map[string]any:
			value = v[token]
		case []any:
			var n int
			if _, err := fmt.Sscan(token, &n); err != nil || n < 0 || n >= len(v) {
				return nil
			}
			value = v[n]
		default:
			return nil
		}
	}
	return value
}

// join resolves a reference, which in our files is a file with a pointer, or a pointer.
func join(base, ref string) string {
	if strings.HasPrefix(ref, "#") {
		doc, _, _ := strings.Cut(base, "#")
		return doc + ref
	}
	return baseURI + ref
}

func pointer(location []string) string {
	var b strings.Builder
	for _, token := range location {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
	}
	return b.String()
}

// maxValue is how much of a value an error shows.
const maxValue = 60

func show(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(raw) > maxValue {
		return strings.ToValidUTF8(string(raw[:maxValue]), "") + "…"
	}
	return string(raw)
}
