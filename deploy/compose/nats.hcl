# The bridge of docker-compose.yml on NATS.
app "demo" {
  driver "sandbox" {
    url   = "ws://sandbox:7300"
    key   = file("/secrets/im.key")
    token = file("/secrets/im.token")
  }
  account "bridge" {}
}

bus "nats" {
  url         = "nats://nats:4222"
  token       = file("/secrets/bus.token")
  monitor_url = "http://nats:8222" # doctor asks there whether the server syncs
}

http {
  listen = "0.0.0.0:7301" # published on this machine's loopback only
}

log {
  level  = env("LOG_LEVEL")
  format = env("LOG_FORMAT")
}
