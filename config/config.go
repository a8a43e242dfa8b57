// Package config is timbridge's configuration: an HCL file whose every setting
// is described once, by the tags of the field that holds it. Decoding,
// defaults, checking, the commented config.hcl and the reference page all come
// from there:
//
//	hcl      the setting's name; ",block" for a block, ",label" for a block's label,
//	         ",variant" for what a block has besides when its label is that name
//	default  its value when it is not written; none means that empty is meant
//	doc      what it does, in a sentence or two
//	oneof    the words it may be
//	min      the least it may be, max the most
//
// With no file at all [Default] holds, and it runs: an IM sandbox and a NATS
// server inside the process, on loopback, with everything in ./data.
package config

// Config is a whole configuration. Treat it as read only.
type Config struct {
	DataDir string  `hcl:"data_dir" default:"data" doc:"Folder of everything that is kept: the journal, the secrets made on the first run, the sandbox and the embedded bus. Relative to the working directory. One bridge at a time can use it. New, it takes about 100 MiB, most of which is journal.reserve."`
	App     App     `hcl:"app,block"`
	Bus     Bus     `hcl:"bus,block"`
	Journal Journal `hcl:"journal,block"`
	Ingress Ingress `hcl:"ingress,block"`
	Egress  Egress  `hcl:"egress,block"`
	Policy  Policy  `hcl:"policy,block"`
	Shard   Shard   `hcl:"shard,block"`
	Log     Log     `hcl:"log,block"`
	HTTP    HTTP    `hcl:"http,block"`
}

// App is the IM application that is bridged.
type App struct {
	Name     string    `hcl:"name,label" default:"demo" doc:"A name for people."`
	SDKAppID uint32    `hcl:"sdkappid" default:"1400000000" min:"1" doc:"The application's id, from the IM console. It is the source of every event: tim://<sdkappid>."`
	Driver   Driver    `hcl:"driver,block"`
	Accounts []Account `hcl:"account,block"`
}

// Driver says which IM service is spoken to.
type Driver struct {
	Kind       string `hcl:"kind,label" default:"sandbox" oneof:"sandbox" doc:"The IM service: \"sandbox\", for development and tests."`
	URL        string `hcl:"url" doc:"Address of a sandbox that runs by itself, as ws://host:port or wss://host:port. Empty: one runs inside this process."`
	Listen     string `hcl:"listen" default:"127.0.0.1:7300" doc:"Where the sandbox inside this process listens, for \"timbridge chat\" and for tests."`
	Key        Secret `hcl:"key" doc:"The application's secret key, which UserSigs are signed and checked with. Empty: made at random on the first run and kept in <data_dir>/im.key."`
	Token      Secret `hcl:"token" doc:"What a client presents to the sandbox. Empty: made at random on the first run and kept in <data_dir>/im.token."`
	Delivery   string `hcl:"delivery" default:"ack" oneof:"ack,push" doc:"\"ack\" keeps a report until it is acknowledged; \"push\" forgets it once sent, as Tencent's service does."`
	RateLimits bool   `hcl:"rate_limits" default:"true" doc:"Whether the sandbox, inside this process or as \"timbridge sandbox\", limits how often one may send, as the service does."`

	MaxGroups         int      `hcl:"max_groups" min:"0" doc:"How many groups there may be at once in the sandbox inside this process; beyond it creating one is refused with 10058, as in an edition of the service that has such a limit. 0: no limit."`
	MaxAVChatRooms    int      `hcl:"max_avchatrooms" min:"0" doc:"How many of them may be AVChatRooms (10036). 0: no limit."`
	MaxJoinedGroups   int      `hcl:"max_joined_groups" min:"0" doc:"How many groups one account may be in (10037). 0: no limit."`
	MaxCallsPerSecond int      `hcl:"max_calls_per_second" min:"0" doc:"How many calls of one kind an account may make in a second (7008), unless rate_limits is false. 0: no limit."`
	AskInvitees       []string `hcl:"ask_invitees" doc:"Accounts that decide themselves whether they come into a group that a member invites them to. Empty: whoever may be invited is in at once."`

	HistoryMessages int      `hcl:"history_messages" default:"200000" min:"0" doc:"How many messages the sandbox inside this process keeps for reading back, in all conversations together; the oldest go first. 0: no limit."`
	HistoryBytes    Size     `hcl:"history_bytes" default:"64MiB" doc:"The same by the length of what was said. 0: no limit."`
	HistoryTime     Duration `hcl:"history_time" default:"168h" doc:"The same by age. 0: no limit."`

	MediaMaxBytes   Size     `hcl:"media_max_bytes" default:"32MiB" min:"1KiB" max:"1GiB" doc:"The largest file that the sandbox inside this process takes. Images have a limit of 28 MB besides, all others one of 100 MB."`
	MediaTotalBytes Size     `hcl:"media_total_bytes" default:"4GiB" min:"1MiB" doc:"How much all files may take together that were sent through it; beyond it none is taken."`
	MediaTime       Duration `hcl:"media_time" default:"24h" min:"1m" doc:"How long it keeps a file at least that no message has, any more or yet."`
	PublicURL       string   `hcl:"public_url" doc:"Where others reach the sandbox inside this process, as http://host:port or https://host/path: what the URLs of received files begin with. Empty: what the first client with the right token came by."`

	Heartbeat Duration `hcl:"heartbeat" default:"2s" min:"100ms" doc:"How often both ends of the connection show that they are alive; three missed ones end it."`
}

