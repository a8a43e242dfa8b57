package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/timbridge/timbridge/bridge"
	"github.com/timbridge/timbridge/schemas"
	"github.com/timbridge/timbridge/tim"
)

var update = flag.Bool("update", false, "write the pages of docs/reference anew")

const again = "; `go test ./cmd/timbridge -run Reference -update` makes it again.\n"

// The pages of docs/reference are made from what they describe.
func TestReference(t *testing.T) {
	for name, page := range map[string]func(*testing.T) string{
		"events.md":  eventsPage,
		"metrics.md": metricsPage,
		"errors.md":  errorsPage,
		"cli.md":     commandLinePage,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("..", "..", "docs", "reference", name)
			want := page(t)
			if *update {
				if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("%s is not as it would be made now; run go test ./cmd/timbridge -run Reference -update", path)
			}
		})
	}
}

func metricsPage(*testing.T) string {
	var b strings.Builder
	b.WriteString("# Metrics\n\nServed at `http.listen` under `/metrics`, in Prometheus's text format, beside those of the Go runtime and the process. " +
		"Made from the table in `bridge/metrics.go`" + again)
	b.WriteString("\n| metric | type | labels | what it says |\n|---|---|---|---|\n")
	for _, m := range bridge.Metrics() {
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, labels, cell(m.Help))
	}
	b.WriteString("\nThe states of an account (`timbridge_account_state`): ")
	for i, s := range bridge.AccountStates() {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "`%s`", s)
	}
	b.WriteString(".\n\nWorth an alert:\n\n" + "```promql\n" +
		"timbridge_ready == 0                                            # for 1m: /ready says why\n" +
		"timbridge_publish_stalled_seconds > 60                          # the bus takes nothing\n" +
		"timbridge_journal_full == 1                                     # reports and commands have stopped\n" +
		"timbridge_journal_free_bytes < 2e9                              # before they do\n" +
		"timbridge_account_state{state=\"bad_credentials\"} == 1           # a new UserSig is needed\n" +
		"timbridge_account_state{state=\"kicked_offline\"} == 1            # somebody else uses the account\n" +
		"timbridge_commands_unread > 0                                   # for long: commands are not taken\n" + "```\n" +
		"\nA counter begins at 0 with each process, and what a start finds out is counted before anybody looks: `increase` does not see it. " +
		"[`deploy/prometheus/alerts.yml`](../../deploy/prometheus/alerts.yml) has all alerts, and goes by `timbridge_start_time_seconds` for those.\n")
	return b.String()
}

// attribute is a CloudEvents attribute in a sentence.
var attribute = regexp.MustCompile(`\b(timaccount|expirytime)\b`)

// wordsOf reads constants of one type out of a source file: name, value, and
// what the comment above says.
func wordsOf(t *testing.T, path, typ string) (words [][2]string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			if id, ok := v.Type.(*ast.Ident); !ok || id.Name != typ {
				continue
			}
			value, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			_, says, _ := strings.Cut(strings.Join(strings.Fields(v.Doc.Text()), " "), ": ")
			words = append(words, [2]string{value, attribute.ReplaceAllString(says, "`$0`")})
		}
	}
	if len(words) == 0 {
		t.Fatalf("%s has no constants of type %s", path, typ)
	}
	return words
}

func errorsPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# Errors\n\nMade from `mapping/reject.go` and `tim`'s table of codes" + again)
	b.WriteString("\n## Of a command\n\nA command that does not succeed has an outcome (`command.rejected`, `command.expired` or `command.failed`) whose `error.code` is one of these. " +
		"`error.field` says where: a JSON pointer into the data, or the name of an attribute. `error.retryable` says whether the same command, sent again with a new id, may succeed. " +
		"Each is also a dead letter, with the original bytes: `timbridge deadletter list`, `show`, `redrive`.\n\n| code | why | outcome |\n|---|---|---|\n")
	outcome := map[string]string{
		"expired": "`command.expired`", "im_error": "`command.failed`", "in_doubt": "`command.failed`", "gave_up": "`command.failed`",
		"account_unavailable": "`command.failed`", "account_backlog": "`command.failed`",
		"unsupported": "`command.failed`", "media_not_allowed": "`command.rejected`, `command.failed`",
		"media_too_large": "`command.failed`", "media_unreachable": "`command.failed`",
	}
	for _, w := range wordsOf(t, filepath.Join("..", "..", "mapping", "reject.go"), "RejectCode") {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", w[0], cell(upper(w[1])), cmp.Or(outcome[w[0]], "`command.rejected`"))
	}
	b.WriteString("\n## Of the IM service\n\nWith `im_error`, `error.number` and `error.name` are the SDK's own; the SDK's documentation lists all of them. " +
		"After the ones below a repeat can help, and the bridge repeats the call by itself, with growing pauses, within the command's expiry and `egress.give_up`; after any other the command fails at once.\n\n| number | name | what it says |\n|---|---|---|\n")
	for n := -20000; n <= 200000; n++ {
		c := tim.Code(n)
		if c.Name() != "" && c.Retryable() {
			fmt.Fprintf(&b, "| %d | `%s` | %s |\n", n, c.Name(), cell(c.Text()))
		}
	}
	b.WriteString("\n## Exit codes\n\nThe same for every subcommand; with `--json` an error is a JSON object on standard error, with `error`, `next` (what to do) and `exit_code`.\n\n| code | meaning |\n|---|---|\n" +
		"| 0 | done |\n" +
		"| 1 | failed: the command had an outcome that is no success, `journal inspect` found damage, `health` a bridge that is not ready |\n" +
		"| 2 | the input is wrong: flags, files, the configuration (with the line), data that does not fit its schema |\n" +
		"| 3 | the environment lacks something: a port is taken, a server cannot be reached or is too old, another process has the data directory, a file of it cannot be used, the journal is not there or (for what needs it whole) damaged, no outcome came within `--timeout` |\n" +
		"| 130, 143 | ended by a second Ctrl-C or SIGTERM, without draining |\n")
	return b.String()
}

