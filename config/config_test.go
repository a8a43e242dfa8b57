package config_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/timbridge/timbridge/config"
)

var update = flag.Bool("update", false, "write config.hcl and the reference page anew")

func TestExampleIsTheDefault(t *testing.T) {
	got, err := config.Parse("config.hcl", []byte(config.Example()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, config.Default()) {
		t.Errorf("the example decodes to %+v, the default is %+v", got, config.Default())
	}
	// The same with every setting uncommented: each default is a value that may be written.
	var lines []string
	for line := range strings.Lines(config.Example()) {
		rest := strings.TrimLeft(line, " ")
		if strings.HasPrefix(rest, "#") && !strings.HasPrefix(rest, "# ") {
			line = rest[1:]
		}
		lines = append(lines, line)
	}
	got, err = config.Parse("config.hcl", []byte(strings.Join(lines, "")))
	if err != nil {
		t.Fatal(err)
	}
	if got.Journal != config.Default().Journal || got.Egress != config.Default().Egress || got.Bus.NATS.Listen != config.Default().Bus.NATS.Listen {
		t.Errorf("uncommented: %+v", got)
	}
}

func TestFilesAreMadeFromTheDescriptions(t *testing.T) {
	for path, want := range map[string]string{
		"../config.hcl":               config.Example(),
		"../docs/reference/config.md": config.Reference(),
	} {
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not what the descriptions give (go test ./config -update): %s", path, diff)
		}
	}
}

