// Command tour does what the README's five minutes tell the reader to do, and
// holds the README to what is then printed: each console block's commands are
// run as written, and each line below a command must be found in its output,
// in order, "…" standing for anything.
//
// Usage: go run .ci/tour.go README.md path/to/timbridge
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

type step struct {
	line    int
	command string
	expect  []string
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: tour README.md timbridge")
		os.Exit(2)
	}
	if err := tour(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

func tour(readme, binary string) error {
	steps, err := read(readme)
	if err != nil {
		return err
	}
	if len(steps) < 5 {
		return fmt.Errorf("%s has only %d commands in console blocks", readme, len(steps))
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "timbridge-tour-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Symlink(binary, filepath.Join(dir, "timbridge")); err != nil {
		return err
	}
	env := append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	for i, s := range steps {
		if i == 0 {
			end, err := begin(s, home, env)
			if err != nil {
				return fmt.Errorf("%s:%d: %w", readme, s.line, err)
			}
			defer end()
			continue
		}
		out, err := shell(s.command, home, env)
		if err == nil {
			err = compare(s.expect, out)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: $ %s: %w\nit printed:\n%s", readme, s.line, s.command, err, out)
		}
		fmt.Printf("ok: $ %s\n", s.command)
	}
	return nil
}

// read finds the commands in the console blocks.
func read(path string) ([]step, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var steps []step
	inside := false
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		text := lines.Text()
		switch {
		case strings.HasPrefix(text, "```"):
			inside = text == "```console"
		case inside && strings.HasPrefix(text, "$ "):
			steps = append(steps, step{line: n, command: text[2:]})
		case inside && len(steps) > 0:
			s := &steps[len(steps)-1]
			s.expect = append(s.expect, text)
		}
	}
	return steps, lines.Err()
}

// begin starts the bridge, waits until it is ready, and compares what it said.
func begin(s step, home string, env []string) (end func(), err error) {
	out, err := os.CreateTemp(home, "run-")
	if err != nil {
		return nil, err
	}
	defer out.Close()
	args := strings.Fields(s.command)
	path := filepath.Join(filepath.Dir(home), args[0])
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = home, env, out, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end = func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err == nil {
			err = cmd.Wait()
			fmt.Println("ok: the bridge drained and ended:", err == nil)
		}
	}
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		res, err := http.Get("http://127.0.0.1:7301/ready")
		if err == nil {
			res.Body.Close()
			b, readErr := os.ReadFile(out.Name())
			if readErr == nil && res.StatusCode == http.StatusOK && compare(s.expect, b) == nil {
				fmt.Printf("ok: $ %s\n", s.command)
				return end, nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	b, readErr := os.ReadFile(out.Name())
	end()
	return nil, errors.Join(fmt.Errorf("not ready as described within 20 s; it printed:\n%s", b), readErr)
}

func shell(command, home string, env []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Dir, cmd.Env = home, env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.Bytes(), err
}

// compare finds each expected line in the output, in order.
func compare(expect []string, out []byte) error {
	lines := strings.Split(string(out), "\n")
	at := 0
	for _, e := range expect {
		parts := strings.Split(e, "…")
		for i, p := range parts {
			parts[i] = regexp.QuoteMeta(p)
		}
		pattern, err := regexp.Compile("^" + strings.Join(parts, ".*") + "$")
		if err != nil {
			return err
		}
		for at < len(lines) && !pattern.MatchString(lines[at]) {
			at++
		}
		if at == len(lines) {
			return fmt.Errorf("no line like %q", e)
		}
		at++
	}
	return nil
}
