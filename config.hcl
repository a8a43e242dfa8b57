# timbridge's configuration. Every setting stands here at its default, commented out:
# with no file at all the same holds. Take the # away from what you change.
# Secrets come from elsewhere: env("NAME") reads a variable, file("path") a file
# (relative to this one). "timbridge config check" says whether all is well.

# Folder of everything that is kept: the journal, the secrets made on the first run, the sandbox
# and the embedded bus. Relative to the working directory. One bridge at a time can use it. New,
# it takes about 100 MiB, most of which is journal.reserve.
#data_dir = "data"

app "demo" {
  # The application's id, from the IM console. It is the source of every event: tim://<sdkappid>.
  # At least 1.
  #sdkappid = 1400000000

  driver "sandbox" {
    # Address of a sandbox that runs by itself, as ws://host:port or wss://host:port. Empty: one
    # runs inside this process.
    #url = ""

    # Where the sandbox inside this process listens, for "timbridge chat" and for tests.
    #listen = "127.0.0.1:7300"

    # The application's secret key, which UserSigs are signed and checked with. Empty: made at
    # random on the first run and kept in <data_dir>/im.key.
    #key = ""

    # What a client presents to the sandbox. Empty: made at random on the first run and kept in
    # <data_dir>/im.token.
    #token = ""

    # "ack" keeps a report until it is acknowledged; "push" forgets it once sent, as Tencent's
    # service does.
    #delivery = "ack"

    # Whether the sandbox, inside this process or as "timbridge sandbox", limits how often one may
    # send, as the service does.
    #rate_limits = true

    # How many groups there may be at once in the sandbox inside this process; beyond it creating
    # one is refused with 10058, as in an edition of the service that has such a limit. 0: no
    # limit.
    #max_groups = 0

    # How many of them may be AVChatRooms (10036). 0: no limit.
    #max_avchatrooms = 0

    # How many groups one account may be in (10037). 0: no limit.
    #max_joined_groups = 0

    # How many calls of one kind an account may make in a second (7008), unless rate_limits is
    # false. 0: no limit.
    #max_calls_per_second = 0

    # Accounts that decide themselves whether they come into a group that a member invites them
    # to. Empty: whoever may be invited is in at once.
    #ask_invitees = []

    # How many messages the sandbox inside this process keeps for reading back, in all
    # conversations together; the oldest go first. 0: no limit.
    #history_messages = 200000

    # The same by the length of what was said. 0: no limit.
    #history_bytes = "64MiB"

    # The same by age. 0: no limit.
    #history_time = "7d"

    # The largest file that the sandbox inside this process takes. Images have a limit of 28 MB
    # besides, all others one of 100 MB. From 1KiB to 1GiB.
    #media_max_bytes = "32MiB"

    # How much all files may take together that were sent through it; beyond it none is taken. At
    # least 1MiB.
    #media_total_bytes = "4GiB"

    # How long it keeps a file at least that no message has, any more or yet. At least 1m.
    #media_time = "1d"

    # Where others reach the sandbox inside this process, as http://host:port or
    # https://host/path: what the URLs of received files begin with. Empty: what the first client
    # with the right token came by.
    #public_url = ""

    # How often both ends of the connection show that they are alive; three missed ones end it. At
    # least 100ms.
    #heartbeat = "2s"
  }

  account "bridge" {
    # Its UserSig, from env() or file(); a file is read again when the UserSig has expired. Empty:
    # signed with the driver's key, and renewed in time.
    #usersig = ""

    # Users whose coming, going and changes of words the account asks to be told of after each
    # sign-in; each is a user.status_changed. At most 200. Empty: nobody's.
    #watch_status = []
  }
}