// Account is an account that the bridge signs in.
type Account struct {
	ID      string `hcl:"id,label" default:"bridge" doc:"The user id."`
	UserSig Secret `hcl:"usersig" doc:"Its UserSig, from env() or file(); a file is read again when the UserSig has expired. Empty: signed with the driver's key, and renewed in time."`

	WatchStatus []string `hcl:"watch_status" doc:"Users whose coming, going and changes of words the account asks to be told of after each sign-in; each is a user.status_changed. At most 200. Empty: nobody's."`
}

// Bus is the event bus: what every kind has, and what one kind has of its own.
// The settings of both are written into the one block.
type Bus struct {
	Kind string `hcl:"kind,label" default:"nats" oneof:"nats,kafka" doc:"The kind of bus: \"nats\" (JetStream, nats-server 2.12 or later) or \"kafka\" (Apache Kafka, or what speaks its protocol)."`
	Mode string `hcl:"mode" default:"binary" oneof:"binary,structured" doc:"How CloudEvents are written: \"binary\" (attributes as headers) or \"structured\" (one JSON document). Both are read."`

	NATS  NATS  `hcl:"nats,variant"`
	Kafka Kafka `hcl:"kafka,variant"`
}

// NATS is a bus of the kind "nats".
type NATS struct {
	URL      string `hcl:"url" doc:"Servers to connect to, as nats://host:port or tls://host:port, several separated by commas. Empty: a server runs inside this process, with its files in <data_dir>/nats, and syncs before it acknowledges."`
	Listen   string `hcl:"listen" default:"127.0.0.1:4222" doc:"Where the server inside this process listens."`
	Token    Secret `hcl:"token" doc:"Token to authenticate with. For the server inside this process, empty: made at random on the first run and kept in <data_dir>/bus.token."`
	User     string `hcl:"user" doc:"User to authenticate as."`
	Password Secret `hcl:"password" doc:"Its password."`
	NKey     string `hcl:"nkey" doc:"File with an NKey seed to authenticate with."`
	Creds    string `hcl:"credentials" doc:"Credentials file (JWT and NKey) to authenticate with."`
	TLS      TLS    `hcl:"tls,block"`

	Manage          string      `hcl:"manage" default:"create" oneof:"create,update,check" doc:"What to do about streams: \"create\" makes missing ones and refuses to start on different ones, \"update\" also changes those, \"check\" makes and changes nothing."`
	Replicas        int         `hcl:"replicas" default:"1" min:"1" max:"5" doc:"Copies that a cluster keeps of each stream."`
	DuplicateWindow Duration    `hcl:"duplicate_window" default:"2m" min:"1s" doc:"How long the streams remember message ids. That each event is published once never depends on it; repeated commands from others are dropped within it."`
	MarkBucket      string      `hcl:"mark_bucket" default:"tim-marks" doc:"Key-value bucket with the mark of each shard: the position in the command stream below which everything is finished."`
	LooseSubjects   bool        `hcl:"loose_subjects" doc:"Whether a command is taken whatever subject it lies on. If not, it must lie on its own account's and verb's subject, so that permissions on subjects mean something."`
	MonitorURL      string      `hcl:"monitor_url" doc:"The server's monitoring address, as http://host:8222, which \"timbridge doctor\" asks whether it syncs before it acknowledges."`
	Events          Stream      `hcl:"events,block"`
	Commands        Stream      `hcl:"commands,block"`
	Outcomes        Stream      `hcl:"outcomes,block"`
	DeadLetters     Stream      `hcl:"deadletters,block"`
	Routes          []NATSRoute `hcl:"route,block"`
}

