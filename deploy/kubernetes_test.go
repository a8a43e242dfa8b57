package deploy

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is a document of the manifest, as far as it is looked at.
type object struct {
	Kind     string
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Data map[string]string
	Spec struct {
		Replicas    int
		ServiceName string `yaml:"serviceName"`
		ClusterIP   string `yaml:"clusterIP"`
		Selector    any
		Eviction    string `yaml:"unhealthyPodEvictionPolicy"`
		Template    struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Security map[string]any `yaml:"securityContext"`
				Spread   []struct {
					Key      string `yaml:"topologyKey"`
					Selector struct {
						Labels map[string]string `yaml:"matchLabels"`
					} `yaml:"labelSelector"`
				} `yaml:"topologySpreadConstraints"`
				Containers []container
				Volumes    []struct {
					Name      string
					ConfigMap *struct{ Name string } `yaml:"configMap"`
				}
			}
		}
		Claims []struct {
			Metadata struct{ Name string }
		} `yaml:"volumeClaimTemplates"`
	}
}

type container struct {
	Image string
	Args  []string
	Env   []struct {
		Name, Value string
		From        struct {
			Field struct {
				Path string `yaml:"fieldPath"`
			} `yaml:"fieldRef"`
		} `yaml:"valueFrom"`
	}
	Ports     []struct{ Name string }
	Startup   probe `yaml:"startupProbe"`
	Liveness  probe `yaml:"livenessProbe"`
	Readiness probe `yaml:"readinessProbe"`
	Security  struct {
		ReadOnly   bool                    `yaml:"readOnlyRootFilesystem"`
		Escalation bool                    `yaml:"allowPrivilegeEscalation"`
		Capability struct{ Drop []string } `yaml:"capabilities"`
	} `yaml:"securityContext"`
	Mounts []mount `yaml:"volumeMounts"`
}

type mount struct {
	Name string
	Path string `yaml:"mountPath"`
}

type probe struct {
	Get struct{ Path string } `yaml:"httpGet"`
}

func readManifest(t *testing.T) map[string]object {
	t.Helper()
	text, err := os.ReadFile("kubernetes/timbridge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]object{}
	for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o object
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		if _, twice := out[o.Kind]; twice || o.Metadata.Name != "timbridge" {
			t.Errorf("there are two of %s, or it is named %q", o.Kind, o.Metadata.Name)
		}
		out[o.Kind] = o
	}
}

func TestStatefulSet(t *testing.T) {
	objects := readManifest(t)
	for _, kind := range []string{"ConfigMap", "Service", "PodDisruptionBudget", "StatefulSet"} {
		if _, ok := objects[kind]; !ok {
			t.Fatalf("there is no %s", kind)
		}
	}
	set := objects["StatefulSet"].Spec
	if set.ServiceName != "timbridge" || objects["Service"].Spec.ClusterIP != "None" {
		t.Errorf("the service %q is not the headless one", set.ServiceName)
	}
	if len(set.Template.Spec.Containers) != 1 {
		t.Fatalf("a pod has %d containers", len(set.Template.Spec.Containers))
	}
	pod := set.Template.Spec.Containers[0]
	if !pinned.MatchString(pod.Image) {
		t.Errorf("the image %s is not pinned by its version", pod.Image)
	}
	if pod.Startup.Get.Path != "/live" || pod.Liveness.Get.Path != "/live" || pod.Readiness.Get.Path != "/ready" {
		t.Errorf("the probes ask %q, %q and %q", pod.Startup.Get.Path, pod.Liveness.Get.Path, pod.Readiness.Get.Path)
	}
	if !pod.Security.ReadOnly || pod.Security.Escalation || !slices.Equal(pod.Security.Capability.Drop, []string{"ALL"}) || set.Template.Spec.Security["runAsNonRoot"] != true {
		t.Errorf("the pod may do more than it needs: %+v", pod.Security)
	}
	volumes := []string{}
	for _, v := range set.Template.Spec.Volumes {
		volumes = append(volumes, v.Name)
		if v.ConfigMap != nil && v.ConfigMap.Name != objects["ConfigMap"].Metadata.Name {
			t.Errorf("the volume %s is a ConfigMap %s", v.Name, v.ConfigMap.Name)
		}
	}
	for _, c := range set.Claims {
		volumes = append(volumes, c.Metadata.Name)
	}
	for _, m := range pod.Mounts {
		if !slices.Contains(volumes, m.Name) {
			t.Errorf("mounts %s at %s, which is no volume", m.Name, m.Path)
		}
	}
	own := func(m mount) bool { return m.Name == set.Claims[0].Metadata.Name && m.Path == "/timbridge/data" }
	if len(set.Claims) != 1 || !slices.ContainsFunc(pod.Mounts, own) {
		t.Errorf("the data directory is no volume of the shard's own")
	}
}

