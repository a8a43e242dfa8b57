package bridge

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/timbridge/timbridge/bus"
)

// metrics serves the state of the bridge to Prometheus.
func (b *Bridge) metrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(b.took.collectors()...)
	r.MustRegister(newCollector(b),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// collector reads every figure from the parts' own counters at the moment of
// the scrape, so that there is one count of each thing.
type collector struct {
	b     *Bridge
	descs map[string]*prometheus.Desc
}

// figures are all metrics: name without "timbridge_", help, labels. A name is
// an interface: dashboards and alerts are built on it, and a golden file keeps it.
var figures = []struct {
	name, help string
	labels     []string
}{
	{"ready", "1 while the bridge does its work, as /ready says.", nil},
	{"start_time_seconds", "When this process opened its journal, in seconds since 1970.", nil},
	{"shards", "How many shards there are by this one's configuration: as many have to be there.", []string{"app", "bus", "shard"}},
	{"account_state", "1 for the state that an account is in, 0 for the others.", []string{"account", "state"}},
	{"account_catchup_conversations", "Conversations whose history is still to be read for the account.", []string{"account"}},
	{"account_catchup_read_conversations", "Conversations whose history the catch-up under way has read.", []string{"account"}},
	{"account_catchup_seconds", "How long the catch-up under way has gone on; 0 without one.", []string{"account"}},
	{"account_held_messages", "Messages that wait until history has been read.", []string{"account"}},
	{"reports_total", "Reports of the IM service, by the SDK's callback.", []string{"callback"}},
	{"facts_total", "Facts journaled.", nil},
	{"repeats_total", "Messages and other facts dropped because they had been journaled before.", nil},
	{"late_total", "Messages journaled after newer ones of their conversation.", nil},
	{"gaps_total", "Stretches of messages that could not be read back (account.gap_detected without covers).", nil},
	{"history_messages_total", "Messages read from history.", nil},
	{"ingress_queue_reports", "Reports that wait to be journaled.", nil},
	{"ingress_queue_bytes", "Their size.", nil},
	{"ingress_waiting_messages", "Messages of groups that wait for an earlier sequence, and what is about messages that are not there yet.", nil},
	{"seen_messages", "Messages remembered one by one, so that a repeat is known.", nil},
	{"seen_groups", "Groups remembered by sequence.", nil},
	{"seen_forgotten_timestamp_seconds", "Time of the newest message that had to be forgotten, in seconds since 1970; 0 without one.", nil},
	{"commands_read_total", "Commands read off the bus, whosever they are.", nil},
	{"commands_accepted_total", "Commands accepted.", nil},
	{"commands_repeated_total", "Commands dropped because they had been accepted before.", nil},
	{"commands_foreign_total", "Commands left to other shards.", nil},
	{"commands_rejected_total", "Commands rejected, by code.", []string{"code"}},
	{"commands_succeeded_total", "Commands carried out.", nil},
	{"commands_expired_total", "Accepted commands that expired.", nil},
	{"commands_failed_total", "Accepted commands that failed for good, by code.", []string{"code"}},
	{"call_attempts_total", "Calls of the IM service, by verb.", []string{"verb"}},
	{"call_retries_total", "Calls that were not a command's first.", nil},
	{"commands_doubtful_total", "Commands that were in doubt.", nil},
	{"commands_settled_total", "Commands in doubt that were found to have been carried out.", nil},
	{"media_fetches_total", "Times that the files of a message were to be had.", nil},
	{"deadletters_total", "Dead letters journaled.", nil},
	{"command_resets_total", "Times that reading commands could not go on where it stood.", nil},
	{"commands_lost_total", "Commands that the bus removed before they were read, as far as known.", nil},
	{"commands_unread", "Commands on the bus that are not read yet, whosever they are, by the bus's own numbers; -1 when it cannot be told.", nil},
	{"commands_open", "Accepted commands that are not finished.", nil},
	{"commands_open_bytes", "Their size.", nil},
	{"commands_oldest_open_seconds", "Age of the oldest of them.", nil},
	{"lanes", "Lanes at work.", nil},
	{"ledger_commands", "Commands remembered, so that a repeat is known.", nil},
	{"ledger_horizon_seconds", "How far back all commands are remembered, by the bus's time.", nil},
	{"ledger_dropped_total", "Commands forgotten before their time because the ledger was full.", nil},
	{"published_total", "Messages stored on the bus, by stream.", []string{"stream"}},
	{"publish_rounds_total", "Rounds stored on the bus.", nil},
	{"publish_retries_total", "Attempts to publish that failed.", nil},
	{"publish_refused_total", "Messages replaced by bridge.event_refused.", nil},
	{"publish_refilled_total", "Messages sent again to targets that lost them.", nil},
	{"published_position", "Journal position through which everything public is stored on the bus.", nil},
	{"publish_lag_entries", "Journal entries after that position.", nil},
	{"publish_stalled_seconds", "How long publishing has stood still; 0 while it goes on.", nil},
	{"bus_proof_age_seconds", "Age of the last proof that the bus is there; -1 without one.", nil},
	{"journal_first_position", "First position still in the journal.", nil},
	{"journal_last_position", "Last position of the journal.", nil},
	{"journal_bytes", "Size of the segments.", nil},
	{"journal_segments", "Number of segments.", nil},
	{"journal_snapshots", "Number of snapshots kept.", nil},
	{"journal_snapshot_bytes", "Size of the snapshots.", nil},
	{"journal_free_bytes", "Free space on the journal's volume; -1 when it cannot be told.", nil},
	{"journal_reserve_bytes", "Space kept for outcomes and plans on a full disk.", nil},
	{"journal_full", "1 while reports and commands have stopped for want of space.", nil},
	{"journal_entries_total", "Entries appended.", nil},
	{"journal_commits_total", "Groups of appends, each one sync.", nil},
	{"journal_sync_seconds_total", "Time spent in those syncs.", nil},
	{"journal_snapshots_total", "Snapshots written.", nil},
	{"journal_deleted_segments_total", "Old segments deleted.", nil},
}

// The names of the distributions.
const (
	reportSeconds  = "report_seconds"
	commandSeconds = "command_seconds"
	callSeconds    = "call_seconds"
	sendSeconds    = "publish_send_seconds"
)

// distributions are the histograms, with the bounds of their buckets: of the
// ways through the bridge, which an outage makes long, and of single calls.
var distributions = []struct {
	name, help string
	buckets    []float64
}{
	{reportSeconds, "How long it took from when the IM service handed a report in until what it made is stored on the bus.", ways},
	{commandSeconds, "How long it took from when a command was accepted until its outcome is stored on the bus.", ways},
	{callSeconds, "How long calls of the IM service took that carry out commands.", calls},
	{sendSeconds, "How long the bus took to store a round.", calls},
}

var (
	ways  = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60, 600}
	calls = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
)

