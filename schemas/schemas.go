// Package schemas holds the JSON Schema (2020-12) of the data of every event,
// command and outcome, with an example of each, and the AsyncAPI 3 document
// that ties them to the bus.
//
// The schemas lie in v1/, in a folder for each stream, one file a type, with
// shared definitions in defs.v1.json. Version 1 only grows: what was valid stays
// valid, a test holds every schema to it. Data of events and outcomes may have
// more than a schema names, and a consumer ignores what it does not know;
// commands refuse it.
package schemas

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed v1 asyncapi.json
var files embed.FS

const (
	typePrefix = "io.timbridge."
	baseURI    = "https://timbridge.io/schemas/"
	ext        = ".json"
	defsName   = "defs.v1"
)

// Stream is where a type is published.
type Stream string

// The streams.
const (
	Events      Stream = "events"
	Commands    Stream = "commands"
	Outcomes    Stream = "outcomes"
	DeadLetters Stream = "deadletters"
)

// Schema describes one type.
type Schema struct {
	// Type is the type attribute: "io.timbridge.message.posted.v1".
	Type string `json:"type"`
	// Name is the type in short, without prefix and version: "message.posted".
	Name string `json:"name"`
	// Stream is where it is published.
	Stream Stream `json:"stream"`
	// Title and Description are for people.
	Title       string `json:"title"`
	Description string `json:"description"`
	// URI is the dataschema attribute.
	URI string `json:"uri"`
}

// ErrUnknownType is returned for a type that has no schema.
var ErrUnknownType = errors.New("no schema for type")

// Validator knows the schemas and checks data against them. It reads them when
// it is first used and compiles each once. Its methods may be called at once
// from several goroutines. Make it with [New].
type Validator struct {
	load func() (*catalogue, error)

	mu       sync.Mutex // guards compiler, which is not safe for use at once
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

// catalogue is what is in the files.
type catalogue struct {
	list []Schema          // sorted by type
	docs map[string]any    // parsed, by URI
	path map[string]string // of the file, by type
}

// New gives a validator of the schemas of this version of timbridge.
func New() *Validator {
	return &Validator{load: sync.OnceValues(load), compiled: make(map[string]*jsonschema.Schema)}
}

// load reads every file. They are embedded and tests read them all, so it
// fails only in a build that is broken.
func load() (*catalogue, error) {
	c := &catalogue{docs: make(map[string]any), path: make(map[string]string)}
	for _, stream := range []Stream{Events, Commands, Outcomes, DeadLetters} {
		dir := path.Join("v1", string(stream))
		entries, err := fs.ReadDir(files, dir)
		if err != nil {
			return nil, fmt.Errorf("schemas: %w", err)
		}
		for _, entry := range entries {
			name := strings.TrimSuffix(entry.Name(), ext)
			file := path.Join(dir, entry.Name())
			doc, err := c.read(file, name)
			if err != nil {
				return nil, err
			}
			title, _ := doc["title"].(string)
			description, _ := doc["description"].(string)
			s := Schema{
				Type: typePrefix + name, Name: name[:strings.LastIndexByte(name, '.')], Stream: stream,
				Title: title, Description: description, URI: baseURI + name + ext,
			}
			c.list = append(c.list, s)
			c.path[s.Type] = file
		}
	}
	slices.SortFunc(c.list, func(a, b Schema) int { return strings.Compare(a.Type, b.Type) })
	if _, err := c.read(path.Join("v1", defsName+ext), defsName); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *catalogue) read(file, name string) (map[string]any, error) {
	raw, err := files.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", file, err)
	}
	object, ok := doc.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("schema %s is not an object", file)
	}
	c.docs[baseURI+name+ext] = object
	return object, nil
}

// find looks a type up by its whole name or in short.
func (c *catalogue) find(name string) (Schema, bool) {
	for _, s := range c.list {
		if s.Type == name || s.Name == name {
			return s, true
		}
	}
	return Schema{}, false
}

