# The bridge of docker-compose.yml on Kafka, with an account of its own: an
# account is signed in once, and the bridge on NATS may run beside this one.
app "demo" {
  driver "sandbox" {
    url   = "ws://sandbox:7300"
    key   = file("/secrets/im.key")
    token = file("/secrets/im.token")
  }
  account "bridge-kafka" {}
}

bus "kafka" {
  brokers     = ["kafka:9092"]
  compression = "lz4"
}

http {
  listen = "0.0.0.0:7301" # published on this machine's loopback only
}

log {
  level  = env("LOG_LEVEL")
  format = env("LOG_FORMAT")
}
