package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/timbridge/timbridge/bus"
)

// topic is what is known of one: a picture that is replaced, never changed.
type topic struct {
	name       string
	id         topicID
	partitions []partitionMeta
	numbers    []int // of the partitions, as balancers want them
	maxMessage int   // bytes of a batch; 0 is not known
	minInSync  int   // replicas that must have a batch; 0 is not known
}

func (t *topic) incarnation() string { return fmt.Sprintf("%x", t.id[:]) }

// targetOf names one partition of a topic.
func targetOf(topic string, partition int) bus.Target {
	return bus.Target(topic + "/" + strconv.Itoa(partition))
}

func splitTarget(t bus.Target) (topic string, partition int, err error) {
	i := strings.LastIndexByte(string(t), '/')
	if i < 0 {
		return string(t), 0, fmt.Errorf("target %q is not topic/partition", t)
	}
	partition, err = strconv.Atoi(string(t[i+1:]))
	if err != nil || partition < 0 {
		return string(t[:i]), 0, fmt.Errorf("target %q is not topic/partition", t)
	}
	return string(t[:i]), partition, nil
}

// learn asks the cluster for topics and remembers what it says. It counts one
// that was made anew, or has another leader than before, as a move.
func (b *Bus) learn(ctx context.Context, names ...string) error {
	metas, err := b.conn.metadata(ctx, names...)
	if err != nil {
		return fmt.Errorf("ask for topics: %w", err)
	}
	moved := false
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, m := range metas {
		if err := topicError(m.code, m.name, "Describe"); err != nil {
			if _, had := b.topics[m.name]; had && errors.Is(err, errNoTopic) {
				delete(b.topics, m.name)
				moved = true
			}
			errs = append(errs, err)
			continue
		}
		t := &topic{name: m.name, id: m.id, partitions: m.partitions}
		for i := range m.partitions {
			t.numbers = append(t.numbers, i)
		}
		if old := b.topics[m.name]; old != nil {
			t.maxMessage, t.minInSync = old.maxMessage, old.minInSync
			moved = moved || old.id != t.id || slices.ContainsFunc(t.numbers[:min(len(t.numbers), len(old.numbers))], func(i int) bool {
				return old.partitions[i].epoch != t.partitions[i].epoch
			})
		}
		b.topics[m.name] = t
	}
	if moved {
		b.moves++
	}
	return errors.Join(errs...)
}

// topicError gives what the cluster says of a topic as an error.
func topicError(code int16, name, operation string) error {
	switch err := codeError(code); codeOf(err) {
	case 0:
		return nil
	case kafkago.UnknownTopicOrPartition:
		return fmt.Errorf("topic %q: %w (%w)", name, errNoTopic, err)
	case kafkago.TopicAuthorizationFailed:
		return &AccessError{Operation: operation, Resource: fmt.Sprintf("topic %q", name), Err: err}
	default:
		return fmt.Errorf("topic %q: %w", name, err)
	}
}

// topic gives what is known of a topic, and asks where nothing is.
func (b *Bus) topic(ctx context.Context, name string) (*topic, error) {
	if t := b.known(name); t != nil {
		return t, nil
	}
	b.conn.need(name)
	if err := b.learn(ctx, name); err != nil {
		return nil, err
	}
	if t := b.known(name); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("topic %q: %w", name, errNoTopic)
}

func (b *Bus) known(name string) *topic {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.topics[name]
}

// epoch is what must be the same for what is remembered of partitions to hold:
// no connection was lost, no leader has changed, no topic was made anew.
func (b *Bus) epoch() uint64 {
	return b.moved() + b.conn.generation()
}

const (
	configRetention      = "retention.ms"
	configRetentionBytes = "retention.bytes"
	configMaxMessage     = "max.message.bytes"
	configMinInSync      = "min.insync.replicas"
	configTimestamp      = "message.timestamp.type"
	configCleanup        = "cleanup.policy"
)

// wanted are the settings that a route's topic must have.
func wanted(r *route) map[string]string {
	w := map[string]string{configCleanup: "delete"}
	if r.Retention != 0 {
		ms := r.Retention.Milliseconds()
		if r.Retention < 0 {
			ms = -1
		}
		w[configRetention] = strconv.FormatInt(ms, 10)
	}
	if r.RetentionBytes != 0 {
		w[configRetentionBytes] = strconv.FormatInt(max(r.RetentionBytes, -1), 10)
	}
	if r.MaxMessageBytes != 0 {
		w[configMaxMessage] = strconv.Itoa(r.MaxMessageBytes)
	}
	if r.MinInSync != 0 {
		w[configMinInSync] = strconv.Itoa(r.MinInSync)
	}
	if r.stream == bus.Commands {
		// How old a command is, is for the bus to say, not for its sender.
		w[configTimestamp] = "LogAppendTime"
	}
	return w
}