// Stream is one stream of NATS. Empty fields take the stream's defaults.
type Stream struct {
	Name            string   `hcl:"name" doc:"The stream's name on the bus. Empty: tim-events, tim-commands, tim-outcomes, tim-deadletters."`
	Subject         string   `hcl:"subject" doc:"What its subjects begin with. Empty: tim.events, tim.commands, tim.outcomes, tim.deadletters."`
	MaxAge          Duration `hcl:"max_age" doc:"How long messages are kept. 0: for ever."`
	MaxBytes        Size     `hcl:"max_bytes" doc:"How large the stream may grow: then the oldest messages go, but of the commands, which refuse new ones instead. 0: no limit."`
	MaxMessages     int      `hcl:"max_messages" min:"0" doc:"How many messages it may hold. 0: no limit."`
	MaxMessageBytes Size     `hcl:"max_message_bytes" max:"64MiB" doc:"The largest message. 0: the server's limit."`
}

// NATSRoute sends some types of event to a stream of its own.
type NATSRoute struct {
	Types   string `hcl:"types,label" default:"message.*" doc:"Pattern over <family>.<what> of an event's type, as in \"message.*\"; the first that matches is taken."`
	Name    string `hcl:"name" default:"tim-messages" doc:"The stream's name on the bus."`
	Subject string `hcl:"subject" default:"tim.messages" doc:"What its subjects begin with."`
}

// TLS secures a connection. Without a block the system's authorities hold
// where the address asks for TLS.
type TLS struct {
	CA         string `hcl:"ca" doc:"File with the certificates (PEM) of the authorities to trust. Empty: the system's."`
	Cert       string `hcl:"cert" doc:"File with the client's certificate (PEM)."`
	Key        string `hcl:"key" doc:"File with its key (PEM)."`
	ServerName string `hcl:"server_name" doc:"Name that the server's certificate must have. Empty: the host of the address."`
}

// Kafka is a bus of the kind "kafka".
type Kafka struct {
	Brokers  []string `hcl:"brokers" doc:"Where to begin, each as host:port; the other brokers are learnt from these."`
	ClientID string   `hcl:"client_id" default:"timbridge" doc:"What this client is called in the brokers' logs and quotas."`
	TLS      KafkaTLS `hcl:"tls,block"`
	SASL     SASL     `hcl:"sasl,block"`

	Manage         string       `hcl:"manage" default:"create" oneof:"create,update,check" doc:"What to do about topics: \"create\" makes missing ones and refuses to start on different ones, \"update\" also changes those (partitions are only ever added), \"check\" makes and changes nothing."`
	Partitions     int          `hcl:"partitions" default:"12" min:"1" max:"10000" doc:"Partitions of each topic that does not say its own. Events of one conversation are in one partition, in order."`
	Replication    int          `hcl:"replication" default:"1" min:"1" max:"100" doc:"Copies that the cluster keeps of each topic that does not say its own; 3 is usual where there are brokers for it."`
	Group          string       `hcl:"group" default:"timbridge" doc:"Consumer group that the mark of each shard is committed to, as <group>-<shard>: the position on each partition of the commands below which everything is finished."`
	Compression    string       `hcl:"compression" default:"none" oneof:"none,gzip,snappy,lz4,zstd" doc:"How batches are compressed: \"none\", \"gzip\", \"snappy\", \"lz4\" or \"zstd\"."`
	BatchMessages  int          `hcl:"batch_messages" default:"1000" min:"1" max:"100000" doc:"The most messages in one batch."`
	BatchBytes     Size         `hcl:"batch_bytes" default:"1000000" min:"1KiB" max:"64MiB" doc:"The most bytes in one batch; the topic's max_message_bytes bounds it too."`
	RequestTimeout Duration     `hcl:"request_timeout" default:"10s" min:"100ms" doc:"How long one answer of a broker is waited for."`
	Events         Topic        `hcl:"events,block"`
	Commands       Topic        `hcl:"commands,block"`
	Outcomes       Topic        `hcl:"outcomes,block"`
	DeadLetters    Topic        `hcl:"deadletters,block"`
	Routes         []KafkaRoute `hcl:"route,block"`
}

