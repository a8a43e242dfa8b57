package kafkatest

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// Version is the version of Apache Kafka.
const Version = "4.4.0"

const leastJava = 17

//go:embed pom.xml
var pom []byte

// A MissingError says what this machine lacks to run a broker.
type MissingError struct {
	What string // in words
	Fix  string // what to do about it
	Err  error
}

func (e *MissingError) Error() string {
	text := e.What
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text + "; " + e.Fix
}

func (e *MissingError) Unwrap() error { return e.Err }

// Fetch makes sure that everything is there that a broker needs, and gives the
// folder of its jars, which lies in the user's cache folder. What is missing
// Maven fetches, 43 MB, once; progress is then told so, and may be nil. Several
// processes may call it at once. What cannot be had is a [*MissingError].
func Fetch(ctx context.Context, progress func(line string)) (string, error) {
	if err := findJava(ctx); err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache folder: %w", err)
	}
	dir := filepath.Join(cache, "timbridge", "kafka-"+Version)
	if there(dir) {
		return dir, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", &MissingError{"there is no mvn, which fetches Apache Kafka", "install Maven (apt install maven, brew install maven)", nil}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return "", fmt.Errorf("wait for another process that fetches Apache Kafka: %w", err)
	}
	defer unlock()
	if there(dir) { // since another process has fetched it
		return dir, nil
	}
	if progress != nil {
		progress(fmt.Sprintf("fetching Apache Kafka %s (43 MB) with Maven into %s, once", Version, dir))
	}
	return dir, fetch(ctx, dir)
}

func there(dir string) bool {
	_, err := os.Stat(dir)
	return err == nil
}

// fetch has the folder appear with everything in it, or not at all.
func fetch(ctx context.Context, dir string) error {
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "fetching-")
	if err != nil {
		return fmt.Errorf("make a folder for Apache Kafka: %w", err)
	}
	defer func() { _ = os.RemoveAll(fresh) }() // what was left over
	jars, project := filepath.Join(fresh, "jars"), filepath.Join(fresh, "pom.xml")
	if err := os.WriteFile(project, pom, 0o600); err != nil {
		return fmt.Errorf("tell Maven what to fetch: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", project, "dependency:copy-dependencies", "-DoutputDirectory="+jars, "-DincludeScope=runtime")
	if out, err := cmd.CombinedOutput(); err != nil {
		return &MissingError{"Maven cannot fetch Apache Kafka " + Version, "see whether its repository can be reached",
			fmt.Errorf("%w: %s", err, bytes.TrimSpace(out[:min(len(out), 2000)]))}
	}
	if err := os.Rename(jars, dir); err != nil {
		return fmt.Errorf("keep Apache Kafka: %w", err)
	}
	return nil
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// findJava looks whether there is a Java, and whether it is not too old. One
// that does not say its version is tried.
func findJava(ctx context.Context) error {
	fix := fmt.Sprintf("install a Java runtime, version %d or later (apt install default-jre-headless, brew install openjdk)", leastJava)
	if _, err := exec.LookPath("java"); err != nil {
		return &MissingError{"there is no java", fix, nil}
	}
	out, err := exec.CommandContext(ctx, "java", "-version").CombinedOutput()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &MissingError{"java does not run", fix, fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))}
	}
	m := javaVersion.FindSubmatch(out)
	if m == nil {
		return nil
	}
	if n, err := strconv.Atoi(string(m[1])); err == nil && n < leastJava {
		return &MissingError{fmt.Sprintf("java is of version %d", n), fix, nil}
	}
	return nil
}
