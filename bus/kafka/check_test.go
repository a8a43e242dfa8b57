package kafka

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/timbridge/timbridge/bus"
)

// Partitions with fewer replicas in sync than they need to take anything are named.
func TestThinPartitions(t *testing.T) {
	part := func(replicas, inSync int) partitionMeta { return partitionMeta{replicas: replicas, inSync: inSync} }
	for name, c := range map[string]struct {
		minInSync  int
		partitions []partitionMeta
		target     bus.Target // "" where nothing is wrong
		says       string
	}{
		"all in sync":              {2, []partitionMeta{part(3, 3), part(3, 3)}, "", ""},
		"as many as are needed":    {2, []partitionMeta{part(3, 2)}, "", ""},
		"one too few":              {2, []partitionMeta{part(3, 3), part(3, 1)}, "tim.events/1", "1 of 3, min.insync.replicas is 2"},
		"several":                  {2, []partitionMeta{part(3, 1), part(3, 3), part(3, 0)}, "tim.events/0", "1 more partitions"},
		"more needed than can be":  {2, []partitionMeta{part(1, 1)}, "", ""},
		"what is needed not known": {0, []partitionMeta{part(3, 1)}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&topic{name: "tim.events", minInSync: c.minInSync, partitions: c.partitions}).thin()
			var target *bus.TargetError
			switch {
			case c.target == "" && err != nil, c.target != "" && (!errors.As(err, &target) || target.Target != c.target || !errors.Is(err, errThin) || !strings.Contains(err.Error(), c.says)):
				t.Errorf("%v", err)
			}
		})
	}
}

// What differs is found on whichever partition it is, and so is what nobody tells.
func TestDifferences(t *testing.T) {
	r := &route{TopicConfig: TopicConfig{Name: "tim.commands", Partitions: 3, Replication: 3, Retention: -1}, stream: bus.Commands}
	as := map[string]string{configCleanup: "delete", configRetention: "-1", configTimestamp: "LogAppendTime"}
	even := []partitionMeta{{replicas: 3}, {replicas: 3}, {replicas: 3}}
	for name, c := range map[string]struct {
		partitions []partitionMeta
		change     func(map[string]string)
		want       []Difference
	}{
		"none": {even, func(map[string]string) {}, nil},
		"the copies of the last partition": {[]partitionMeta{{replicas: 3}, {replicas: 3}, {replicas: 1}}, func(map[string]string) {},
			[]Difference{{settingReplication, "1 (partition 2)", "3"}}},
		"a setting that is not told": {even, func(m map[string]string) { delete(m, configTimestamp) },
			[]Difference{{configTimestamp, "not told by the brokers", "LogAppendTime"}}},
		"how long messages are kept": {even, func(m map[string]string) { m[configRetention] = "604800000" },
			[]Difference{{configRetention, "604800000", "-1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			configs := map[string]string{}
			for k, v := range as {
				configs[k] = v
			}
			c.change(configs)
			got := differences(r, &topic{partitions: c.partitions}, configs)
			if len(got) != len(c.want) || len(got) == 1 && got[0] != c.want[0] {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A partition that cannot be read shows in Check, until it can; it is said once
// each time.
func TestUnreadPartitionShows(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	cfg := testConfig(t, cluster.ListenAddrs()[0])
	log := &lines{}
	cfg.Logger = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Info})
	b := mustOpen(t, cfg)
	r := commandsOf(t, b)
	check := func(want bool) {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			err := b.Check(t.Context())
			var access *AccessError
			var target *bus.TargetError
			if want && err == nil || !want && errors.As(err, &access) && access.Operation == "Read" && access.Resource == `topic "tim.commands"` &&
				errors.As(err, &target) && strings.HasPrefix(string(target.Target), "tim.commands/") {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("check: %v", err)
			}
		}
	}
	for n := range 2 {
		check(true)
		fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "tim.commands", Err: kerr.TopicAuthorizationFailed, Count: -1})
		check(false)
		log.await(t, "reading is interrupted", 3*(n+1))
		fault.Remove()
		check(true)
		log.await(t, "reading goes on", 3*(n+1))
		publishCommands(t, b, n, 1)
		readIDs(t, r, 1)
	}
	if n := log.count("reading is interrupted"); n != 6 {
		t.Errorf("of 3 partitions it is said %d times", n)
	}
}

// A right that is taken away under a bus that is open is said once, and shows in
// Check until it is given back.
func TestApacheDeniedLater(t *testing.T) {
	needApache(t)
	s := newSecurity(t)
	p := newApache(t, s)
	_ = mustOpen(t, testConfig(t, p.addr()))
	for _, op := range []kmsg.ACLOperation{kmsg.ACLOperationDescribe, kmsg.ACLOperationDescribeConfigs, kmsg.ACLOperationWrite, kmsg.ACLOperationRead} {
		allow(t, p, kmsg.ACLResourceTypeTopic, "tim.", op)
	}
	allow(t, p, kmsg.ACLResourceTypeGroup, "timbridge-", kmsg.ACLOperationRead)
	cfg := testConfig(t, s.at("SASL_PLAINTEXT"))
	cfg.SASL = &SASLConfig{"PLAIN", "bob", "bob-pw"}
	cfg.Waiting = func(error) {} // until the rights have spread
	log := &lines{}
	cfg.Logger = hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Info})
	b := mustOpen(t, cfg)
	deny := kmsg.NewPtrCreateACLsRequest()
	c := kmsg.NewCreateACLsRequestCreation()
	c.ResourceType, c.ResourceName, c.ResourcePatternType = kmsg.ACLResourceTypeTopic, "tim.outcomes", kmsg.ACLResourcePatternTypeLiteral
	c.Principal, c.Host, c.Operation, c.PermissionType = "User:bob", "*", kmsg.ACLOperationDescribe, kmsg.ACLPermissionTypeDeny
	deny.Creations = append(deny.Creations, c)
	if _, err := deny.RequestWith(t.Context(), admin(t, p.addr())); err != nil {
		t.Fatal(err)
	}
	log.await(t, "topics are not as they should be", 1)
	var access *AccessError
	if err := b.Check(t.Context()); !errors.As(err, &access) || access.Operation != "Describe" || access.Resource != `topic "tim.outcomes"` {
		t.Errorf("check: %v", err)
	}
	time.Sleep(4 * probeEvery) // in which it could be said again
	if n := log.count("topics are not as they should be"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	give := kmsg.NewPtrDeleteACLsRequest()
	f := kmsg.NewDeleteACLsRequestFilter()
	f.ResourceType, f.ResourceName, f.ResourcePatternType = c.ResourceType, &c.ResourceName, c.ResourcePatternType
	f.Operation, f.PermissionType = c.Operation, c.PermissionType
	give.Filters = append(give.Filters, f)
	if _, err := give.RequestWith(t.Context(), admin(t, p.addr())); err != nil {
		t.Fatal(err)
	}
	log.await(t, "topics can be asked for again", 1)
}