// KafkaTLS secures the connections to Kafka, whose addresses do not say
// whether they are.
type KafkaTLS struct {
	Enabled    bool   `hcl:"enabled" doc:"Whether the brokers speak TLS."`
	CA         string `hcl:"ca" doc:"File with the certificates (PEM) of the authorities to trust. Empty: the system's."`
	Cert       string `hcl:"cert" doc:"File with the client's certificate (PEM)."`
	Key        string `hcl:"key" doc:"File with its key (PEM)."`
	ServerName string `hcl:"server_name" doc:"Name that the brokers' certificates must have. Empty: the host of the address."`
}

// SASL says who we are to Kafka.
type SASL struct {
	Mechanism string `hcl:"mechanism" oneof:"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" doc:"How: \"PLAIN\" (over TLS, for it sends the password as it is), \"SCRAM-SHA-256\" or \"SCRAM-SHA-512\". Empty: not at all."`
	User      string `hcl:"user" doc:"User to authenticate as."`
	Password  Secret `hcl:"password" doc:"Its password."`
}

// Topic is one topic of Kafka. What is empty, but for name and partitions, is
// left to the cluster and not looked at.
type Topic struct {
	Name            string   `hcl:"name" doc:"The topic's name. Empty: tim.events, tim.commands, tim.outcomes, tim.deadletters."`
	Partitions      int      `hcl:"partitions" min:"0" max:"10000" doc:"Its partitions. 0: what the bus's partitions say."`
	Replication     int      `hcl:"replication" min:"0" max:"100" doc:"Its copies. 0: what the bus's replication says."`
	Retention       Lifetime `hcl:"retention" doc:"How long messages are kept, or \"forever\". 0: what the cluster says, a week where it says nothing."`
	RetentionBytes  Size     `hcl:"retention_bytes" doc:"How large each partition may grow before its oldest messages go. 0: what the cluster says."`
	MaxMessageBytes Size     `hcl:"max_message_bytes" max:"64MiB" doc:"The largest batch of messages taken. 0: what the cluster says."`
	MinInSync       int      `hcl:"min_insync" min:"0" max:"100" doc:"Copies that must have a message before it counts as stored. 0: what the cluster says."`
}

// KafkaRoute sends some types of event to a topic of its own.
type KafkaRoute struct {
	Types           string   `hcl:"types,label" default:"message.*" doc:"Pattern over <family>.<what> of an event's type, as in \"message.*\"; the first that matches is taken."`
	Name            string   `hcl:"name" default:"tim.messages" doc:"The topic's name."`
	Partitions      int      `hcl:"partitions" min:"0" max:"10000" doc:"Its partitions. 0: what the bus's partitions say."`
	Replication     int      `hcl:"replication" min:"0" max:"100" doc:"Its copies. 0: what the bus's replication says."`
	Retention       Lifetime `hcl:"retention" doc:"How long messages are kept, or \"forever\". 0: what the cluster says, a week where it says nothing."`
	RetentionBytes  Size     `hcl:"retention_bytes" doc:"How large each partition may grow before its oldest messages go. 0: what the cluster says."`
	MaxMessageBytes Size     `hcl:"max_message_bytes" max:"64MiB" doc:"The largest batch of messages taken. 0: what the cluster says."`
	MinInSync       int      `hcl:"min_insync" min:"0" max:"100" doc:"Copies that must have a message before it counts as stored. 0: what the cluster says."`
}