// A node that is drained does not wait for a shard that is not ready, and one
// that fails takes one shard with it.
func TestShardsAndNodes(t *testing.T) {
	objects := readManifest(t)
	if got := objects["PodDisruptionBudget"].Spec.Eviction; got != "AlwaysAllow" {
		t.Errorf("pods that are not ready are evicted %q", got)
	}
	template := objects["StatefulSet"].Spec.Template
	if s := template.Spec.Spread; len(s) != 1 || s[0].Key != "kubernetes.io/hostname" || !maps.Equal(s[0].Selector.Labels, template.Metadata.Labels) {
		t.Errorf("the shards are spread by %+v", s)
	}
}

// Prometheus looks for the pods by what they are labelled with, and under the
// name that the alerts look for.
func TestScrapeOfKubernetes(t *testing.T) {
	var file struct {
		Rules   []string `yaml:"rule_files"`
		Scrapes []struct {
			Job     string `yaml:"job_name"`
			Relabel []struct {
				Sources []string `yaml:"source_labels"`
				Regex   string   `yaml:"regex"`
				Action  string   `yaml:"action"`
			} `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "prometheus/kubernetes.yml", &file)
	if len(file.Scrapes) != 1 || file.Scrapes[0].Job != "timbridge" || !slices.Equal(file.Rules, []string{"alerts.yml"}) {
		t.Fatalf("scrapes %+v, with the rules %v", file.Scrapes, file.Rules)
	}
	keep := file.Scrapes[0].Relabel[0]
	template := readManifest(t)["StatefulSet"].Spec.Template
	want := template.Metadata.Labels["app.kubernetes.io/name"] + ";" + template.Spec.Containers[0].Ports[0].Name
	if keep.Action != "keep" || keep.Regex != want {
		t.Errorf("keeps the pods %q, and they are %q", keep.Regex, want)
	}
}

// Each shard's configuration is one that the program takes, and the number of
// shards is that of the pods.
func TestShards(t *testing.T) {
	objects := readManifest(t)
	set := objects["StatefulSet"].Spec
	index, count := "", ""
	for _, e := range set.Template.Spec.Containers[0].Env {
		switch e.Name {
		case "SHARD_INDEX":
			index = e.From.Field.Path
		case "SHARD_COUNT":
			count = e.Value
		}
	}
	if index != "metadata.labels['apps.kubernetes.io/pod-index']" {
		t.Errorf("a shard's index is %q, which is not its pod's ordinal", index)
	}
	if count != strconv.Itoa(set.Replicas) || set.Replicas != 3 {
		t.Errorf("there are %d pods for %s shards", set.Replicas, count)
	}
	for ordinal := range set.Replicas {
		t.Setenv("SHARD_INDEX", strconv.Itoa(ordinal))
		t.Setenv("SHARD_COUNT", count)
		cfg := load(t, "config.hcl", objects["ConfigMap"].Data["config.hcl"])
		if cfg.Shard.Index != ordinal || cfg.Shard.Count != set.Replicas {
			t.Errorf("the pod %d is the shard %d of %d", ordinal, cfg.Shard.Index, cfg.Shard.Count)
		}
	}
}