bus "nats" {
  # How CloudEvents are written: "binary" (attributes as headers) or "structured" (one JSON
  # document). Both are read.
  #mode = "binary"

  # Servers to connect to, as nats://host:port or tls://host:port, several separated by commas.
  # Empty: a server runs inside this process, with its files in <data_dir>/nats, and syncs before
  # it acknowledges.
  #url = ""

  # Where the server inside this process listens.
  #listen = "127.0.0.1:4222"

  # Token to authenticate with. For the server inside this process, empty: made at random on the
  # first run and kept in <data_dir>/bus.token.
  #token = ""

  # User to authenticate as.
  #user = ""

  # Its password.
  #password = ""

  # File with an NKey seed to authenticate with.
  #nkey = ""

  # Credentials file (JWT and NKey) to authenticate with.
  #credentials = ""

  tls {
    # File with the certificates (PEM) of the authorities to trust. Empty: the system's.
    #ca = ""

    # File with the client's certificate (PEM).
    #cert = ""

    # File with its key (PEM).
    #key = ""

    # Name that the server's certificate must have. Empty: the host of the address.
    #server_name = ""
  }

  # What to do about streams: "create" makes missing ones and refuses to start on different ones,
  # "update" also changes those, "check" makes and changes nothing.
  #manage = "create"

  # Copies that a cluster keeps of each stream. From 1 to 5.
  #replicas = 1

  # How long the streams remember message ids. That each event is published once never depends on
  # it; repeated commands from others are dropped within it. At least 1s.
  #duplicate_window = "2m"

  # Key-value bucket with the mark of each shard: the position in the command stream below which
  # everything is finished.
  #mark_bucket = "tim-marks"

  # Whether a command is taken whatever subject it lies on. If not, it must lie on its own
  # account's and verb's subject, so that permissions on subjects mean something.
  #loose_subjects = false

  # The server's monitoring address, as http://host:8222, which "timbridge doctor" asks whether it
  # syncs before it acknowledges.
  #monitor_url = ""

  events {
    # The stream's name on the bus. Empty: tim-events, tim-commands, tim-outcomes,
    # tim-deadletters.
    #name = ""

    # What its subjects begin with. Empty: tim.events, tim.commands, tim.outcomes,
    # tim.deadletters.
    #subject = ""

    # How long messages are kept. 0: for ever.
    #max_age = "0s"

    # How large the stream may grow: then the oldest messages go, but of the commands, which
    # refuse new ones instead. 0: no limit.
    #max_bytes = "0B"

    # How many messages it may hold. 0: no limit.
    #max_messages = 0

    # The largest message. 0: the server's limit. At most 64MiB.
    #max_message_bytes = "0B"
  }

  commands {
    # The stream's name on the bus. Empty: tim-events, tim-commands, tim-outcomes,
    # tim-deadletters.
    #name = ""

    # What its subjects begin with. Empty: tim.events, tim.commands, tim.outcomes,
    # tim.deadletters.
    #subject = ""

    # How long messages are kept. 0: for ever.
    #max_age = "0s"

    # How large the stream may grow: then the oldest messages go, but of the commands, which
    # refuse new ones instead. 0: no limit.
    #max_bytes = "0B"

    # How many messages it may hold. 0: no limit.
    #max_messages = 0

    # The largest message. 0: the server's limit. At most 64MiB.
    #max_message_bytes = "0B"
  }

  outcomes {
    # The stream's name on the bus. Empty: tim-events, tim-commands, tim-outcomes,
    # tim-deadletters.
    #name = ""

    # What its subjects begin with. Empty: tim.events, tim.commands, tim.outcomes,
    # tim.deadletters.
    #subject = ""

    # How long messages are kept. 0: for ever.
    #max_age = "0s"

    # How large the stream may grow: then the oldest messages go, but of the commands, which
    # refuse new ones instead. 0: no limit.
    #max_bytes = "0B"

    # How many messages it may hold. 0: no limit.
    #max_messages = 0

    # The largest message. 0: the server's limit. At most 64MiB.
    #max_message_bytes = "0B"
  }

  deadletters {
    # The stream's name on the bus. Empty: tim-events, tim-commands, tim-outcomes,
    # tim-deadletters.
    #name = ""

    # What its subjects begin with. Empty: tim.events, tim.commands, tim.outcomes,
    # tim.deadletters.
    #subject = ""

    # How long messages are kept. 0: for ever.
    #max_age = "0s"

    # How large the stream may grow: then the oldest messages go, but of the commands, which
    # refuse new ones instead. 0: no limit.
    #max_bytes = "0B"

    # How many messages it may hold. 0: no limit.
    #max_messages = 0

    # The largest message. 0: the server's limit. At most 64MiB.
    #max_message_bytes = "0B"
  }

  # None by default, any number; one looks like this:
  # route "message.*" {
  #   # The stream's name on the bus.
  #   name = "tim-messages"
  #
  #   # What its subjects begin with.
  #   subject = "tim.messages"
  # }
}

