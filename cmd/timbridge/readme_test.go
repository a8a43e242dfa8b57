package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/config"
)

var binary = flag.String("binary", "", "the program that TestReadme's tour is done with; default: this test's own")

// step is a command in a console block of the README, and what it prints. A
// line "…" stands for any lines, "…" at the end of a line for any rest of it.
type step struct {
	command string
	want    []string
	line    int // of the command, from 1
}

// readSteps finds the commands.
func readSteps(t *testing.T, path string) (steps []step, lines []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines = strings.Split(string(text), "\n")
	inside := false
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case inside && strings.HasPrefix(line, "$ "):
			steps = append(steps, step{command: line[2:], line: i + 1})
		case inside:
			s := &steps[len(steps)-1]
			s.want = append(s.want, line)
		}
	}
	if len(steps) < 5 {
		t.Fatalf("%s has %d commands", path, len(steps))
	}
	return steps, lines
}

// TestReadme does what the README's five minutes tell the reader to do, and
// compares what is printed with what stands there; -update writes it there.
func TestReadme(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the README is written for a Unix shell")
	}
	path := filepath.Join("..", "..", "README.md")
	steps, lines := readSteps(t, path)
	tour := newTour(t, nil)
	changed := false
	for i, s := range steps {
		var got []string
		if i == 0 {
			got = tour.begin(s)
		} else {
			got = tour.run(s)
		}
		if same(s.want, got) {
			continue
		}
		if *update {
			steps[i].want, changed = got, true
			continue
		}
		t.Errorf("README.md:%d: $ %s\nprints\n%s\nnot\n%s", s.line, s.command, strings.Join(got, "\n"), strings.Join(s.want, "\n"))
	}
	if changed {
		if err := os.WriteFile(path, []byte(rewrite(lines, steps)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadmeOnKafka does the same with a bus of that kind, which differs in what
// is said about the bus alone.
func TestReadmeOnKafka(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the README is written for a Unix shell")
	}
	steps, _ := readSteps(t, filepath.Join("..", "..", "README.md"))
	k, err := kafkaBuses(t)()
	if err != nil {
		t.Fatal(err)
	}
	tour := newTour(t, k)
	for i, s := range steps {
		for n := len(s.want) - 1; n >= 0; n-- {
			for nats, kafka := range onKafka {
				if strings.HasPrefix(s.want[n], nats) {
					s.want = slices.Replace(s.want, n, n+1, kafka...)
				}
			}
		}
		got := []string(nil)
		if i == 0 {
			got = tour.begin(s)
		} else {
			got = tour.run(s)
		}
		if !same(s.want, got) {
			t.Errorf("README.md:%d: $ %s\nprints\n%s\nnot\n%s", s.line, s.command, strings.Join(got, "\n"), strings.Join(s.want, "\n"))
		}
	}
}

// onKafka are the README's lines that are others on Kafka, by what they begin with.
var onKafka = map[string][]string{
	"  bus   NATS":     {"  bus   Kafka kafka://127.0.0.1:9092"},
	"pass  durability": {"warn  durability      one replica: …", "           next step: give the topics 3 replicas …", "pass  retention       messages are kept: …"},
	"all is well":      {"failed: 0, warnings: 1"},
}

// The Chinese README shows the same commands and what they print.
func TestReadmesAgree(t *testing.T) {
	english, _ := readSteps(t, filepath.Join("..", "..", "README.md"))
	chinese, _ := readSteps(t, filepath.Join("..", "..", "README.zh-CN.md"))
	for i := range min(len(english), len(chinese)) {
		e, c := english[i], chinese[i]
		if e.command != c.command || !slices.Equal(e.want, c.want) {
			t.Errorf("README.md:%d and README.zh-CN.md:%d differ:\n%s\n%s", e.line, c.line, e.command, c.command)
		}
	}
	if len(english) != len(chinese) {
		t.Errorf("README.md has %d commands, README.zh-CN.md %d", len(english), len(chinese))
	}
}

// TestReadmeConfigurations: what the READMEs show of configurations can be read.
func TestReadmeConfigurations(t *testing.T) {
	t.Setenv("KAFKA_PASSWORD", "secret")
	for _, name := range []string{"README.md", "README.zh-CN.md", "docs/apart.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		blocks := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(string(text), -1)
		if len(blocks) == 0 {
			t.Errorf("%s shows no configuration", name)
		}
		for _, b := range blocks {
			dir := t.TempDir()
			path := filepath.Join(dir, "config.hcl")
			for _, secret := range []string{"im.token", "im.key"} { // which docs/apart.md names
				if err := errors.Join(os.MkdirAll(filepath.Join(dir, "sandbox-data"), 0o700), os.WriteFile(filepath.Join(dir, "sandbox-data", secret), []byte("secret"), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(path, []byte(b[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(path); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// tour is a folder with a bridge in it.
type tour struct {
	t         *testing.T
	dir       string
	env       []string
	ready     string
	addresses *strings.Replacer // those of this tour to those of the README
	group     string            // the last one made
}

// newTour is one on Kafka where k is not nil, else on the server inside the bridge.
func newTour(t *testing.T, k *kafkaBus) *tour {
	tr := &tour{t: t, dir: t.TempDir(), env: append(os.Environ(), "TZ=UTC")}
	given, block := map[string]string{}, ""
	if k != nil {
		block = k.block()
	}
	if err := prepare(tr.dir, block, func(name, value string) { given[name] = value }); err != nil {
		t.Fatal(err)
	}
	tr.ready = "http://" + given["HTTP"] + "/ready"
	addresses := []string{given["IM"], "127.0.0.1:7300", given["BUS"], "127.0.0.1:4222", given["HTTP"], "127.0.0.1:7301"}
	if k != nil {
		addresses = append(addresses, k.address, "127.0.0.1:9092")
	}
	tr.addresses = strings.NewReplacer(addresses...)
	if *binary != "" {
		path, err := filepath.Abs(*binary)
		if err != nil {
			t.Fatal(err)
		}
		bin := t.TempDir()
		if err := os.Symlink(path, filepath.Join(bin, "timbridge")); err != nil {
			t.Fatal(err)
		}
		tr.env = append(tr.env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	return tr
}

// begin starts the bridge, which runs until the test ends, and waits until it
// has said what it is to say.
func (tr *tour) begin(s step) []string {
	tr.t.Helper()
	out, err := os.Create(filepath.Join(tr.t.TempDir(), "out"))
	if err != nil {
		tr.t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "exec "+s.command)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = tr.dir, tr.env, out, out
	if err := errors.Join(cmd.Start(), out.Close()); err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			tr.t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			tr.t.Error(err)
		}
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			tr.t.Fatal(err)
		}
		got := tr.lines(text)
		if same(s.want, got) && tr.isReady() || time.Now().After(end) {
			return got
		}
	}
}

func (tr *tour) isReady() bool {
	res, err := http.Get(tr.ready)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

var groupID = regexp.MustCompile(`\btb-[a-z2-7]{32}\b`)

// run does a step as a shell would. The README's group stands for the one that
// was really made.
func (tr *tour) run(s step) []string {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", groupID.ReplaceAllLiteralString(s.command, tr.group))
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = tr.dir, tr.env, &out, &out
	if err := cmd.Run(); err != nil {
		tr.t.Errorf("README.md:%d: $ %s: %v", s.line, s.command, err)
	}
	if id := groupID.FindString(out.String()); id != "" {
		tr.group = id
	}
	return tr.lines(out.Bytes())
}

// patience is what is said on a slow machine about what takes long.
var patience = regexp.MustCompile(`(?m)^(waiting for|reading|asking|checking|opening) .* \(\d+s\)\n`)

func (tr *tour) lines(text []byte) []string {
	text = patience.ReplaceAll(text, nil)
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	return strings.Split(strings.TrimRight(tr.addresses.Replace(string(text)), "\n"), "\n")
}

// passing are the parts of a line that differ each time, and what stands for them.
var passing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?`), "<time>"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`), "<time>"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<uuid>"},
	{groupID, "<group>"},
	{regexp.MustCompile(`\b(c2c/\S+?/\d+)/\d+/\d{10}\b`), "$1/<random>/<time>"},
	{regexp.MustCompile(`/media/[A-Z2-7]+/`), "/media/<id>/"},
	{regexp.MustCompile(`\boutcome/[0-9a-f]+`), "outcome/<hash>"},
	{regexp.MustCompile(`^timbridge .*, journal`), "timbridge <version>, journal"},
	{regexp.MustCompile(`\b\d+(\.\d+)?m?s\b`), "<duration>"},
	{regexp.MustCompile(`\b\d+ (GiB|MiB|KiB|bytes|entries)\b`), "<number> $1"},
}

func lasting(line string) string {
	for _, p := range passing {
		line = p.pattern.ReplaceAllString(line, p.with)
	}
	return strings.TrimRight(line, " ")
}

// same says whether what was printed is what is wanted.
func same(want, got []string) bool {
	for i, w := range want {
		if w == "…" {
			for skip := 0; skip <= len(got); skip++ {
				if same(want[i+1:], got[skip:]) {
					return true
				}
			}
			return false
		}
		if len(got) == 0 {
			return false
		}
		head, cut := strings.CutSuffix(w, "…")
		w, g := lasting(head), lasting(got[0])
		if g != w && !(cut && strings.HasPrefix(g, w)) {
			return false
		}
		got = got[1:]
	}
	return len(got) == 0
}

// rewrite puts what was printed below the commands.
func rewrite(lines []string, steps []step) string {
	var out []string
	for i := 0; i < len(lines); i++ {
		out = append(out, lines[i])
		for _, s := range steps {
			if s.line != i+1 {
				continue
			}
			out = append(out, s.want...)
			for i+1 < len(lines) && !strings.HasPrefix(lines[i+1], "$ ") && !strings.HasPrefix(lines[i+1], "```") {
				i++
			}
		}
	}
	return strings.Join(out, "\n")
}

func TestSameLines(t *testing.T) {
	for _, c := range []struct {
		name, want, got string
		same            bool
	}{
		{"equal", "a\nb", "a\nb", true},
		{"other", "a\nb", "a\nc", false},
		{"more", "a", "a\nb", false},
		{"less", "a\nb", "a", false},
		{"any lines", "a\n…\nd", "a\nb\nc\nd", true},
		{"any lines, none", "a\n…\nd", "a\nd", true},
		{"any lines, and no more", "a\n…\nd", "a\nd\ne", false},
		{"a rest", "ab…", "abcd", true},
		{"another beginning", "ab…", "acd", false},
		{"times", "10:00:00 x", "11:11:11 x", true},
		{"ids", "message c2c/a/b/1/1234567890/1795411654", "message c2c/a/b/1/98765/1795411999", true},
		{"another sequence", "message c2c/a/b/1/123/1795411654", "message c2c/a/b/2/123/1795411654", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := same(strings.Split(c.want, "\n"), strings.Split(c.got, "\n")); got != c.same {
				t.Errorf("got %v", got)
			}
		})
	}
}