// Journal is the log on disk.
type Journal struct {
	Dir              string   `hcl:"dir" doc:"Folder of the journal. Empty: <data_dir>/journal."`
	SegmentBytes     Size     `hcl:"segment_bytes" default:"64MiB" min:"1MiB" max:"1GiB" doc:"Size at which a segment is closed and the next one begun. Whole segments are deleted."`
	Retention        Duration `hcl:"retention" default:"72h" doc:"How long entries are kept at least, and a day of it after they were published. Less than 24h is for tests."`
	HighWater        Size     `hcl:"high_water" default:"256MiB" doc:"Free space on the volume below which reports and commands stop, until there is more."`
	Reserve          Size     `hcl:"reserve" default:"64MiB" min:"1MiB" doc:"Space kept so that outcomes of what was started, and plans, can still be written on a full disk."`
	MaxBytes         Size     `hcl:"max_bytes" doc:"Size of the journal at which reports and commands stop. 0: no limit but the volume."`
	SnapshotInterval Duration `hcl:"snapshot_interval" default:"1m" min:"1s" doc:"How often a snapshot is written, when something has changed."`
	SnapshotEntries  int      `hcl:"snapshot_entries" default:"200000" min:"100" doc:"Entries after which one is written before that."`
}

// Ingress is the way from chat to the journal.
type Ingress struct {
	Backfill Duration `hcl:"backfill" doc:"How far back an account's first sign-in reads history. 0: not at all."`
	GapWait  Duration `hcl:"gap_wait" default:"1s" min:"10ms" doc:"How long a gap in a group's sequence is waited for before history is read."`
	// ChangeWindow is at most the service's shortest retention: what became of
	// messages is remembered for a day longer.
	ChangeWindow Duration `hcl:"change_window" default:"1h" max:"7d" doc:"How long before an absence a message may have been sent that is read from history again, for having been recalled or modified meanwhile. Only where the service forgets what it has reported; each conversation with such a message costs a call. 0: none is read for that alone."`
	MaxSeen      int      `hcl:"max_seen" default:"4000000" min:"1000" doc:"Messages remembered so that a repeat is known as one; the oldest go first."`
	Queue        int      `hcl:"queue" default:"4096" min:"16" doc:"Reports that may wait to be journaled before the driver is held up."`
}

// Egress is the way from commands to chat.
type Egress struct {
	MaxAccepted     int      `hcl:"max_accepted" default:"10000" min:"4" doc:"Unfinished commands at which reading stops. One account may hold a quarter of them."`
	MaxLedger       int      `hcl:"max_ledger" default:"4000000" min:"1000" doc:"Commands remembered so that a repeat is known as one; the oldest go first."`
	Horizon         Duration `hcl:"horizon" default:"7d" min:"1h" doc:"Age, by the bus's own time, from which on a command is not carried out any more but expired."`
	GiveUp          Duration `hcl:"give_up" default:"24h" min:"1s" doc:"How long a command waits for a service that cannot be reached."`
	AccountWait     Duration `hcl:"account_wait" default:"5m" min:"1s" doc:"How long commands wait for an account that is kicked, refused or signed out; then they fail as account_unavailable."`
	OnDoubt         string   `hcl:"on_doubt" default:"fail" oneof:"fail,repeat" doc:"What becomes of a send when nothing can tell whether it was carried out: \"fail\" (code in_doubt, never repeated) or \"repeat\"."`
	MaxMessageBytes Size     `hcl:"max_message_bytes" default:"1MiB" min:"1KiB" max:"1536KiB" doc:"Size of a command on the bus from which on it is rejected as too_large; more than the most would not fit into the journal."`
	RetryMin        Duration `hcl:"retry_min" default:"200ms" min:"1ms" doc:"First wait before a call is tried again; it doubles, with jitter."`
	RetryMax        Duration `hcl:"retry_max" default:"30s" min:"1ms" doc:"Longest wait before a call is tried again."`
	CallTimeout     Duration `hcl:"call_timeout" default:"15s" min:"100ms" doc:"How long an answer of the service is waited for."`
	MediaMaxBytes   Size     `hcl:"media_max_bytes" default:"100MiB" min:"1KiB" max:"4GiB" doc:"Size from which on a file that a message is to carry is media_too_large."`
	MediaTimeout    Duration `hcl:"media_timeout" default:"30s" min:"100ms" doc:"How long fetching one file may take, and how much longer an answer is waited for when files are handed to the service."`
	Rates           Rates    `hcl:"rates,block"`
}