# Or, instead of it:
# bus "kafka" {
#   # How CloudEvents are written: "binary" (attributes as headers) or "structured" (one JSON
#   # document). Both are read.
#   mode = "binary"
#
#   # Where to begin, each as host:port; the other brokers are learnt from these.
#   brokers = []
#
#   # What this client is called in the brokers' logs and quotas.
#   client_id = "timbridge"
#
#   tls {
#     # Whether the brokers speak TLS.
#     enabled = false
#
#     # File with the certificates (PEM) of the authorities to trust. Empty: the system's.
#     ca = ""
#
#     # File with the client's certificate (PEM).
#     cert = ""
#
#     # File with its key (PEM).
#     key = ""
#
#     # Name that the brokers' certificates must have. Empty: the host of the address.
#     server_name = ""
#   }
#
#   sasl {
#     # How: "PLAIN" (over TLS, for it sends the password as it is), "SCRAM-SHA-256" or
#     # "SCRAM-SHA-512". Empty: not at all.
#     mechanism = ""
#
#     # User to authenticate as.
#     user = ""
#
#     # Its password.
#     password = ""
#   }
#
#   # What to do about topics: "create" makes missing ones and refuses to start on different ones,
#   # "update" also changes those (partitions are only ever added), "check" makes and changes
#   # nothing.
#   manage = "create"
#
#   # Partitions of each topic that does not say its own. Events of one conversation are in one
#   # partition, in order. From 1 to 10000.
#   partitions = 12
#
#   # Copies that the cluster keeps of each topic that does not say its own; 3 is usual where there
#   # are brokers for it. From 1 to 100.
#   replication = 1
#
#   # Consumer group that the mark of each shard is committed to, as <group>-<shard>: the position
#   # on each partition of the commands below which everything is finished.
#   group = "timbridge"
#
#   # How batches are compressed: "none", "gzip", "snappy", "lz4" or "zstd".
#   compression = "none"
#
#   # The most messages in one batch. From 1 to 100000.
#   batch_messages = 1000
#
#   # The most bytes in one batch; the topic's max_message_bytes bounds it too. From 1KiB to 64MiB.
#   batch_bytes = "1000000B"
#
#   # How long one answer of a broker is waited for. At least 100ms.
#   request_timeout = "10s"
#
#   events {
#     # The topic's name. Empty: tim.events, tim.commands, tim.outcomes, tim.deadletters.
#     name = ""
#
#     # Its partitions. 0: what the bus's partitions say. At most 10000.
#     partitions = 0
#
#     # Its copies. 0: what the bus's replication says. At most 100.
#     replication = 0
#
#     # How long messages are kept, or "forever". 0: what the cluster says, a week where it says
#     # nothing.
#     retention = "0s"
#
#     # How large each partition may grow before its oldest messages go. 0: what the cluster says.
#     retention_bytes = "0B"
#
#     # The largest batch of messages taken. 0: what the cluster says. At most 64MiB.
#     max_message_bytes = "0B"
#
#     # Copies that must have a message before it counts as stored. 0: what the cluster says. At
#     # most 100.
#     min_insync = 0
#   }
#
#   commands {
#     # The topic's name. Empty: tim.events, tim.commands, tim.outcomes, tim.deadletters.
#     name = ""
#
#     # Its partitions. 0: what the bus's partitions say. At most 10000.
#     partitions = 0
#
#     # Its copies. 0: what the bus's replication says. At most 100.
#     replication = 0
#
#     # How long messages are kept, or "forever". 0: what the cluster says, a week where it says
#     # nothing.
#     retention = "0s"
#
#     # How large each partition may grow before its oldest messages go. 0: what the cluster says.
#     retention_bytes = "0B"
#
#     # The largest batch of messages taken. 0: what the cluster says. At most 64MiB.
#     max_message_bytes = "0B"
#
#     # Copies that must have a message before it counts as stored. 0: what the cluster says. At
#     # most 100.
#     min_insync = 0
#   }
#
#   outcomes {
#     # The topic's name. Empty: tim.events, tim.commands, tim.outcomes, tim.deadletters.
#     name = ""
#
#     # Its partitions. 0: what the bus's partitions say. At most 10000.
#     partitions = 0
#
#     # Its copies. 0: what the bus's replication says. At most 100.
#     replication = 0
#
#     # How long messages are kept, or "forever". 0: what the cluster says, a week where it says
#     # nothing.
#     retention = "0s"
#
#     # How large each partition may grow before its oldest messages go. 0: what the cluster says.
#     retention_bytes = "0B"
#
#     # The largest batch of messages taken. 0: what the cluster says. At most 64MiB.
#     max_message_bytes = "0B"
#
#     # Copies that must have a message before it counts as stored. 0: what the cluster says. At
#     # most 100.
#     min_insync = 0
#   }
#
#   deadletters {
#     # The topic's name. Empty: tim.events, tim.commands, tim.outcomes, tim.deadletters.
#     name = ""
#
#     # Its partitions. 0: what the bus's partitions say. At most 10000.
#     partitions = 0
#
#     # Its copies. 0: what the bus's replication says. At most 100.
#     replication = 0
#
#     # How long messages are kept, or "forever". 0: what the cluster says, a week where it says
#     # nothing.
#     retention = "0s"
#
#     # How large each partition may grow before its oldest messages go. 0: what the cluster says.
#     retention_bytes = "0B"
#
#     # The largest batch of messages taken. 0: what the cluster says. At most 64MiB.
#     max_message_bytes = "0B"
#
#     # Copies that must have a message before it counts as stored. 0: what the cluster says. At
#     # most 100.
#     min_insync = 0
#   }
#
#   # None by default, any number; one looks like this:
#   # route "message.*" {
#   #   # The topic's name.
#   #   name = "tim.messages"
#
#   #   # Its partitions. 0: what the bus's partitions say. At most 10000.
#   #   partitions = 0
#
#   #   # Its copies. 0: what the bus's replication says. At most 100.
#   #   replication = 0
#
#   #   # How long messages are kept, or "forever". 0: what the cluster says, a week where it says
#   #   # nothing.
#   #   retention = "0s"
#
#   #   # How large each partition may grow before its oldest messages go. 0: what the cluster says.
#   #   retention_bytes = "0B"
#
#   #   # The largest batch of messages taken. 0: what the cluster says. At most 64MiB.
#   #   max_message_bytes = "0B"
#
#   #   # Copies that must have a message before it counts as stored. 0: what the cluster says. At most
#   #   # 100.
#   #   min_insync = 0
#   # }
# }