func TestParse(t *testing.T) {
	t.Setenv("TIMBRIDGE_TEST_TOKEN", "s3cret")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sig"), []byte("eJy\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	src := `
app "shop" {
  sdkappid = 1400000001
  driver "sandbox" {
    url = "wss://im.example:7300"
    key = "k"
  }
  account "bot" {
    usersig      = file("sig")
    watch_status = ["alice", "bob"]
  }
  account "bot2" {}
}
bus "nats" {
  url   = "nats://bus:4222"
  token = env("TIMBRIDGE_TEST_TOKEN")
  events {
    max_age = "30d"
    max_bytes = "10GiB"
  }
}
journal { segment_bytes = "1MiB" }
egress { retry_min = "1s" }
policy {
  verbs       = ["message.*"]
  media_hosts = ["*.example.com"]
}
shard {
  index = 1
  count = 3
}
`
	c, err := config.Parse(filepath.Join(dir, "config.hcl"), []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if c.App.Name != "shop" || c.App.SDKAppID != 1400000001 || len(c.App.Accounts) != 2 || c.App.Accounts[0].UserSig.Reveal() != "eJy" {
		t.Errorf("app: %+v", c.App)
	}
	if err := os.WriteFile(filepath.Join(dir, "sig"), []byte("eJz\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if sig, err := c.App.Accounts[0].UserSig.Reread(); err != nil || sig != "eJz" {
		t.Errorf("read again: %q, %v", sig, err)
	}
	if c.Bus.NATS.Token.Reveal() != "s3cret" || c.Bus.NATS.Events.MaxAge.Std() != 30*24*time.Hour || c.Bus.NATS.Events.MaxBytes != 10<<30 || c.Bus.NATS.Replicas != 1 {
		t.Errorf("bus: %+v", c.Bus)
	}
	if len(c.App.Accounts[0].WatchStatus) != 2 || len(c.Policy.MediaHosts) != 1 || c.Policy.MediaPrivate || c.Egress.MediaMaxBytes != 100<<20 {
		t.Errorf("media and statuses: %+v %+v", c.App.Accounts[0], c.Policy)
	}
	if c.Journal.SegmentBytes != 1<<20 || c.Egress.RetryMin.Std() != time.Second || c.Shard.Count != 3 || len(c.Policy.Verbs) != 1 {
		t.Errorf("rest: %+v", c)
	}
	if out := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(out, "s3cret") {
		t.Error("a secret is printed")
	}
}

func TestParseKafka(t *testing.T) {
	t.Setenv("TIMBRIDGE_TEST_PASSWORD", "s3cret")
	c, err := config.Parse("config.hcl", []byte(`
bus "kafka" {
  brokers     = ["kafka-0:9092", "kafka-1:9092"]
  mode        = "structured"
  compression = "zstd"
  partitions  = 3
  tls {
    enabled = true
    ca      = "ca.pem"
  }
  sasl {
    mechanism = "SCRAM-SHA-512"
    user      = "tim"
    password  = env("TIMBRIDGE_TEST_PASSWORD")
  }
  commands {
    retention = "forever"
  }
  route "message.*" {
    partitions = 24
  }
}
`))
	if err != nil {
		t.Fatal(err)
	}
	k := c.Bus.Kafka
	if c.Bus.Kind != "kafka" || c.Bus.Mode != "structured" || len(k.Brokers) != 2 || k.Compression != "zstd" || k.Partitions != 3 || k.Replication != 1 ||
		!k.TLS.Enabled || k.SASL.Password.Reveal() != "s3cret" || k.Commands.Retention != config.Forever || k.Commands.Retention.String() != "forever" || k.BatchBytes != 1_000_000 ||
		len(k.Routes) != 1 || k.Routes[0].Name != "tim.messages" || k.Routes[0].Partitions != 24 {
		t.Errorf("kafka: %+v", c.Bus)
	}
	shown := config.Show(c)
	if !strings.Contains(shown, `bus "kafka" {`) || !strings.Contains(shown, `brokers         = ["kafka-0:9092", "kafka-1:9092"]`) || strings.Contains(shown, "mark_bucket") {
		t.Errorf("it is shown as\n%s", shown)
	}
	if again, err := config.Parse("config.hcl", []byte(strings.ReplaceAll(shown, `"***"`, `env("TIMBRIDGE_TEST_PASSWORD")`))); err != nil || again.Bus.Kafka.Routes[0] != k.Routes[0] {
		t.Errorf("what is shown cannot be read: %v", err)
	}
}

// Each kind of bus has a sample in the file that says all about it.
func TestSampleOfTheOtherBus(t *testing.T) {
	_, sample, ok := strings.Cut(config.Example(), "# Or, instead of it:\n")
	if !ok {
		t.Fatal("there is none")
	}
	var src strings.Builder
	for line := range strings.Lines(sample) {
		line, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		src.WriteString(strings.Replace(strings.TrimPrefix(line, " "), "brokers = []", `brokers = ["kafka:9092"]`, 1))
	}
	c, err := config.Parse("config.hcl", []byte(src.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, src.String())
	}
	want := config.Default()
	want.Bus.Kind, want.Bus.Kafka.Brokers = "kafka", []string{"kafka:9092"}
	if !reflect.DeepEqual(c.Bus, want.Bus) {
		t.Errorf("it reads as %+v", c.Bus)
	}
}

func TestMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		src  string
		line int
		want string
	}{
		"not HCL":               {"app {", 1, "Unclosed"},
		"unknown block":         {"\njurnal {}", 2, `Did you mean "journal"`},
		"unknown setting":       {"egress {\n  max_acepted = 5\n}", 2, `Did you mean "max_accepted"`},
		"unknown far off":       {"egress {\n  zzzzzzzzzz = 5\n}", 2, "Known here: max_accepted"},
		"block as setting":      {"journal = 5", 1, "is a block"},
		"setting as block":      {"data_dir {}", 1, "Write data_dir ="},
		"twice":                 {"log {}\nlog {}", 2, "one log block"},
		"label missing":         {"bus {}", 1, `bus "nats"`},
		"label too many":        {"journal \"x\" {}", 1, "has no name"},
		"bus unknown":           {"bus \"rabbit\" {}", 1, `"nats"`},
		"duration":              {"egress {\n\n  give_up = \"soon\"\n}", 3, "is not a duration"},
		"size":                  {"journal {\n  reserve = \"much\"\n}", 2, "is not a size"},
		"too small":             {"egress {\n  horizon = \"1m\"\n}", 2, "at least 1h"},
		"too large":             {"journal {\n  segment_bytes = \"2GiB\"\n}", 2, "at most 1GiB"},
		"word":                  {"log {\n  level = \"loud\"\n}", 2, "none of"},
		"list":                  {"policy {\n  verbs = 5\n  accounts = {a = 1}\n}", 3, "list of strings"},
		"null":                  {"data_dir = null", 1, "no value"},
		"variable missing":      {"bus \"nats\" {\n  token = env(\"TIMBRIDGE_TEST_NONE\")\n}", 2, "TIMBRIDGE_TEST_NONE"},
		"file missing":          {"bus \"nats\" {\n  token = file(\"none\")\n}", 2, "none"},
		"shard":                 {"shard {\n index = 3\n count = 3\n}", 1, "0 to 2"},
		"address":               {"http { listen = \"here\" }", 1, "host:port"},
		"account twice":         {"app \"a\" {\n account \"b\" {}\n account \"b\" {}\n}", 2, "twice"},
		"two authentications":   {"bus \"nats\" {\n  token = \"a\"\n nkey = \"b\"\n}", 1, "keep one"},
		"user without password": {"bus \"nats\" {\n user = \"a\"\n}", 1, "both"},
		"status of nobody":      {"app \"a\" {\n account \"b\" { watch_status = [\"\"] }\n}", 2, "watch_status"},
		"host with a path":      {"policy {\n media_hosts = [\"https://files.example\"]\n}", 1, "its name alone"},
		"nested too deep":       {"\ndata_dir = " + strings.Repeat("(", 100_000), 2, "too deep"},
		"templates too deep":    {"data_dir = " + strings.Repeat("\"${", 100_000), 1, "too deep"},
		"too many operators":    {"data_dir = " + strings.Repeat("!", 100_000), 1, "too deep"},
		"setting of another":    {"bus \"nats\" {\n brokers = [\"a:1\"]\n}", 2, `of bus "kafka"; here it is bus "nats"`},
		"block of another":      {"bus \"nats\" {\n sasl {}\n}", 2, `of bus "kafka"`},
		"kafka without brokers": {"bus \"kafka\" {}", 1, "brokers ="},
		"kafka broker":          {"bus \"kafka\" {\n brokers = [\"kafka\"]\n}", 1, "host:port"},
		"kafka without TLS":     {"bus \"kafka\" {\n brokers = [\"a:1\"]\n tls {\n ca = \"x\"\n}\n}", 3, "enabled = true"},
		"SASL without password": {"bus \"kafka\" {\n brokers = [\"a:1\"]\n sasl {\n mechanism = \"PLAIN\"\n user = \"u\"\n}\n}", 3, "all three"},
		"public address":        {"app \"a\" {\n driver \"sandbox\" { public_url = \"im.example:7300\" }\n}", 2, "http://im.example"},
		"public query":          {"app \"a\" {\n driver \"sandbox\" { public_url = \"http://im.example/?a=b\" }\n}", 2, "public_url"},
		"no such command":       {"policy {\n verbs = [\"message.*\", \"message.sned\"]\n}", 1, `Did you mean "message.send"?`},
		"no command at all":     {"policy {\n verbs = [\"room.*\"]\n}", 1, "timbridge schema list"},
		"account of nobody":     {"policy {\n accounts = [\"nobody\"]\n}", 1, `there are "bridge"`},
		"user id":               {"app \"a\" {\n account \"张三\" {}\n}", 2, "printable ASCII"},
		"NATS at Kafka's":       {"bus \"nats\" {\n url = \"kafka://h:4222\"\n}", 1, "Kafka is another bus"},
		"port too large":        {"http { listen = \"127.0.0.1:99999\" }", 1, "1 to 65535"},
		"any port":              {"bus \"nats\" {\n listen = \"127.0.0.1:0\"\n}", 1, "1 to 65535"},
		"port taken twice":      {"http { listen = \"127.0.0.1:7300\" }", 1, "driver.listen"},
		"another kind of bus":   {"bus \"nats\" {}\nbus \"kafka\" {\n brokers = [\"a:1\"]\n}", 2, "take one of the two away"},
		"command too large":     {"egress {\n max_message_bytes = \"2MiB\"\n}", 2, "1536KiB"},
		"key missing":           {"app \"a\" {\n driver \"sandbox\" {\n url = \"ws://x:1\"\n }\n}", 2, "no usersig"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("config.hcl", []byte(c.src))
			var e *config.Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v", err)
			}
			found := false
			for _, m := range e.Mistakes() {
				found = found || m.Line == c.line && strings.Contains(m.Summary+" "+m.Detail, c.want)
			}
			if !found {
				t.Errorf("no mistake at line %d with %q among:\n%v", c.line, c.want, err)
			}
			if !strings.Contains(err.Error(), "config.hcl") {
				t.Errorf("the text does not name the file: %v", err)
			}
		})
	}
}

