package kafka

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The fake broker has no word for two of the settings, which are put into its
// answers here.
func TestDurability(t *testing.T) {
	for name, c := range map[string]struct {
		brokers, replication, minInSync int
		settings                        map[string]string
		kept                            bool
		detail, next                    string
	}{
		"one replica": {
			brokers: 1, replication: 1, minInSync: 1,
			detail: "one replica: ", next: "bus.replication = 3",
		},
		"one replica that syncs": {
			brokers: 1, replication: 1, minInSync: 1, settings: map[string]string{"flush.messages": "1"}, kept: true, detail: "flush.messages=1",
		},
		"one of three acknowledges alone":    {brokers: 3, replication: 3, minInSync: 1, detail: "min.insync.replicas=1", next: "min_insync = 2"},
		"a leader that lacks something":      {brokers: 3, replication: 3, minInSync: 2, settings: map[string]string{"unclean.leader.election.enable": "true"}, detail: "unclean.leader.election.enable=true", next: "kafka-configs"},
		"two of three":                       {brokers: 3, replication: 3, minInSync: 2, settings: map[string]string{"unclean.leader.election.enable": "false"}, kept: true, detail: "3 replicas, at least 2"},
		"two of three, and no word of leads": {brokers: 3, replication: 3, minInSync: 2, kept: true, detail: "3 replicas"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(c.brokers))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			said := map[string]string{configMinInSync: strconv.Itoa(c.minInSync)}
			maps.Copy(said, c.settings)
			say(cluster, said)
			cfg := testConfig(t, cluster.ListenAddrs()[0])
			cfg.Replication = c.replication
			for _, topic := range []*TopicConfig{&cfg.Events, &cfg.Commands, &cfg.Outcomes, &cfg.DeadLetters} {
				topic.MinInSync = c.minInSync
			}
			d := mustOpen(t, cfg).Durability(t.Context())
			if d.Kept != c.kept || !strings.Contains(d.Detail, c.detail) || !strings.Contains(d.Next, c.next) || (d.Next == "") != c.kept {
				t.Errorf("%+v", d)
			}
		})
	}
}

// What is wrong with some topics names them.
func TestDurabilityNamesTopics(t *testing.T) {
	d := judge([]durable{{name: "a", replicas: 3, minInSync: 2}, {name: "b", replicas: 1, minInSync: 1}, {name: "c", replicas: 1, minInSync: 1, synced: true}})
	if d.Kept || !strings.Contains(d.Detail, "one replica (b): ") {
		t.Errorf("%+v", d)
	}
}

// say has the brokers answer the question of durability so, for every topic.
func say(cluster *kfake.Cluster, settings map[string]string) {
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		asked := req.(*kmsg.DescribeConfigsRequest)
		if !slices.Contains(asked.Resources[0].ConfigNames, configUnclean) {
			return nil, nil, false // another question
		}
		res := asked.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, r := range asked.Resources {
			a := kmsg.NewDescribeConfigsResponseResource()
			a.ResourceType, a.ResourceName = r.ResourceType, r.ResourceName
			for name, value := range settings {
				entry := kmsg.NewDescribeConfigsResponseResourceConfig()
				entry.Name, entry.Value = name, kmsg.StringPtr(value)
				a.Configs = append(a.Configs, entry)
			}
			res.Resources = append(res.Resources, a)
		}
		return res, nil, true
	})
}

// What the brokers do not tell is said to be unknown.
func TestDurabilityUnknown(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	b := mustOpen(t, testConfig(t, cluster.ListenAddrs()[0]))
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	defer fault.Remove()
	if d := b.Durability(t.Context()); d.Kept || !strings.Contains(d.Detail, "DescribeConfigs") || d.Next == "" {
		t.Errorf("%+v", d)
	}
}