journal {
  # Folder of the journal. Empty: <data_dir>/journal.
  #dir = ""

  # Size at which a segment is closed and the next one begun. Whole segments are deleted. From
  # 1MiB to 1GiB.
  #segment_bytes = "64MiB"

  # How long entries are kept at least, and a day of it after they were published. Less than 24h
  # is for tests.
  #retention = "3d"

  # Free space on the volume below which reports and commands stop, until there is more.
  #high_water = "256MiB"

  # Space kept so that outcomes of what was started, and plans, can still be written on a full
  # disk. At least 1MiB.
  #reserve = "64MiB"

  # Size of the journal at which reports and commands stop. 0: no limit but the volume.
  #max_bytes = "0B"

  # How often a snapshot is written, when something has changed. At least 1s.
  #snapshot_interval = "1m"

  # Entries after which one is written before that. At least 100.
  #snapshot_entries = 200000
}

ingress {
  # How far back an account's first sign-in reads history. 0: not at all.
  #backfill = "0s"

  # How long a gap in a group's sequence is waited for before history is read. At least 10ms.
  #gap_wait = "1s"

  # How long before an absence a message may have been sent that is read from history again, for
  # having been recalled or modified meanwhile. Only where the service forgets what it has
  # reported; each conversation with such a message costs a call. 0: none is read for that alone.
  # At most 7d.
  #change_window = "1h"

  # Messages remembered so that a repeat is known as one; the oldest go first. At least 1000.
  #max_seen = 4000000

  # Reports that may wait to be journaled before the driver is held up. At least 16.
  #queue = 4096
}

