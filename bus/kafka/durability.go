package kafka

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Durability is what is left of what the brokers acknowledged when one of them
// loses its power.
type Durability struct {
	// Kept says that all of it is; it is false where that could not be found out.
	Kept bool
	// Detail is a sentence for people, and Next what to do, where there is something.
	Detail, Next string
}

const (
	configUnclean = "unclean.leader.election.enable"
	configFlush   = "flush.messages"
)

// durable is what decides it for one topic.
type durable struct {
	name                string
	replicas, minInSync int
	unclean             bool // a replica that lacks something may become the leader
	synced              bool // every message is on the disk before it is acknowledged
}

// Durability tells whether what the brokers acknowledged outlives the loss of one
// of them. The bridge counts a message as stored when every replica in sync has
// it, but brokers acknowledge before they write to their disks: what is safe is
// on two of them. ctx should have a deadline.
func (b *Bus) Durability(ctx context.Context) Durability {
	topics, err := b.durable(ctx)
	if err != nil {
		return Durability{
			Detail: fmt.Sprintf("cannot find out whether the topics outlive the loss of a broker: %v", err),
			Next:   "look at them with kafka-topics --describe: 3 replicas and min.insync.replicas=2 are usual",
		}
	}
	return judge(topics)
}

// durable asks for every topic's.
func (b *Bus) durable(ctx context.Context) ([]durable, error) {
	names := b.topicNames()
	if err := b.learn(ctx, names...); err != nil {
		return nil, err
	}
	settings, err := b.settings(ctx, names, configMinInSync, configUnclean, configFlush)
	if err != nil {
		return nil, err
	}
	var out []durable
	for _, name := range names {
		t, s := b.known(name), settings[name]
		if t == nil || len(t.partitions) == 0 {
			return nil, fmt.Errorf("topic %q: %w", name, errNoTopic)
		}
		d := durable{name: name, replicas: t.partitions[0].replicas, unclean: s[configUnclean] == "true", synced: s[configFlush] == "1"}
		for _, p := range t.partitions {
			d.replicas = min(d.replicas, p.replicas)
		}
		if d.minInSync, err = strconv.Atoi(s[configMinInSync]); err != nil {
			return nil, fmt.Errorf("the brokers do not tell the %s of topic %q", configMinInSync, name)
		}
		out = append(out, d)
	}
	return out, nil
}

// judge says what all topics come to, by those that are worst off.
func judge(topics []durable) Durability {
	var alone, thin, unclean []string
	fewest, least := topics[0].replicas, topics[0].minInSync
	for _, d := range topics {
		fewest, least = min(fewest, d.replicas), min(least, d.minInSync)
		switch {
		case d.synced:
		case d.replicas < 2:
			alone = append(alone, d.name)
		case d.minInSync < 2:
			thin = append(thin, d.name)
		case d.unclean:
			unclean = append(unclean, d.name)
		}
	}
	which := func(names []string) string {
		if len(names) == len(topics) {
			return ""
		}
		return " (" + strings.Join(names, ", ") + ")"
	}
	const lost = "what it acknowledged and had not yet written is gone when it loses its power: events are sent again from the journal, commands are lost"
	switch {
	case len(alone) > 0:
		return Durability{
			Detail: fmt.Sprintf("one replica%s: a broker acknowledges before it writes to its disk, and %s", which(alone), lost),
			Next:   "give the topics 3 replicas (kafka-reassign-partitions), and set bus.replication = 3 and min_insync = 2 for each",
		}
	case len(thin) > 0:
		return Durability{
			Detail: fmt.Sprintf("%d replicas, but %s=1%s: a broker that is the only one in sync acknowledges alone, and %s", fewest, configMinInSync, which(thin), lost),
			Next:   "set min_insync = 2 for each of these topics, with bus.manage = \"update\" or by kafka-configs",
		}
	case len(unclean) > 0:
		return Durability{
			Detail: fmt.Sprintf("%s=true%s: a broker that lacks messages may become the leader, and they are gone: events are sent again from the journal, commands are lost", configUnclean, which(unclean)),
			Next:   fmt.Sprintf("kafka-configs --alter --entity-type topics --entity-name … --add-config %s=false", configUnclean),
		}
	case fewest < 2 || least < 2:
		return Durability{Kept: true, Detail: "every message is written to the disk before it is acknowledged (flush.messages=1)"}
	}
	return Durability{Kept: true, Detail: fmt.Sprintf("%d replicas, at least %d of them in sync: the loss of one broker loses nothing", fewest, least)}
}