// Metric describes one of the bridge's own metrics.
type Metric struct {
	Name, Help string
	// Type is "counter", "gauge" or "histogram".
	Type   string
	Labels []string
}

// Metrics lists them, in the order of the ways of data and the histograms
// behind: names with their prefix.
func Metrics() []Metric {
	var out []Metric
	for _, f := range figures {
		kind := "gauge"
		if strings.HasSuffix(f.name, "_total") {
			kind = "counter"
		}
		out = append(out, Metric{Name: "timbridge_" + f.name, Help: f.help, Type: kind, Labels: f.labels})
	}
	for _, d := range distributions {
		out = append(out, Metric{Name: "timbridge_" + d.name, Help: d.help, Type: "histogram"})
	}
	return out
}

func newCollector(b *Bridge) *collector {
	c := &collector{b: b, descs: map[string]*prometheus.Desc{}}
	for _, f := range figures {
		c.descs[f.name] = prometheus.NewDesc("timbridge_"+f.name, f.help, f.labels, nil)
	}
	return c
}

// Describe sends every metric's description.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range figures {
		ch <- c.descs[f.name]
	}
}

// Collect sends every figure as it is now.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	b, now := c.b, time.Now()
	gauge := func(name string, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(c.descs[name], prometheus.GaugeValue, v, labels...)
	}
	count := func(name string, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(c.descs[name], prometheus.CounterValue, float64(v), labels...)
	}
	gauge("ready", bit(b.Health().Ready))
	gauge("start_time_seconds", float64(b.started.UnixMilli())/1000)
	gauge("shards", float64(max(1, b.cfg.Shard.Count)), strconv.FormatUint(uint64(b.cfg.App.SDKAppID), 10), strings.ToLower(busKind(b.cfg)), strconv.Itoa(b.cfg.Shard.Index))

	in := b.ingress.Stats()
	for _, a := range b.accounts.list {
		s := a.Status()
		for _, state := range AccountStates() {
			gauge("account_state", bit(state == s.State), string(s.User), string(state))
		}
		gauge("account_catchup_conversations", float64(in.Accounts[a.user].Conversations), string(s.User))
		gauge("account_catchup_read_conversations", float64(in.Accounts[a.user].CatchUpRead), string(s.User))
		gauge("account_catchup_seconds", age(now, in.Accounts[a.user].CatchUpSince, 0), string(s.User))
		gauge("account_held_messages", float64(in.Accounts[a.user].Held), string(s.User))
	}
	for callback, n := range in.Reports {
		count("reports_total", n, callback)
	}
	count("facts_total", in.Recorded)
	count("repeats_total", in.Repeats)
	count("late_total", in.Late)
	count("gaps_total", in.Gaps)
	count("history_messages_total", in.Read)
	gauge("ingress_queue_reports", float64(in.Queued))
	gauge("ingress_queue_bytes", float64(in.QueuedBytes))
	gauge("ingress_waiting_messages", float64(in.Waiting))
	gauge("seen_messages", float64(in.Seen))
	gauge("seen_groups", float64(in.Groups))
	gauge("seen_forgotten_timestamp_seconds", seconds(in.Horizon))

	e := b.egress.Stats()
	count("commands_read_total", e.Read)
	count("commands_accepted_total", e.Accepted)
	count("commands_repeated_total", e.Repeated)
	count("commands_foreign_total", e.Foreign)
	for code, n := range e.Rejected {
		count("commands_rejected_total", n, string(code))
	}
	count("commands_succeeded_total", e.Succeeded)
	count("commands_expired_total", e.Expired)
	for code, n := range e.Failed {
		count("commands_failed_total", n, string(code))
	}
	for verb, n := range e.Attempts {
		count("call_attempts_total", n, verb)
	}
	count("call_retries_total", e.Retries)
	count("commands_doubtful_total", e.Doubts)
	count("commands_settled_total", e.Settled)
	count("media_fetches_total", e.MediaFetches)
	count("deadletters_total", e.DeadLetters)
	count("command_resets_total", e.Resets)
	count("commands_lost_total", e.Lost)
	gauge("commands_unread", float64(b.backlog.unread.Load()))
	gauge("commands_open", float64(e.Open))
	gauge("commands_open_bytes", float64(e.OpenBytes))
	gauge("commands_oldest_open_seconds", age(now, e.OldestAccepted, 0))
	gauge("lanes", float64(e.Lanes))
	gauge("ledger_commands", float64(e.Ledger))
	gauge("ledger_horizon_seconds", e.Horizon.Seconds())
	count("ledger_dropped_total", e.LedgerDropped)

	r := b.relay.Stats()
	for _, stream := range []bus.Stream{bus.Events, bus.Outcomes, bus.DeadLetters} {
		count("published_total", r.Published[stream], string(stream))
	}
	count("publish_rounds_total", r.Rounds)
	count("publish_retries_total", r.Retries)
	count("publish_refused_total", r.Refused)
	count("publish_refilled_total", r.Refilled)
	gauge("published_position", float64(r.Position))
	gauge("publish_lag_entries", float64(r.Lag))
	gauge("publish_stalled_seconds", age(now, r.Since, 0))
	proof, _ := b.probe.last()
	gauge("bus_proof_age_seconds", age(now, proof, -1))

	j := b.journal.Stats()
	gauge("journal_first_position", float64(j.First))
	gauge("journal_last_position", float64(j.Last))
	gauge("journal_bytes", float64(j.Bytes))
	gauge("journal_segments", float64(j.Segments))
	gauge("journal_snapshots", float64(j.Snapshots))
	gauge("journal_snapshot_bytes", float64(j.SnapshotBytes))
	gauge("journal_free_bytes", float64(j.Free))
	gauge("journal_reserve_bytes", float64(j.Reserve))
	gauge("journal_full", bit(j.Full))
	count("journal_entries_total", j.Entries)
	count("journal_commits_total", j.Commits)
	ch <- prometheus.MustNewConstMetric(c.descs["journal_sync_seconds_total"], prometheus.CounterValue, j.SyncTime.Seconds())
	k := b.keeper.stats()
	count("journal_snapshots_total", k.snapshots)
	count("journal_deleted_segments_total", k.deleted)
}

func bit(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// seconds is a time in seconds since 1970, 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// age is how long ago a time is, or none where there is no time.
func age(now, t time.Time, none float64) float64 {
	if t.IsZero() {
		return none
	}
	return now.Sub(t).Seconds()
}