egress {
  # Unfinished commands at which reading stops. One account may hold a quarter of them. At least
  # 4.
  #max_accepted = 10000

  # Commands remembered so that a repeat is known as one; the oldest go first. At least 1000.
  #max_ledger = 4000000

  # Age, by the bus's own time, from which on a command is not carried out any more but expired.
  # At least 1h.
  #horizon = "7d"

  # How long a command waits for a service that cannot be reached. At least 1s.
  #give_up = "1d"

  # How long commands wait for an account that is kicked, refused or signed out; then they fail as
  # account_unavailable. At least 1s.
  #account_wait = "5m"

  # What becomes of a send when nothing can tell whether it was carried out: "fail" (code
  # in_doubt, never repeated) or "repeat".
  #on_doubt = "fail"

  # Size of a command on the bus from which on it is rejected as too_large; more than the most
  # would not fit into the journal. From 1KiB to 1536KiB.
  #max_message_bytes = "1MiB"

  # First wait before a call is tried again; it doubles, with jitter. At least 1ms.
  #retry_min = "200ms"

  # Longest wait before a call is tried again. At least 1ms.
  #retry_max = "30s"

  # How long an answer of the service is waited for. At least 100ms.
  #call_timeout = "15s"

  # Size from which on a file that a message is to carry is media_too_large. From 1KiB to 4GiB.
  #media_max_bytes = "100MiB"

  # How long fetching one file may take, and how much longer an answer is waited for when files
  # are handed to the service. At least 100ms.
  #media_timeout = "30s"

  rates {
    # All calls of one account together.
    #account = 40

    # Messages sent by one account.
    #send = 0

    # Messages revoked by one account.
    #revoke = 0

    # What one account does with groups: every command whose name begins with group.
    #group = 5
  }
}

policy {
  # User ids that commands may act as. Empty: every configured account.
  #accounts = []

  # Conversations that commands may touch, by subject: "c2c/*/bob", "group/team-*".
  #conversations = []

  # Commands allowed, without their family's prefix and version: "message.send", "group.*".
  #verbs = []

  # Hosts that files of messages may be fetched from by http and https: "files.example.com",
  # "*.example.com"; with its port where it is another than the usual: "files.example.com:8443".
  # Empty: none, so that files come only in the command itself. "*": any.
  #media_hosts = []

  # Whether such a host may have an address of the machine itself or of a private network.
  #media_private = false
}

shard {
  # This shard's number, from 0.
  #index = 0

  # Number of shards. An account belongs to the shard hash(account) mod count. Changing it is a
  # migration: drain all, then start. From 1 to 1024.
  #count = 1
}

log {
  # The least severe level that is told. One of "trace", "debug", "info", "warn", "error", "off".
  #level = "info"

  # "text" for people, "json" for machines.
  #format = "text"

  levels {
    # Level of ingress. One of "trace", "debug", "info", "warn", "error", "off".
    #ingress = ""

    # Level of egress. One of "trace", "debug", "info", "warn", "error", "off".
    #egress = ""

    # Level of the relay. One of "trace", "debug", "info", "warn", "error", "off".
    #relay = ""

    # Level of the bus. One of "trace", "debug", "info", "warn", "error", "off".
    #bus = ""

    # Level of the accounts and their driver. One of "trace", "debug", "info", "warn", "error",
    # "off".
    #accounts = ""

    # Level of the sandbox inside this process. One of "trace", "debug", "info", "warn", "error",
    # "off".
    #sandbox = ""
  }
}

http {
  # Address of /live, /ready and /metrics. "off": none. They need no authentication, so keep it on
  # loopback or a private network.
  #listen = "127.0.0.1:7301"

  # How old the last proof that bus and IM service can be reached may be for /ready to say yes. At
  # least 1s.
  #ready_within = "10s"
}
