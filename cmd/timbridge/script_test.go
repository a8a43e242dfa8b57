package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"timbridge": main})
}

// TestScripts runs the program as people and scripts do. Each script has a
// folder of its own with a config.hcl whose ports are free; $IM, $BUS and
// $HTTP are their addresses.
func TestScripts(t *testing.T) {
	p := scriptParams(t, "nats")
	p.Dir = "testdata/script"
	p.Setup = func(e *testscript.Env) error {
		e.Setenv("COMMANDS", "tim-commands")
		return prepare(e.WorkDir, "", func(name, value string) { e.Setenv(name, value) })
	}
	testscript.Run(t, p)
}

// scriptParams are what scripts on any bus have: their commands, and a condition
// that says which bus it is.
func scriptParams(t *testing.T, bus string) testscript.Params {
	return testscript.Params{
		WorkdirRoot: t.TempDir(), // its own would be left behind, empty
		Condition: func(cond string) (bool, error) {
			if cond != "nats" && cond != "kafka" {
				return false, fmt.Errorf("no condition is called %q", cond)
			}
			return cond == bus, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"ready":    ready,
			"publish":  publishRaw,
			"awaits":   awaits,
			"occupy":   occupy,
			"spoil":    spoil,
			"cut":      cut,
			"filled":   filled,
			"jsonline": jsonLines,
			"setenv":   setenv,
			"expand":   expand,
			"picture":  picture,
			"download": download,
		},
	}
}

// natsBlock is how the configurations of scripts have their bus.
const natsBlock = `bus "nats" { listen = "$BUS" }`

// prepare gives the configurations of a script free ports, and busBlock in the
// place of natsBlock where it is not empty; a script without a configuration gets
// the defaults.
func prepare(dir, busBlock string, setenv func(name, value string)) error {
	ports := map[string]string{}
	for _, name := range []string{"IM", "BUS", "HTTP"} {
		port, err := freePort()
		if err != nil {
			return err
		}
		ports[name] = fmt.Sprintf("127.0.0.1:%d", port)
		setenv(name, ports[name])
	}
	setenv("TZ", "UTC")
	if busBlock == "" {
		busBlock = natsBlock
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.hcl"))
	if err != nil {
		return err
	}
	main := filepath.Join(dir, "config.hcl")
	if !slices.Contains(files, main) {
		if err := os.WriteFile(main, []byte(defaultsElsewhere), 0o600); err != nil {
			return err
		}
		files = append(files, main)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text = bytes.ReplaceAll(text, []byte(natsBlock), []byte(busBlock))
		for name, address := range ports {
			text = bytes.ReplaceAll(text, []byte("$"+name), []byte(address))
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// defaultsElsewhere is the default configuration at other addresses.
const defaultsElsewhere = `app "demo" {
  driver "sandbox" { listen = "$IM" }
}
` + natsBlock + `
http { listen = "$HTTP" }
`

var (
	portMu    sync.Mutex // guards givenPort
	givenPort = map[int]bool{}
)

// freePort gives one that nobody listens on, each once, and below those from
// which the kernel gives connections theirs.
func freePort() (int, error) {
	portMu.Lock()
	defer portMu.Unlock()
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		if givenPort[port] {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		givenPort[port] = true
		return port, l.Close()
	}
	return 0, errors.New("no port is free")
}

// exits runs a program that must end with a code: exits 2 timbridge send
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		got = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

// ready waits until the bridge says that it is ready; "! ready" until it says
// that it is not: ready $HTTP
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: ready address")
	}
	last := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		res, err := http.Get("http://" + args[0] + "/ready")
		if err != nil {
			last = err.Error()
			continue
		}
		last = res.Status
		ts.Check(res.Body.Close())
		if (res.StatusCode == http.StatusOK) != neg {
			return
		}
	}
	ts.Fatalf("the bridge did not become so within 20 s: %s", last)
}

// publishRaw publishes a command as it is, as any client may:
// publish subject file [header=value ...]
// On Kafka the subject says nothing, and headers have that bus's names.
func publishRaw(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: publish subject file [header=value...]")
	}
	if topic := ts.Getenv("TOPIC"); topic != "" {
		produceRaw(ts, topic, ts.ReadFile(args[1]), args[2:])
		return
	}
	token := strings.TrimSpace(ts.ReadFile("data/bus.token"))
	nc, err := nats.Connect("nats://"+ts.Getenv("BUS"), nats.Token(token))
	ts.Check(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	ts.Check(err)
	msg := nats.NewMsg(args[0])
	msg.Data = []byte(ts.ReadFile(args[1]))
	for _, h := range args[2:] {
		name, value, _ := strings.Cut(h, "=")
		msg.Header[name] = append(msg.Header[name], value)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = js.PublishMsg(ctx, msg)
	ts.Check(err)
}

// awaits waits until what a program writes to a file matches: awaits out 'ready'
func awaits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: awaits file pattern")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(text) {
			return
		}
	}
	ts.Fatalf("%s does not match within 20 s", args[0])
}

// occupy listens on an address until the script ends.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: occupy address")
	}
	l, err := net.Listen("tcp", args[0])
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
}

// spoil changes one byte of a file, in its middle: spoil data/journal/*.seg
func spoil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: spoil pattern")
	}
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("no file %s", args[0])
	}
	b, err := os.ReadFile(files[0])
	ts.Check(err)
	b[len(b)/2] ^= 0xff
	ts.Check(os.WriteFile(files[0], b, 0o600))
}

// cut makes a file shorter: cut data/journal/*.seg 3000
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut pattern size")
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("no file %s", args[0])
	}
	ts.Check(os.Truncate(files[0], size))
}

// filled writes a file of so many letters: filled file 100000
func filled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: filled file size")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte("x"), n), 0o600))
}

// jsonLines says whether a file, or stdout or stderr, is JSON and nothing else,
// one document a line: jsonline stdout
func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: jsonline file")
	}
	text := ts.ReadFile(args[0])
	if text == "" {
		ts.Fatalf("%s is empty", args[0])
	}
	for line := range strings.Lines(text) {
		if !json.Valid([]byte(line)) {
			ts.Fatalf("no JSON: %s", line)
		}
	}
}

// expand puts the variables of the script into a file: expand join.txt
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand file")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}

// picture writes a small one: picture dot.png
func picture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: picture file")
	}
	var b bytes.Buffer
	ts.Check(png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

// download gets what a link leads to, and compares it with a file:
// download http://127.0.0.1:7300/… report.txt
func download(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: download url file")
	}
	res, err := http.Get(args[0])
	ts.Check(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	ts.Check(err)
	if want := ts.ReadFile(args[1]); res.StatusCode != http.StatusOK || string(b) != want {
		ts.Fatalf("%s, and %q instead of %q", res.Status, b, want)
	}
}

// setenv takes a variable from what the last program printed:
// setenv GROUP 'group (\S+)'
func setenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setenv name pattern")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	m := pattern.FindStringSubmatch(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	if len(m) != 2 {
		ts.Fatalf("%s does not match what was printed", args[1])
	}
	ts.Setenv(args[0], m[1])
}
