package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The HCL parser calls itself for every bracket, unary operator and condition
// within another, and a stack that overflows cannot be recovered from. No
// configuration needs more than this.
const (
	maxNesting   = 64
	maxOperators = 1000
)

// nesting is what is wrong with a file whose expressions lie too deep in one
// another, nil of any other.
func nesting(name string, src []byte) *hcl.Diagnostic {
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos) // the parser reports what is wrong in it
	depth, operators := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			depth = max(0, depth-1)
		case hclsyntax.TokenQuestion, hclsyntax.TokenBang, hclsyntax.TokenMinus:
			operators++
		}
		if depth > maxNesting || operators > maxOperators {
			return &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Nested too deep",
				Detail: "Brackets and operators lie too deep in one another here. Is this a configuration file?", Subject: &t.Range,
			}
		}
	}
	return nil
}
