package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// person is somebody who talks at a terminal.
type person struct {
	t    *testing.T
	cmd  *exec.Cmd
	own  *os.File // the terminal's other side: keys in, screen out
	tty  *os.File
	read chan struct{} // closed when nothing is written any more

	mu     sync.Mutex // guards screen
	screen *glass
}

// sitDown starts a program at a terminal of so many columns.
func sitDown(t *testing.T, dir string, cols uint16, args ...string) *person {
	t.Helper()
	own, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(own, &pty.Winsize{Rows: 50, Cols: cols}); err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, own: own, tty: tty, read: make(chan struct{}), screen: newGlass(t, int(cols))}
	p.cmd = exec.Command("timbridge", args...)
	p.cmd.Dir, p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = dir, tty, tty, tty
	p.cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1", "TZ=UTC")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.read)
		b := make([]byte, 4096)
		for {
			n, err := own.Read(b)
			p.mu.Lock()
			_, _ = p.screen.Write(b[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // ended long ago, where all is well
		_ = p.cmd.Wait()
		if err := errors.Join(tty.Close(), own.Close()); err != nil {
			t.Error(err)
		}
		<-p.read
	})
	return p
}

func (p *person) types(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p.own, keys); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.shown()
}

// sees waits until the screen is as the lines say; a line "…" stands for any
// lines, <time> for a time of day.
func (p *person) sees(lines ...string) {
	p.t.Helper()
	var got []string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if got = strings.Split(p.shown(), "\n"); same(lines, got) {
			return
		}
	}
	p.t.Fatalf("the screen shows\n%s\n\nand not\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
}

// leaves waits for the program's end.
func (p *person) leaves() {
	p.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			p.t.Errorf("the program ended with %v; the screen shows\n%s", err, p.shown())
		}
	case <-time.After(20 * time.Second):
		p.t.Fatalf("the program does not end; the screen shows\n%s", p.shown())
	}
}

// newSandbox runs a sandbox until the test ends, in a folder of its own.
func newSandbox(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := prepare(dir, "", func(string, string) {}); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("timbridge", "sandbox")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	if err := errors.Join(cmd.Start(), out.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait()); err != nil {
			t.Error(err)
		}
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "ws://") {
			return dir
		}
		if time.Now().After(end) {
			t.Fatalf("no sandbox within 20 s: %s", text)
		}
	}
}

// pipe talks through a pipe, and gives what was printed.
func pipe(t *testing.T, dir, in string, args ...string) (out, errs string) {
	t.Helper()
	cmd := exec.Command("timbridge", args...)
	var o, e strings.Builder
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, strings.NewReader(in), &o, &e
	cmd.Env = append(os.Environ(), "TZ=UTC")
	if err := cmd.Run(); err != nil {
		t.Errorf("timbridge %s: %v\n%s", strings.Join(args, " "), err, e.String())
	}
	return o.String(), e.String()
}

func atATerminal(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there are no pseudo terminals")
	}
}

// A half-typed line stays whole when others' lines arrive, in a terminal of 30
// columns; the terminal is given back as it was.
func TestChatAtATerminal(t *testing.T) {
	atATerminal(t)
	dir := newSandbox(t)
	bob := sitDown(t, dir, 30, "chat", "--as", "bob", "--to", "alice")
	before, err := term.GetState(int(bob.tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	bob.sees("…", "alice> |")
	bob.types("a line that is longer tha")
	bob.sees("…", "alice> a line that is longer t", "ha|")
	pipe(t, dir, "hello bob\n你好吗？ \x1b[31mred\n", "chat", "--as", "alice", "--to", "bob")
	bob.sees("…", "<time> alice: hello bob", "<time> alice: 你好吗？", `                \x1b[31mred`, "…", "alice> a line that is longer t", "ha|")
	bob.types("n a row\r")
	bob.sees("…", "<time> bob: a line that is", "              longer than a", "              row", "…", "alice> |")
	bob.types("你好吗\x7f")
	bob.sees("…", "alice> 你好|")
	pipe(t, dir, "still here?\n", "chat", "--as", "alice", "--to", "bob")
	bob.sees("…", "<time> alice: still here?", "…", "alice> 你好|")
	bob.types("\x15/cr\t")
	bob.sees("…", "alice> /create |")
	bob.types("\"the team\" carol\r")
	bob.sees("…", "the team> |")
	bob.types("\x1b[200~one\ntwo\x1b[201~\r")
	bob.sees("…", "<time> bob: one", "              two", "…", "the team> |")
	bob.types("/nosuch\r")
	bob.sees("…", "· there is no /nosuch; /help", "  lists what there is; a", "…", "the team> |")
	bob.types("half\x03\x04")
	bob.leaves()
	if after, err := term.GetState(int(bob.tty.Fd())); err != nil || *after != *before {
		t.Errorf("the terminal is not as it was: %v", err)
	}
	bob.sees("…", "<time> alice: still here?", "…", "|")
}

// What is long is broken between words at the terminal's width, and in the help
// stays below what it belongs to.
func TestChatWrapsAtWords(t *testing.T) {
	atATerminal(t)
	dir := newSandbox(t)
	bob := sitDown(t, dir, 80, "chat", "--as", "bob", "--to", "alice")
	bob.sees(
		"· you are bob, talking to alice; a line is a message, /help lists what else",
		"  there is, Ctrl-D ends",
		"alice> |",
	)
	bob.types("/help\r")
	bob.sees("…",
		"  /create [-TYPE] NAME [USER…]  make a group of that name with these users, and",
		"                                go there; -private, -public, -chatroom,",
		"                                -avchatroom, -bchatroom or -community. Default:",
		"                                -private",
		"…", "alice> |")
	bob.types("\x15a message with more words than a row of eighty columns has room for, which is so\r")
	bob.sees("…",
		"<time> bob: a message with more words than a row of eighty columns has room",
		"              for, which is so",
		"alice> |")
	bob.types("\x04")
	bob.leaves()
}

// A signal gives the terminal back too.
func TestChatEndsByASignal(t *testing.T) {
	atATerminal(t)
	dir := newSandbox(t)
	bob := sitDown(t, dir, 80, "chat", "--as", "bob", "--to", "alice")
	before, err := term.GetState(int(bob.tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	bob.sees("…", "alice> |")
	bob.types("half a line")
	bob.sees("…", "alice> half a line|")
	if err := bob.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	bob.leaves()
	if after, err := term.GetState(int(bob.tty.Fd())); err != nil || *after != *before {
		t.Errorf("the terminal is not as it was: %v", err)
	}
}
