# The IM sandbox of docker-compose.yml, in a container of its own.
app "demo" {
  driver "sandbox" {
    listen     = "0.0.0.0:7300" # published on this machine's loopback only
    public_url = env("SANDBOX_PUBLIC_URL")
    key        = file("/secrets/im.key")
    token      = file("/secrets/im.token")
  }
}

log {
  level  = env("LOG_LEVEL")
  format = env("LOG_FORMAT")
}