// List gives every type, sorted.
func (v *Validator) List() ([]Schema, error) {
	c, err := v.load()
	if err != nil {
		return nil, err
	}
	return slices.Clone(c.list), nil
}

// Lookup finds a type by its whole name or in short ("message.posted").
func (v *Validator) Lookup(name string) (Schema, error) {
	c, err := v.load()
	if err != nil {
		return Schema{}, err
	}
	s, ok := c.find(name)
	if !ok {
		return Schema{}, fmt.Errorf("%w %q", ErrUnknownType, name)
	}
	return s, nil
}

// Show gives the schema of a type as it is in its file. It refers to the
// shared definitions, which "defs" shows.
func (v *Validator) Show(name string) ([]byte, error) {
	if name == "defs" {
		return files.ReadFile(path.Join("v1", defsName+ext))
	}
	s, err := v.Lookup(name)
	if err != nil {
		return nil, err
	}
	c, err := v.load()
	if err != nil {
		return nil, err
	}
	return files.ReadFile(c.path[s.Type])
}

// Example gives an example of a type: a whole CloudEvent in structured JSON.
func (v *Validator) Example(name string) ([]byte, error) {
	s, err := v.Lookup(name)
	if err != nil {
		return nil, err
	}
	return files.ReadFile(path.Join("v1", "examples", strings.TrimPrefix(s.Type, typePrefix)+ext))
}

// AsyncAPI gives the AsyncAPI 3 document, in JSON.
func AsyncAPI() []byte {
	doc, err := files.ReadFile("asyncapi.json")
	if err != nil {
		panic("schemas: asyncapi.json is not embedded: " + err.Error()) // cannot be: the compiler embeds it
	}
	return doc
}

// Validate checks data, in JSON, against the schema of a type, named whole or
// in short. What does not fit is an [*Error]; a type without a schema wraps
// [ErrUnknownType].
func (v *Validator) Validate(name string, data []byte) error {
	s, err := v.Lookup(name)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return &Error{Name: s.Name, Problems: []Problem{{Message: "there is no data: give a JSON object"}}}
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return &Error{Name: s.Name, Problems: []Problem{{Message: "the data is not JSON: " + jsonError(data, err)}}}
	}
	return v.validate(s, value)
}

// ValidateValue is [Validator.Validate] of JSON that was decoded already, with
// numbers as [json.Number].
func (v *Validator) ValidateValue(name string, value any) error {
	s, err := v.Lookup(name)
	if err != nil {
		return err
	}
	return v.validate(s, value)
}

func (v *Validator) validate(s Schema, value any) error {
	schema, err := v.compile(s)
	if err != nil {
		return err
	}
	err = schema.Validate(value)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return fmt.Errorf("schema %s: %w", s.Name, err)
	}
	c, err := v.load()
	if err != nil {
		return err
	}
	return &Error{Name: s.Name, Problems: c.problems(invalid)}
}

func (v *Validator) compile(s Schema) (*jsonschema.Schema, error) {
	c, err := v.load()
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if schema, ok := v.compiled[s.Type]; ok {
		return schema, nil
	}
	if v.compiler == nil {
		compiler := jsonschema.NewCompiler()
		compiler.UseLoader(jsonschema.SchemeURLLoader{}) // nothing is fetched
		compiler.AssertFormat()
		for uri, doc := range c.docs {
			if err := compiler.AddResource(uri, doc); err != nil {
				return nil, fmt.Errorf("schema %s: %w", uri, err)
			}
		}
		v.compiler = compiler
	}
	schema, err := v.compiler.Compile(s.URI)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", s.Name, err)
	}
	v.compiled[s.Type] = schema
	return schema, nil
}

// jsonError tells where JSON is broken.
func jsonError(data []byte, err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
		return fmt.Sprintf("%v (line %d, byte %d)", syntax, line, syntax.Offset)
	}
	return err.Error()
}
