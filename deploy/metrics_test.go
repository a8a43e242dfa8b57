// Package deploy holds what is deployed to the program: the metrics in every
// query are the program's own, configurations are ones that it takes.
package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/timbridge/timbridge/bridge"
)

// goldenMetrics are the metrics that the program serves, each with its labels.
func goldenMetrics(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../bridge/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	line := regexp.MustCompile(`(?m)^(timbridge_\w+)(?:\{([^}]*)\})? (\w+)`)
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		has := strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
		if m[3] != "histogram" {
			out[m[1]] = has
			continue
		}
		out[m[1]+"_bucket"], out[m[1]+"_sum"], out[m[1]+"_count"] = append(slices.Clone(has), "le"), has, has
	}
	if len(out) < 50 {
		t.Fatalf("the golden list has %d metrics", len(out))
	}
	return out
}

// fromTheScrape are the labels that Prometheus adds.
var fromTheScrape = []string{"instance", "job"}

// checkQuery looks that a query can be read, asks for metrics that there are,
// and for labels that those have.
func checkQuery(t *testing.T, golden map[string][]string, query string) {
	t.Helper()
	expr, err := parser.ParseExpr(strings.ReplaceAll(query, "$__rate_interval", "1m"))
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return
	}
	known, found := slices.Clone(fromTheScrape), false
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		s, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		found = true
		has, ok := golden[s.Name]
		if !ok && s.Name != "up" {
			t.Errorf("%s: there is no metric %q", query, s.Name)
		}
		known = append(known, has...)
		for _, m := range s.LabelMatchers {
			switch {
			case m.Name == "__name__":
			case !slices.Contains(has, m.Name) && !slices.Contains(fromTheScrape, m.Name):
				t.Errorf("%s: %s has no label %q", query, s.Name, m.Name)
			case m.Name == "state":
				checkStates(t, query, m)
			}
		}
		return nil
	})
	if !found {
		t.Errorf("%s asks for no metric", query)
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if a, ok := node.(*parser.AggregateExpr); ok {
			for _, l := range a.Grouping {
				if !slices.Contains(known, l) {
					t.Errorf("%s: groups by %q, which none of its metrics has", query, l)
				}
			}
		}
		return nil
	})
}

// checkStates looks that every state that is named is one of an account's.
func checkStates(t *testing.T, query string, m *labels.Matcher) {
	t.Helper()
	for _, name := range strings.Split(m.Value, "|") {
		if !slices.Contains(bridge.AccountStates(), bridge.AccountState(name)) {
			t.Errorf("%s: an account has no state %q", query, name)
		}
	}
}

func TestAlerts(t *testing.T) {
	golden := goldenMetrics(t)
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	readYAML(t, "prometheus/alerts.yml", &file)
	seen := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			checkQuery(t, golden, r.Expr)
			switch {
			case r.Alert == "" || seen[r.Alert]:
				t.Errorf("an alert is named %q, which is nothing or not its alone", r.Alert)
			case r.Annotations["summary"] == "" || r.Annotations["description"] == "":
				t.Errorf("%s says not what is wrong, or not what to do", r.Alert)
			case r.Labels["severity"] != "critical" && r.Labels["severity"] != "warning":
				t.Errorf("%s is of severity %q", r.Alert, r.Labels["severity"])
			}
			seen[r.Alert] = true
		}
	}
	for _, name := range []string{
		"TimbridgeNotReady", "TimbridgeLagGrowing", "TimbridgeAccountNotConnected", "TimbridgeCommandsFailing",
		"TimbridgeJournalFull", "TimbridgeJournalNearlyFull", "TimbridgeGapDetected", "TimbridgeDown", "TimbridgeShardMissing",
		"TimbridgeCommandsLost", "TimbridgeCommandsNotRead",
	} {
		if !seen[name] {
			t.Errorf("there is no alert %s", name)
		}
	}
	tests, err := os.ReadFile("prometheus/alerts_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	for name := range seen {
		if !strings.Contains(string(tests), `alertname="`+name+`"`) {
			t.Errorf("no test of alerts_test.yml has %s fire", name)
		}
	}
}