// ensure creates the topics, or checks them, as the configuration says.
func (b *Bus) ensure(ctx context.Context, manage bus.Manage) error {
	names := b.topicNames()
	err := b.learn(ctx, names...)
	if err != nil && !errors.Is(err, errNoTopic) {
		return err
	}
	var missing []*route
	for i := range b.routes {
		if b.known(b.routes[i].Name) == nil {
			missing = append(missing, &b.routes[i])
		}
	}
	if len(missing) > 0 {
		if manage == bus.ManageCheck {
			var errs []error
			for _, r := range missing {
				errs = append(errs, &ConfigError{Topic: r.Name, Missing: true})
			}
			return errors.Join(errs...)
		}
		if err := b.create(ctx, missing); err != nil {
			return err
		}
		if err := b.appear(ctx, names); err != nil {
			return err
		}
	}
	configs, err := b.describe(ctx, names)
	if err != nil {
		return err
	}
	var errs []error
	for i := range b.routes {
		r := &b.routes[i]
		t := b.known(r.Name)
		if t == nil {
			return fmt.Errorf("topic %q: %w", r.Name, errNoTopic)
		}
		ds := differences(r, t, configs[r.Name])
		if len(ds) > 0 && manage == bus.ManageUpdate {
			if err := b.update(ctx, r, t, ds); err != nil {
				return err
			}
			ds = slices.DeleteFunc(ds, func(d Difference) bool { return d.mends(r, t) })
		}
		if len(ds) > 0 {
			errs = append(errs, &ConfigError{Topic: r.Name, Differences: ds})
		}
	}
	return errors.Join(errs...)
}

// appear waits until topics that were made can be seen, which takes the brokers
// a moment.
func (b *Bus) appear(ctx context.Context, names []string) error {
	ctx, cancel := b.conn.ask(ctx)
	defer cancel()
	for attempt := 0; ; attempt++ {
		err := b.learn(ctx, names...)
		if err == nil || !errors.Is(err, errNoTopic) || !b.pause(ctx, backoff(min(attempt, 2))) {
			return err
		}
	}
}

const (
	settingPartitions  = "partitions"
	settingReplication = "replication factor"
)

// mends says that an update mends a difference.
func (d *Difference) mends(r *route, t *topic) bool {
	return d.Setting != settingReplication && (d.Setting != settingPartitions || r.Partitions > len(t.partitions))
}

func differences(r *route, t *topic, configs map[string]string) []Difference {
	var ds []Difference
	diff := func(setting, have, want string) {
		if have != want {
			ds = append(ds, Difference{Setting: setting, Have: have, Want: want})
		}
	}
	diff(settingPartitions, strconv.Itoa(len(t.partitions)), strconv.Itoa(r.Partitions))
	for i, p := range t.partitions {
		if p.replicas == r.Replication {
			continue
		}
		have := strconv.Itoa(p.replicas)
		if i > 0 { // what nobody sees who looks at the first alone
			have += fmt.Sprintf(" (partition %d)", i)
		}
		diff(settingReplication, have, strconv.Itoa(r.Replication))
		break
	}
	want := wanted(r)
	names := make([]string, 0, len(want))
	for name := range want {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		have, ok := configs[name]
		if !ok {
			have = "not told by the brokers"
		}
		diff(name, have, want[name])
	}
	return ds
}

// create makes topics. One that another instance makes meanwhile is there too.
func (b *Bus) create(ctx context.Context, missing []*route) error {
	req := &kafkago.CreateTopicsRequest{Addr: b.conn.addr}
	for _, r := range missing {
		t := kafkago.TopicConfig{Topic: r.Name, NumPartitions: r.Partitions, ReplicationFactor: r.Replication}
		for name, value := range wanted(r) {
			t.ConfigEntries = append(t.ConfigEntries, kafkago.ConfigEntry{ConfigName: name, ConfigValue: value})
		}
		req.Topics = append(req.Topics, t)
	}
	ctx, cancel := b.conn.ask(ctx)
	defer cancel()
	res, err := b.conn.client().CreateTopics(ctx, req)
	if err != nil {
		return fmt.Errorf("create topics: %w", answer(ctx, err))
	}
	for name, err := range res.Errors {
		switch codeOf(err) {
		case 0:
			if err != nil {
				return fmt.Errorf("create topic %q: %w", name, err)
			}
			b.log.Info("created topic", "topic", name)
		case kafkago.TopicAlreadyExists:
		case kafkago.TopicAuthorizationFailed, kafkago.ClusterAuthorizationFailed:
			return &AccessError{Operation: "Create", Resource: fmt.Sprintf("topic %q", name), Err: err}
		default:
			return fmt.Errorf("create topic %q: %w", name, err)
		}
	}
	return nil
}

