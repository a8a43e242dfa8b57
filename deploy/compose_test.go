package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/timbridge/timbridge/config"
)

// composeFile is docker-compose.yml, as far as it is looked at.
type composeFile struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

type service struct {
	Image       string            `yaml:"image"`
	Profiles    []string          `yaml:"profiles"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	CapDrop     []string          `yaml:"cap_drop"`
	Security    []string          `yaml:"security_opt"`
	ReadOnly    bool              `yaml:"read_only"`
	Environment map[string]string `yaml:"environment"`
	DependsOn   any               `yaml:"depends_on"`
	Health      struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	var c composeFile
	readYAML(t, "../docker-compose.yml", &c)
	if len(c.Services) < 6 {
		t.Fatalf("docker-compose.yml has %d services", len(c.Services))
	}
	return c
}

// variable is ${NAME:-default}, for which its default is taken.
var variable = regexp.MustCompile(`\$\{\w+:-([^}]*)\}`)

func withDefaults(text string) string { return variable.ReplaceAllString(text, "$1") }

// pinned is an image with a whole version; timbridge:dev is built here.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+\.\d+(-[a-z0-9.]+)?$`)

func TestComposeServices(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		t.Run(name, func(t *testing.T) {
			image := withDefaults(s.Image)
			if image != "timbridge:dev" && !pinned.MatchString(image) {
				t.Errorf("the image %s is not pinned by its version", image)
			}
			if !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.Security, []string{"no-new-privileges:true"}) {
				t.Errorf("keeps capabilities: cap_drop %v, security_opt %v", s.CapDrop, s.Security)
			}
			for _, p := range s.Ports {
				if !strings.HasPrefix(p, "127.0.0.1:") {
					t.Errorf("the port %s is published to other machines", p)
				}
			}
			for _, v := range s.Volumes {
				from, _, ok := strings.Cut(withDefaults(v), ":")
				if path, local := strings.CutPrefix(from, "./"); local {
					if _, err := os.Stat(filepath.Join("..", path)); err != nil || !strings.HasSuffix(v, ":ro") {
						t.Errorf("mounts %s, which is not there, or may be written: %v", v, err)
					}
				} else if _, declared := c.Volumes[from]; !ok || !declared {
					t.Errorf("mounts %s, which is no volume", v)
				}
			}
		})
	}
	for name, s := range c.Services {
		if name != "secrets" && len(s.Health.Test) == 0 {
			t.Errorf("nothing says whether %s is well", name)
		}
		switch on := s.DependsOn.(type) {
		case nil:
		case map[string]any:
			for other, v := range on {
				if how, ok := v.(map[string]any); !ok || how["condition"] == nil || how["condition"] == "service_started" {
					t.Errorf("%s does not wait until %s is well", name, other)
				}
			}
		default:
			t.Errorf("%s does not say what it waits for of %v", name, on)
		}
	}
	for name, want := range map[string]string{"kafka": "kafka", "timbridge-kafka": "kafka", "prometheus": "monitoring", "grafana": "monitoring"} {
		if got := c.Services[name].Profiles; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is of the profiles %v, not of %s", name, got, want)
		}
	}
	for name, s := range c.Services {
		for variable, value := range s.Environment {
			if regexp.MustCompile(`(?i)(password|token|secret_key)$`).MatchString(variable) && value != "" {
				t.Errorf("%s has a secret written down: %s", name, variable)
			}
		}
	}
}

func TestDockerfileImagesArePinned(t *testing.T) {
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	from := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(text), -1)
	if len(from) != 2 {
		t.Fatalf("the Dockerfile has %d stages", len(from))
	}
	if !pinned.MatchString(from[0][1]) || from[1][1] != "scratch" {
		t.Errorf("it is built from %s, onto %s", from[0][1], from[1][1])
	}
	module, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	needs := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(module))
	if needs == nil || !strings.HasPrefix(from[0][1], "golang:"+needs[1]+".") {
		t.Errorf("it is built with %s, and go.mod says %v", from[0][1], needs)
	}
}

// load reads a configuration as a container would: its secrets lie in a folder
// of their own.
func load(t *testing.T, name, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	for _, secret := range []string{"im.key", "im.token", "bus.token"} {
		if err := os.WriteFile(filepath.Join(dir, secret), []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Parse(name, []byte(strings.ReplaceAll(text, `file("/secrets/`, `file("`+filepath.ToSlash(dir)+"/")))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The configurations are ones that the program takes, in the environment that
// docker-compose.yml gives them, and lead to its services.
func TestComposeConfigurations(t *testing.T) {
	c := readCompose(t)
	for name, file := range map[string]string{"timbridge": "nats.hcl", "timbridge-kafka": "kafka.hcl", "sandbox": "sandbox.hcl"} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range c.Services[name].Environment {
				t.Setenv(variable, withDefaults(value))
			}
			text, err := os.ReadFile(filepath.Join("compose", file))
			if err != nil {
				t.Fatal(err)
			}
			cfg := load(t, file, string(text))
			if name == "sandbox" {
				if cfg.App.Driver.Listen != "0.0.0.0:7300" || cfg.App.Driver.PublicURL != "http://127.0.0.1:7300" {
					t.Errorf("the sandbox listens at %s, and its files are at %s", cfg.App.Driver.Listen, cfg.App.Driver.PublicURL)
				}
				return
			}
			if cfg.App.Driver.URL != "ws://sandbox:7300" || cfg.HTTP.Listen != "0.0.0.0:7301" {
				t.Errorf("the sandbox is at %s, and metrics at %s", cfg.App.Driver.URL, cfg.HTTP.Listen)
			}
			switch cfg.Bus.Kind {
			case "nats":
				if cfg.Bus.NATS.URL != "nats://nats:4222" || !cfg.Bus.NATS.Token.IsSet() {
					t.Errorf("NATS is at %s, with a token: %v", cfg.Bus.NATS.URL, cfg.Bus.NATS.Token.IsSet())
				}
			case "kafka":
				if !slices.Equal(cfg.Bus.Kafka.Brokers, []string{"kafka:9092"}) {
					t.Errorf("Kafka is at %v", cfg.Bus.Kafka.Brokers)
				}
			}
		})
	}
}