// Rates limit how often an account calls the service, each second; 0 is no limit.
type Rates struct {
	Account float64 `hcl:"account" default:"40" min:"0" doc:"All calls of one account together."`
	Send    float64 `hcl:"send" min:"0" doc:"Messages sent by one account."`
	Revoke  float64 `hcl:"revoke" min:"0" doc:"Messages revoked by one account."`
	Group   float64 `hcl:"group" default:"5" min:"0" doc:"What one account does with groups: every command whose name begins with group."`
}

// Policy limits what a command may ask. An empty list allows everything, but
// of media_hosts; "*" stands for any run of characters.
type Policy struct {
	Accounts      []string `hcl:"accounts" doc:"User ids that commands may act as. Empty: every configured account."`
	Conversations []string `hcl:"conversations" doc:"Conversations that commands may touch, by subject: \"c2c/*/bob\", \"group/team-*\"."`
	Verbs         []string `hcl:"verbs" doc:"Commands allowed, without their family's prefix and version: \"message.send\", \"group.*\"."`
	MediaHosts    []string `hcl:"media_hosts" doc:"Hosts that files of messages may be fetched from by http and https: \"files.example.com\", \"*.example.com\"; with its port where it is another than the usual: \"files.example.com:8443\". Empty: none, so that files come only in the command itself. \"*\": any."`
	MediaPrivate  bool     `hcl:"media_private" doc:"Whether such a host may have an address of the machine itself or of a private network."`
}

// Shard is this instance's part of several.
type Shard struct {
	Index int `hcl:"index" min:"0" doc:"This shard's number, from 0."`
	Count int `hcl:"count" default:"1" min:"1" max:"1024" doc:"Number of shards. An account belongs to the shard hash(account) mod count. Changing it is a migration: drain all, then start."`
}

// Log is what is told, and how.
type Log struct {
	Level  string `hcl:"level" default:"info" oneof:"trace,debug,info,warn,error,off" doc:"The least severe level that is told."`
	Format string `hcl:"format" default:"text" oneof:"text,json" doc:"\"text\" for people, \"json\" for machines."`
	Levels Levels `hcl:"levels,block"`
}

// Levels are levels by part; empty follows log.level.
type Levels struct {
	Ingress  string `hcl:"ingress" oneof:"trace,debug,info,warn,error,off" doc:"Level of ingress."`
	Egress   string `hcl:"egress" oneof:"trace,debug,info,warn,error,off" doc:"Level of egress."`
	Relay    string `hcl:"relay" oneof:"trace,debug,info,warn,error,off" doc:"Level of the relay."`
	Bus      string `hcl:"bus" oneof:"trace,debug,info,warn,error,off" doc:"Level of the bus."`
	Accounts string `hcl:"accounts" oneof:"trace,debug,info,warn,error,off" doc:"Level of the accounts and their driver."`
	Sandbox  string `hcl:"sandbox" oneof:"trace,debug,info,warn,error,off" doc:"Level of the sandbox inside this process."`
}

// HTTP is where liveness, readiness and metrics are served.
type HTTP struct {
	Listen      string   `hcl:"listen" default:"127.0.0.1:7301" doc:"Address of /live, /ready and /metrics. \"off\": none. They need no authentication, so keep it on loopback or a private network."`
	ReadyWithin Duration `hcl:"ready_within" default:"10s" min:"1s" doc:"How old the last proof that bus and IM service can be reached may be for /ready to say yes."`
}