// TestAlertsFire runs the tests of the alerts where Prometheus's promtool is
// installed, or TIMBRIDGE_PROMTOOL names it.
func TestAlertsFire(t *testing.T) {
	promtool := os.Getenv("TIMBRIDGE_PROMTOOL")
	if promtool == "" {
		var err error
		if promtool, err = exec.LookPath("promtool"); err != nil {
			t.Skip("there is no promtool: whether the alerts fire was not looked at")
		}
	}
	for _, args := range [][]string{
		{"check", "config", "prometheus/prometheus.yml"},
		{"check", "config", "--syntax-only", "prometheus/kubernetes.yml"},
		{"test", "rules", "prometheus/alerts_test.yml"},
	} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestPrometheus(t *testing.T) {
	var file struct {
		Rules   []string `yaml:"rule_files"`
		Scrapes []struct {
			Job string `yaml:"job_name"`
			DNS []struct {
				Names []string `yaml:"names"`
				Port  int      `yaml:"port"`
			} `yaml:"dns_sd_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "prometheus/prometheus.yml", &file)
	for _, name := range file.Rules {
		if _, err := os.Stat(filepath.Join("prometheus", name)); err != nil {
			t.Error(err)
		}
	}
	services := readCompose(t).Services
	for _, s := range file.Scrapes {
		for _, d := range s.DNS {
			for _, name := range d.Names {
				if _, ok := services[name]; !ok || d.Port != 7301 {
					t.Errorf("scrapes %s:%d, and docker-compose.yml has no such service", name, d.Port)
				}
			}
		}
	}
}

// panel is a panel of a dashboard, as far as it is looked at.
type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Targets     []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
	GridPos struct{ H, W, X, Y int } `json:"gridPos"`
}

func TestDashboard(t *testing.T) {
	golden := goldenMetrics(t)
	text, err := os.ReadFile("grafana/dashboards/timbridge.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID        string  `json:"uid"`
		Panels     []panel `json:"panels"`
		Templating struct {
			List []struct {
				Definition string `json:"definition"`
			} `json:"list"`
		} `json:"templating"`
		Annotations struct {
			List []struct {
				Expr string `json:"expr"`
			} `json:"list"`
		} `json:"annotations"`
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	ids, rows := map[int]bool{}, []string{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("the panel %q has another's id, or no room", p.Title)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("the panel %q has no title, says nothing of itself or shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			checkQuery(t, golden, target.Expr)
		}
	}
	for _, want := range []string{"Rates", "Outcomes", "Lag and latencies", "Accounts", "Journal"} {
		if !slices.Contains(rows, want) {
			t.Errorf("there is no row %q", want)
		}
	}
	values := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	for _, v := range board.Templating.List {
		if v.Definition == "" {
			continue
		}
		m := values.FindStringSubmatch(v.Definition)
		if m == nil || golden[m[1]] == nil && !slices.Contains(fromTheScrape, m[2]) {
			t.Errorf("a variable is made by %q", v.Definition)
			continue
		}
		checkQuery(t, golden, m[1])
	}
	for _, a := range board.Annotations.List {
		checkQuery(t, golden, a.Expr)
	}
}

// Grafana is given the data source and the folder that the dashboard needs.
func TestGrafanaProvisioning(t *testing.T) {
	var sources struct {
		Datasources []struct {
			Type string `yaml:"type"`
			URL  string `yaml:"url"`
		} `yaml:"datasources"`
	}
	readYAML(t, "grafana/provisioning/datasources/prometheus.yml", &sources)
	if len(sources.Datasources) != 1 || sources.Datasources[0].Type != "prometheus" || sources.Datasources[0].URL != "http://prometheus:9090" {
		t.Errorf("the data source is %+v", sources.Datasources)
	}
	var providers struct {
		Providers []struct {
			Options struct {
				Path string `yaml:"path"`
			} `yaml:"options"`
		} `yaml:"providers"`
	}
	readYAML(t, "grafana/provisioning/dashboards/timbridge.yml", &providers)
	mounted := slices.ContainsFunc(readCompose(t).Services["grafana"].Volumes, func(v string) bool {
		return len(providers.Providers) == 1 && v == "./deploy/grafana/dashboards:"+providers.Providers[0].Options.Path+":ro"
	})
	if !mounted {
		t.Errorf("the dashboards are looked for in %+v, and nothing is mounted there", providers.Providers)
	}
}

// readYAML reads a file with one document.
func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