func TestDurationAndSize(t *testing.T) {
	for text, want := range map[string]time.Duration{"300ms": 300 * time.Millisecond, "5m": 5 * time.Minute, "7d": 168 * time.Hour, "1d12h": 36 * time.Hour} {
		d, err := config.ParseDuration(text)
		if err != nil || d.Std() != want {
			t.Errorf("%s: %v, %v", text, d, err)
		}
		if back, err := config.ParseDuration(d.String()); err != nil || back != d {
			t.Errorf("%s prints as %s", text, d)
		}
	}
	for text, want := range map[string]config.Size{"0": 0, "5": 5, "64MiB": 64 << 20, "1 GiB": 1 << 30, "256KiB": 256 << 10} {
		s, err := config.ParseSize(text)
		if err != nil || s != want {
			t.Errorf("%s: %v, %v", text, s, err)
		}
		if back, err := config.ParseSize(s.String()); err != nil || back != s {
			t.Errorf("%s prints as %s", text, s)
		}
	}
}

// The line of a mistake is shown, but not the secret on it.
func TestMistakesHideSecrets(t *testing.T) {
	for name, src := range map[string]string{
		"the value is broken":   `bus "nats" { ` + "\n" + `  token = "hunter2` + "\n}",
		"more after the value":  `bus "nats" { ` + "\n" + `  token = "hunter2" "x"` + "\n}",
		"a wrong function":      `bus "nats" { ` + "\n" + `  token = fil("hunter2")` + "\n}",
		"escaped quotes":        `app "x" {` + "\n" + ` driver "sandbox" {` + "\n" + `    key = "a\"hunter2" + 1` + "\n}}",
		"a block in one line":   `bus "nats" { token = "hunter2" 3 }`,
		"of a block not known":  `bux "nats" { ` + "\n" + `  token = "hunter2"` + "\n}",
		"an argument not known": `bus "nats" { ` + "\n" + `  token = "hunter2", tokn = 1` + "\n}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("a.hcl", []byte(src))
			if err == nil {
				t.Fatal("no mistake is found")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("it is shown:\n%v", err)
			}
		})
	}
}

