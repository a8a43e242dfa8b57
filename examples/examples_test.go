// Package examples runs the examples against the program.
package examples

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

var binary = flag.String("binary", "", "the timbridge that the examples run against; default: one that is built here")

// folder is where a bridge runs, with the examples beside it.
type folder struct {
	t   *testing.T
	dir string
	bus string
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be interrupted there")
	}
	f := &folder{t: t, dir: t.TempDir()}
	timbridge := *binary
	if timbridge == "" {
		timbridge = f.build("../cmd/timbridge")
	}
	path, err := filepath.Abs(timbridge)
	if err == nil && *binary != "" {
		err = os.Symlink(path, filepath.Join(f.dir, "timbridge"))
	}
	if err != nil {
		t.Fatal(err)
	}
	im, bus, ready := freeAddress(t), freeAddress(t), freeAddress(t)
	f.bus = "nats://" + bus
	config := fmt.Sprintf("app \"demo\" {\n  driver \"sandbox\" { listen = %q }\n}\nbus \"nats\" { listen = %q }\nhttp { listen = %q }\n", im, bus, ready)
	if err := os.WriteFile(filepath.Join(f.dir, "config.hcl"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	f.start("timbridge", "run")
	f.until("the bridge is ready", func() bool {
		res, err := http.Get("http://" + ready + "/ready")
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	return f
}

// build puts a program into the folder.
func (f *folder) build(path string) string {
	f.t.Helper()
	out := filepath.Join(f.dir, filepath.Base(path))
	cmd := exec.Command("go", "build", "-o", out, "./"+path)
	if b, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("build %s: %v\n%s", path, err, b)
	}
	return out
}

// start runs a program until the test ends; what it says comes to the result.
func (f *folder) start(name string, args ...string) (said func() string, end func()) {
	f.t.Helper()
	out, err := os.CreateTemp(f.t.TempDir(), "out")
	if err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(f.dir, name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = f.dir, out, out
	if err := errors.Join(cmd.Start(), out.Close()); err != nil {
		f.t.Fatal(err)
	}
	ended := false
	said = func() string {
		b, err := os.ReadFile(out.Name())
		if err != nil {
			f.t.Fatal(err)
		}
		return string(b)
	}
	end = func() {
		if ended {
			return
		}
		ended = true
		if err := errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait()); err != nil {
			f.t.Errorf("%s: %v\n%s", name, err, said())
		}
	}
	f.t.Cleanup(end)
	return said, end
}

// run runs a program to its end, and gives what it prints.
func (f *folder) run(in, name string, args ...string) string {
	f.t.Helper()
	cmd := exec.Command(filepath.Join(f.dir, name), args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = f.dir, strings.NewReader(in), &out, &errs
	if err := cmd.Run(); err != nil {
		f.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// sent publishes a command and gives the id of the message that it posted.
func (f *folder) sent(args ...string) string {
	f.t.Helper()
	out := f.run("", "timbridge", append(args, "--wait")...)
	return strings.TrimSpace(out[strings.LastIndex(strings.TrimSpace(out), " ")+1:])
}

func (f *folder) until(what string, done func() bool) {
	f.t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("it did not come to be within 30 s: %s", what)
		}
	}
}

// posted waits until so many messages are on the bus.
func (f *folder) posted(n int) {
	f.t.Helper()
	f.run("", "timbridge", "tail", "--type", "message.posted", "--from", "start", "-n", fmt.Sprint(n))
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

var times = regexp.MustCompile(`\d\d:\d\d:\d\d`)

// conversations runs the example and gives what it prints, without the times.
func (f *folder) conversations(args ...string) string {
	f.t.Helper()
	return times.ReplaceAllString(f.run("", "conversations", append([]string{"-nats", f.bus}, args...)...), "TIME")
}

func (f *folder) compare(got, want string) {
	f.t.Helper()
	if want = strings.TrimLeft(want, "\n"); got != want {
		f.t.Errorf("printed\n%s\nnot\n%s", got, want)
	}
}

// TestConversations: what was said is rebuilt, changed, recalled and read as it
// is; the next run goes on; reading everything again changes nothing.
func TestConversations(t *testing.T) {
	f := newFolder(t)
	f.build("conversations")
	f.sent("send", "--to", "bob", "--text", "hi bob")
	wrong := f.sent("send", "--to", "bob", "--text", "see you at nine")
	secret := f.sent("send", "--to", "bob", "--text", "the password is swordfish")
	f.run("", "timbridge", "message", "modify", wrong, "--text", "see you at ten", "--wait")
	f.run("", "timbridge", "message", "revoke", secret, "--wait")
	f.run("hello, who is this?\n", "timbridge", "chat", "--as", "bob", "--to", "bridge")
	f.posted(4)
	first := f.conversations()
	f.compare(first, `
c2c/bob/bridge
  TIME bridge: hi bob
  TIME bridge: see you at ten (changed)
  TIME bob: hello, who is this?
  read by bob up to TIME
`)
	f.sent("send", "--to", "carol", "--text", "hi carol", "--data", "{}")
	f.posted(5)
	second := first + "c2c/bridge/carol\n  TIME bridge: hi carol [custom]\n"
	f.compare(f.conversations(), second)
	f.compare(f.conversations("-durable", "again"), second)
	f.compare(f.conversations("-durable", "anew", "-state", "anew.json"), second)
}

// TestKeyword: who writes the word is answered, once, whatever becomes of the
// example meanwhile.
func TestKeyword(t *testing.T) {
	f := newFolder(t)
	f.build("keyword")
	said, end := f.start("keyword", "-nats", f.bus, "-answer", "help is on its way")
	f.until("keyword listens", func() bool { return strings.Contains(said(), "answering") })
	f.run("hello\nHelp, please\n", "timbridge", "chat", "--as", "bob", "--to", "bridge")
	f.posted(3)
	end()
	// What is asked meanwhile waits.
	f.run("is there help?\n", "timbridge", "chat", "--as", "carol", "--to", "bridge")
	f.start("keyword", "-nats", f.bus, "-answer", "help is on its way")
	f.posted(5)
	f.sent("send", "--to", "dave", "--text", "the last one")
	f.posted(6)
	var got []string
	for line := range strings.Lines(f.run("", "timbridge", "tail", "--type", "message.posted", "--from", "start", "--end")) {
		got = append(got, strings.Join(strings.Fields(line)[2:], " "))
	}
	f.compare(strings.Join(got, "\n")+"\n", `
c2c/bob/bridge bob: hello
c2c/bob/bridge bob: Help, please
c2c/bob/bridge bridge: help is on its way
c2c/bridge/carol carol: is there help?
c2c/bridge/carol bridge: help is on its way
c2c/bridge/dave bridge: the last one
`)
}