// describe reads the settings of topics that are configured.
func (b *Bus) describe(ctx context.Context, names []string) (map[string]map[string]string, error) {
	out, err := b.settings(ctx, names, configRetention, configRetentionBytes, configMaxMessage, configMinInSync, configTimestamp, configCleanup)
	for name, configs := range out {
		b.setLimits(name, configs)
	}
	return out, err
}

// settings reads settings of topics by the names that Kafka has for them.
func (b *Bus) settings(ctx context.Context, names []string, settings ...string) (map[string]map[string]string, error) {
	req := &kafkago.DescribeConfigsRequest{Addr: b.conn.addr}
	for _, name := range names {
		req.Resources = append(req.Resources, kafkago.DescribeConfigRequestResource{
			ResourceType: kafkago.ResourceTypeTopic, ResourceName: name, ConfigNames: settings,
		})
	}
	ctx, cancel := b.conn.ask(ctx)
	defer cancel()
	res, err := b.conn.client().DescribeConfigs(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("read the settings of topics: %w", answer(ctx, err))
	}
	out := map[string]map[string]string{}
	for _, r := range res.Resources {
		if err := r.Error; err != nil {
			if codeOf(err) == kafkago.TopicAuthorizationFailed {
				return nil, &AccessError{Operation: "DescribeConfigs", Resource: fmt.Sprintf("topic %q", r.ResourceName), Err: err}
			}
			return nil, fmt.Errorf("read the settings of topic %q: %w", r.ResourceName, err)
		}
		configs := map[string]string{}
		for _, e := range r.ConfigEntries {
			configs[e.ConfigName] = e.ConfigValue
		}
		out[r.ResourceName] = configs
	}
	return out, nil
}

// setLimits remembers of a topic's settings what publishing has to know.
func (b *Bus) setLimits(name string, configs map[string]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.topics[name]; t != nil {
		next := *t
		if n, err := strconv.Atoi(configs[configMaxMessage]); err == nil {
			next.maxMessage = n
		}
		if n, err := strconv.Atoi(configs[configMinInSync]); err == nil {
			next.minInSync = n
		}
		b.topics[name] = &next
	}
}

// update changes what is different and can be changed.
func (b *Bus) update(ctx context.Context, r *route, t *topic, ds []Difference) error {
	var configs []kafkago.IncrementalAlterConfigsRequestConfig
	for _, d := range ds {
		if d.Setting == settingPartitions || d.Setting == settingReplication {
			continue
		}
		configs = append(configs, kafkago.IncrementalAlterConfigsRequestConfig{Name: d.Setting, Value: d.Want, ConfigOperation: kafkago.ConfigOperationSet})
	}
	ctx, cancel := b.conn.ask(ctx)
	defer cancel()
	if len(configs) > 0 {
		res, err := b.conn.client().IncrementalAlterConfigs(ctx, &kafkago.IncrementalAlterConfigsRequest{Addr: b.conn.addr,
			Resources: []kafkago.IncrementalAlterConfigsRequestResource{{ResourceType: kafkago.ResourceTypeTopic, ResourceName: r.Name, Configs: configs}}})
		if err == nil && len(res.Resources) > 0 {
			err = res.Resources[0].Error
		}
		if err != nil {
			return fmt.Errorf("change topic %q: %w", r.Name, answer(ctx, err))
		}
	}
	if r.Partitions > len(t.partitions) {
		res, err := b.conn.client().CreatePartitions(ctx, &kafkago.CreatePartitionsRequest{Addr: b.conn.addr,
			Topics: []kafkago.TopicPartitionsConfig{{Name: r.Name, Count: int32(r.Partitions)}}})
		if err == nil {
			err = res.Errors[r.Name]
		}
		if err != nil {
			return fmt.Errorf("add partitions to topic %q: %w", r.Name, answer(ctx, err))
		}
	}
	if len(ds) > 0 {
		b.log.Info("changed topic", "topic", r.Name)
	}
	return b.learn(ctx, r.Name)
}