// upper begins a sentence.
func upper(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// cell is text in a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;").Replace(strings.Join(strings.Fields(text), " "))
}

func commandLinePage(t *testing.T) string {
	var c cli
	parser, err := kong.New(&c, kong.Name("timbridge"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# The command line\n\nMade from the flags' own descriptions" + again + "\nEvery subcommand takes:\n\n")
	flagTable(&b, parser.Model.Flags)
	b.WriteString("\nA long flag may be written with one dash. [Exit codes](errors.md#exit-codes) are the same for all.\n")
	for _, n := range parser.Model.Leaves(true) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", n.FullPath(), n.Help)
		about, example, _ := strings.Cut(n.Detail, "Example")
		if about = strings.TrimSpace(about); about != "" {
			fmt.Fprintf(&b, "\n%s\n", strings.ReplaceAll(about, "<", "&lt;"))
		}
		_, example, _ = strings.Cut(example, ":\n")
		fmt.Fprintf(&b, "\n```sh\n%s\n```\n", strings.TrimSpace(strings.ReplaceAll(example, "\n  ", "\n")))
		if n.Positional != nil || len(n.Flags) > 0 {
			b.WriteString("\n")
		}
		for _, p := range n.Positional {
			name := "`<" + p.Name + ">`"
			if !p.Required {
				name += ", optional"
			}
			fmt.Fprintf(&b, "- %s: %s\n", name, p.Help)
		}
		if len(n.Flags) > 0 {
			if n.Positional != nil {
				b.WriteString("\n")
			}
			flagTable(&b, n.Flags)
		}
	}
	return b.String()
}

// Every subcommand says what it does, and shows how with its own name.
func TestEverySubcommandHasAnExample(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, kong.Name("timbridge"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range parser.Model.Leaves(true) {
		_, example, found := strings.Cut(n.Detail, "Example")
		if n.Help == "" || !found || !strings.Contains(example, n.FullPath()) {
			t.Errorf("%s: help %q, detail %q", n.FullPath(), n.Help, n.Detail)
		}
		for _, f := range n.Flags {
			if f.Help == "" || !strings.HasSuffix(f.Help, ".") {
				t.Errorf("%s --%s: %q is no sentence", n.FullPath(), f.Name, f.Help)
			}
		}
	}
}

func flagTable(b *strings.Builder, flags []*kong.Flag) {
	b.WriteString("| flag | what it does |\n|---|---|\n")
	for _, f := range flags {
		name := "`--" + f.Name
		if !f.IsBool() {
			name += " " + f.FormatPlaceHolder()
		}
		name += "`"
		if f.Short != 0 {
			name += fmt.Sprintf(", `-%c`", f.Short)
		}
		if f.Required {
			name += ", required"
		}
		fmt.Fprintf(b, "| %s | %s |\n", cell(name), cell(f.Help))
	}
}

// schema is what the page needs of a JSON Schema.
type schema struct {
	Ref         string            `json:"$ref"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Type        string            `json:"type"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Enum        []string          `json:"enum"`
	Examples    []any             `json:"examples"`
	Defs        map[string]schema `json:"$defs"`
}

// catalogue writes the page of events.
type catalogue struct {
	strings.Builder
	defs map[string]schema
	used map[string]bool // definitions that have parts of their own
}

// follow gives a schema with what it refers to, and the definition's name.
func (c *catalogue) follow(s schema) (schema, string) {
	_, name, ok := strings.Cut(s.Ref, "#/$defs/")
	if !ok {
		return s, ""
	}
	d := c.defs[name]
	return schema{
		Title: cmp.Or(s.Title, d.Title), Description: cmp.Or(s.Description, d.Description), Type: d.Type,
		Required: d.Required, Properties: d.Properties, Items: d.Items, Enum: d.Enum, Examples: d.Examples,
	}, name
}

// typ says what a field holds, with a link where that is described.
func (c *catalogue) typ(s schema) string {
	s, name := c.follow(s)
	if len(s.Properties) > 0 && name != "" {
		c.used[name] = true
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	}
	switch {
	case s.Items != nil:
		return "list of " + c.typ(*s.Items)
	case len(s.Enum) > 0:
		return "`\"" + strings.Join(s.Enum, "\"`, `\"") + "\"`"
	case s.Type == "":
		return "any"
	}
	return s.Type
}

func (c *catalogue) fields(s schema) {
	if len(s.Properties) == 0 {
		return
	}
	c.WriteString("\n| field | | what it is |\n|---|---|---|\n")
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	rank := func(name string) int {
		if i := slices.Index(s.Required, name); i >= 0 {
			return i
		}
		return len(s.Required)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	for _, name := range names {
		field, _ := c.follow(s.Properties[name])
		label := "`" + name + "`"
		if slices.Contains(s.Required, name) {
			label = "**" + label + "**"
		}
		text := field.Description
		if len(field.Examples) > 0 && len(field.Enum) == 0 && field.Type == "string" {
			var words []string
			for _, e := range field.Examples {
				words = append(words, fmt.Sprintf("`\"%v\"`", e))
			}
			text += " Such as " + strings.Join(words, ", ") + "."
		}
		fmt.Fprintf(c, "| %s | %s | %s |\n", label, c.typ(s.Properties[name]), cell(text))
	}
}

func eventsPage(t *testing.T) string {
	v := schemas.New()
	show := func(name string) (s schema) {
		t.Helper()
		b, err := v.Show(name)
		if err == nil {
			err = json.Unmarshal(b, &s)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return s
	}
	c := &catalogue{defs: show("defs").Defs, used: map[string]bool{}}
	c.WriteString("# Events, commands and outcomes\n\nMade from `schemas/`" + again + `
Everything is a [CloudEvent](https://cloudevents.io) 1.0. On NATS its attributes are headers (` + "`ce-id`, `ce-type`, …" + `, percent-encoded) and its data is the message; on Kafka they are headers too (` + "`ce_id`, `ce_type`, …" + `, UTF-8 as it is), its data is the value, and ` + "`partitionkey`" + ` the key. ` + "`bus.mode = \"structured\"`" + ` writes one JSON document instead, and both are read. A field in **bold** is always there. Version 1 only grows: a consumer ignores what it does not know; a command with a field that is not listed here is rejected.

| attribute | what it is |
|---|---|
| ` + "`id`" + ` | the same whoever reports it, and however often: a consumer that has seen it may drop it |
| ` + "`source`" + ` | ` + "`tim://<sdkappid>`" + `; of a command: whoever sends it |
| ` + "`type`" + ` | ` + "`io.timbridge.<name>.v1`" + `, the name as below |
| ` + "`subject`" + ` | ` + "`c2c/<user>/<user>`" + ` with the two sorted, ` + "`group/<group id>`, `account/<user>`" + `; every byte of an id that is not plain is written ` + "`~HH`" + ` |
| ` + "`time`, `recordedtime`" + ` | the IM service's time, and when it was journaled |
| ` + "`timbridge`, `sequence`" + ` | which journal, and the position in it: it rises, with gaps |
| ` + "`timaccount`" + ` | the bridged account that reported it first; of a command: the one that is to act, which may be left out where there is one |
| ` + "`expirytime`" + ` | of a command: not carried out after it |
| ` + "`causationid`, `correlationid`, `traceparent`" + ` | handed through from the command to the message and the outcome |
| ` + "`partitionkey`" + ` | the subject |

`)
	intro := map[schemas.Stream]string{
		schemas.Events:      "Published on `tim.events.<family>.<what>.<words of the subject>`, the stream `tim-events`.",
		schemas.Commands:    "Publish them on `tim.commands.<account>.<family>.<verb>`, the stream `tim-commands`. `source` and `id` together are the command's identity: the same again, with the same content, is carried out once.",
		schemas.Outcomes:    "Published on `tim.outcomes.<account>.<what>`, the stream `tim-outcomes`. Every command has one.",
		schemas.DeadLetters: "Published on `tim.deadletters.<account>`, the stream `tim-deadletters`: every command that did not succeed, with the bytes that were on the bus.",
	}
	list, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range []schemas.Stream{schemas.Events, schemas.Commands, schemas.Outcomes, schemas.DeadLetters} {
		title := string(stream)
		if stream == schemas.DeadLetters {
			title = "dead letters"
		}
		fmt.Fprintf(c, "## %s\n\n%s\n", upper(title), intro[stream])
		for _, s := range list {
			if s.Stream != stream {
				continue
			}
			fmt.Fprintf(c, "\n### %s\n\n%s\n", s.Name, s.Description)
			c.fields(show(s.Name))
			example, err := v.Example(s.Name)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "\n<details><summary>example</summary>\n\n```json\n%s\n```\n\n</details>\n", bytes.TrimSpace(example))
		}
		c.WriteString("\n")
	}
	c.WriteString("## Shared parts\n")
	for done := map[string]bool{}; ; {
		var names []string
		for name := range c.used {
			if !done[name] {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			return c.String()
		}
		slices.Sort(names)
		for _, name := range names {
			done[name] = true
			fmt.Fprintf(c, "\n### %s\n\n%s\n", name, c.defs[name].Description)
			c.fields(c.defs[name])
		}
	}
}
