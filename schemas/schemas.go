// Package schemas holds the JSON Schema (2020-12) of every event, command and
// outcome, with an example of each, and the AsyncAPI 3 document that ties them
// to the bus.
package schemas

// Validator checks data against the schemas. Make it with [New].
type Validator struct{}

// New gives a validator.
func New() *Validator { return &Validator{} }