// Neither a verb that fits no string, nor an unexported field, where fmt asks
// no method, shows a secret.
func TestSecretsNeverPrint(t *testing.T) {
	s := config.NewSecret("hunter2")
	hidden := struct{ s config.Secret }{s}
	for _, verb := range "vsqxXdboOeEfFgGtcUpT" {
		for _, flags := range []string{"%", "%+", "%#", "% ", "%20"} {
			format := flags + string(verb)
			for _, v := range []any{s, &s, struct{ S config.Secret }{s}, hidden, []config.Secret{s}, map[string]config.Secret{"k": s}} {
				out := strings.ToLower(strings.ReplaceAll(fmt.Sprintf(format, v), " ", ""))
				if strings.Contains(out, "hunter") || strings.Contains(out, "68756e") || strings.Contains(out, "104117110") {
					t.Errorf("%s of %T shows it", format, v)
				}
			}
		}
	}
	if out, err := json.Marshal(map[string]any{"s": s, "none": config.Secret{}}); err != nil || string(out) != `{"none":"","s":"***"}` {
		t.Errorf("JSON: %s, %v", out, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(config.Example()))
	for _, src := range []string{
		"data_dir = \"${env(\"HOME\")}/x\"", "egress {\n  give_up = \"1d2h\"\n  max_accepted = 1e3\n}",
		"policy { verbs = [\"a\", null, 5] }", "bus \"kafka\" {\n brokers = [\"a:1\"]\n route \"x.*\" {}\n sasl { user = \"u\" }\n}", "bus \"nats\" { token = file(\"none\") }", "log = {}", "app {", "journal { reserve = <<E\n5\nE\n}",
	} {
		f.Add([]byte(src))
	}
	f.Add([]byte("app \"a\" { account \"b\" { usersig = env(\"X\") } }"))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := config.Parse("config.hcl", src)
		if err == nil && c == nil {
			t.Error("neither a configuration nor an error")
		}
		if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

func ExampleParse() {
	c, err := config.Parse("config.hcl", []byte(`journal { retention = "96h" }`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Journal.Retention, c.Bus.Kind, c.App.Accounts[0].ID)
	// Output: 4d nats bridge
}
