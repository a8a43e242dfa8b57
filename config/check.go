package config

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxWatched is how many users' statuses the service tells an account of.
const maxWatched = 200

// check finds mistakes that lie between settings.
func (d *decoder) check(c *Config, body hcl.Body) {
	seen := map[string]bool{}
	for _, a := range c.App.Accounts {
		at := place(body, "app", "account")
		switch {
		case !userID(a.ID):
			d.mistake(at, "Wrong user id", "%q is no user id: it has 1 to 32 bytes of printable ASCII, here are %d bytes.", a.ID, len(a.ID))
		case seen[a.ID]:
			d.mistake(at, "Written twice", "The account %q stands here twice.", a.ID)
		}
		seen[a.ID] = true
		if len(a.WatchStatus) > maxWatched {
			d.mistake(at, "Too many users", "The service tells an account of %d users' statuses at most; watch_status has %d.", maxWatched, len(a.WatchStatus))
		}
		for _, user := range a.WatchStatus {
			if !userID(user) {
				d.mistake(at, "Wrong user id", "%q in watch_status is no user id: it has 1 to 32 bytes of printable ASCII.", user)
			}
		}
	}
	for _, user := range c.App.Driver.AskInvitees {
		if user == "" || len(user) > 32 {
			d.mistake(place(body, "app", "driver"), "Wrong user id", "A user id has 1 to 32 bytes; %q in ask_invitees has %d.", user, len(user))
		}
	}
	d.checkPolicy(c, place(body, "policy"))
	for _, host := range c.Policy.MediaHosts {
		if host == "" || strings.ContainsAny(host, "/@ ") {
			d.mistake(place(body, "policy"), "Wrong host", "%q in media_hosts is no host: write its name alone, as in \"files.example.com\" or \"*.example.com:8443\".", host)
		}
	}
	if c.Shard.Index >= c.Shard.Count {
		d.mistake(place(body, "shard"), "Shard out of range", "index = %d, but with count = %d the shards are 0 to %d.", c.Shard.Index, c.Shard.Count, c.Shard.Count-1)
	}
	if c.Egress.RetryMin > c.Egress.RetryMax {
		d.mistake(place(body, "egress"), "Bounds crossed", "retry_min (%s) is more than retry_max (%s).", c.Egress.RetryMin, c.Egress.RetryMax)
	}
	d.listen(place(body, "app", "driver"), "driver.listen", c.App.Driver.Listen, "")
	d.listen(place(body, "http"), "http.listen", c.HTTP.Listen, "off")
	if u := c.App.Driver.URL; u != "" && !strings.HasPrefix(u, "ws://") && !strings.HasPrefix(u, "wss://") {
		d.mistake(place(body, "app", "driver"), "Wrong address", "driver.url is %q; it begins with ws:// or wss://.", u)
	}
	if u := c.App.Driver.PublicURL; u != "" && !webAddress(u) {
		d.mistake(place(body, "app", "driver"), "Wrong address", "driver.public_url is %q; write http:// or https://, the host, and a path where there is one, as in \"http://im.example.com:7300\".", u)
	}
	if c.App.Driver.URL != "" && !c.App.Driver.Key.IsSet() {
		for _, a := range c.App.Accounts {
			if !a.UserSig.IsSet() {
				d.mistake(place(body, "app", "driver"), "Key missing", "The account %q has no usersig, and without the driver's key none can be signed for it. Give driver.key, or the account's usersig.", a.ID)
			}
		}
	}
	d.checkPorts(c, body)
	switch c.Bus.Kind {
	case "nats":
		d.checkNATS(c.Bus.NATS, body)
	case "kafka":
		d.checkKafka(c.Bus.Kafka, body)
	}
}

// checkPolicy finds patterns that let nothing through.
func (d *decoder) checkPolicy(c *Config, at hcl.Range) {
	for _, pattern := range c.Policy.Verbs {
		if matchesOne(pattern, Verbs()) {
			continue
		}
		hint := "\"timbridge schema list\" lists them, here without \"command.\"."
		if near := nearest(pattern, Verbs()); near != "" {
			hint = "Did you mean \"" + near + "\"?"
		}
		d.mistake(at, "Unknown command", "%q in verbs is no command, and no pattern of any. %s", pattern, hint)
	}
	var accounts []string
	for _, a := range c.App.Accounts {
		accounts = append(accounts, a.ID)
	}
	for _, pattern := range c.Policy.Accounts {
		if !matchesOne(pattern, accounts) {
			d.mistake(at, "Unknown account", "%q in accounts is no account of the configuration, and no pattern of any: there are %s.", pattern, quoted(accounts))
		}
	}
}

// matchesOne says whether a pattern, in which "*" is any run of characters, fits one of the words.
func matchesOne(pattern string, words []string) bool {
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	whole, err := regexp.Compile("^(?s:" + strings.Join(parts, ".*") + ")$")
	return err == nil && slices.ContainsFunc(words, whole.MatchString)
}

// checkPorts finds addresses that two parts of one process would listen on.
func (d *decoder) checkPorts(c *Config, body hcl.Body) {
	type address struct {
		name, text string
		at         hcl.Range
	}
	var all []address
	if c.App.Driver.URL == "" {
		all = append(all, address{"driver.listen", c.App.Driver.Listen, place(body, "app", "driver")})
	}
	if c.Bus.Kind == "nats" && c.Bus.NATS.URL == "" {
		all = append(all, address{"bus.listen", c.Bus.NATS.Listen, place(body, "bus")})
	}
	if c.HTTP.Listen != "off" {
		all = append(all, address{"http.listen", c.HTTP.Listen, place(body, "http")})
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if a.text == b.text {
				d.mistake(a.at, "Address taken twice", "%s and %s are both %q: each needs a port of its own.", a.name, b.name, a.text)
			}
		}
	}
}

// userID says whether the service takes a user id.
func userID(id string) bool {
	return id != "" && len(id) <= 32 && strings.IndexFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

func (d *decoder) checkNATS(n NATS, body hcl.Body) {
	d.listen(place(body, "bus"), "bus.listen", n.Listen, "")
	for u := range strings.SplitSeq(n.URL, ",") {
		scheme, _, ok := strings.Cut(strings.TrimSpace(u), "://")
		if ok && !slices.Contains([]string{"nats", "tls", "ws", "wss"}, scheme) {
			hint := ""
			if scheme == "kafka" {
				hint = " Kafka is another bus: bus \"kafka\" { brokers = [\"host:9092\"] }."
			}
			d.mistake(place(body, "bus"), "Wrong address", "bus.url is %q; it begins with nats://, tls://, ws:// or wss://.%s", u, hint)
		}
	}
	if ways := authentications(n); len(ways) > 1 {
		d.mistake(place(body, "bus"), "More than one way to authenticate", "Written are %s; keep one.", strings.Join(ways, ", "))
	}
	if n.User != "" != n.Password.IsSet() {
		d.mistake(place(body, "bus"), "User and password belong together", "Give both, or neither.")
	}
	if (n.TLS.Cert == "") != (n.TLS.Key == "") {
		d.mistake(place(body, "bus", "tls"), "Certificate and key belong together", "Give both cert and key, or neither.")
	}
}

func (d *decoder) checkKafka(k Kafka, body hcl.Body) {
	at := place(body, "bus")
	if len(k.Brokers) == 0 {
		d.mistake(at, "Brokers missing", "Say where Kafka is: brokers = [\"127.0.0.1:9092\"].")
	}
	for _, b := range k.Brokers {
		if host, _, err := net.SplitHostPort(b); err != nil || host == "" {
			d.mistake(at, "Wrong address", "%q in brokers is no address; write host:port, as in \"127.0.0.1:9092\".", b)
		}
	}
	if t := k.TLS; !t.Enabled && t != (KafkaTLS{}) {
		d.mistake(place(body, "bus", "tls"), "TLS is not enabled", "Write enabled = true with these settings, or leave them out.")
	}
	if (k.TLS.Cert == "") != (k.TLS.Key == "") {
		d.mistake(place(body, "bus", "tls"), "Certificate and key belong together", "Give both cert and key, or neither.")
	}
	if s := k.SASL; (s.Mechanism == "") != (s.User == "") || (s.User == "") != !s.Password.IsSet() {
		d.mistake(place(body, "bus", "sasl"), "Mechanism, user and password belong together", "Give all three, or none.")
	}
}

func authentications(b NATS) []string {
	var ways []string
	for _, w := range []struct {
		name string
		set  bool
	}{{"token", b.Token.IsSet()}, {"user", b.User != ""}, {"nkey", b.NKey != ""}, {"credentials", b.Creds != ""}} {
		if w.set {
			ways = append(ways, w.name)
		}
	}
	return ways
}

// webAddress says whether URLs of files can begin with u.
func webAddress(u string) bool {
	p, err := url.Parse(u)
	return err == nil && (p.Scheme == "http" || p.Scheme == "https") && p.Hostname() != "" &&
		p.User == nil && p.RawQuery == "" && !p.ForceQuery && !strings.Contains(u, "#")
}

func (d *decoder) listen(at hcl.Range, name, address, word string) {
	if word != "" && address == word {
		return
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		d.mistake(at, "Wrong address", "%s is %q; write host:port, as in \"127.0.0.1:7300\".", name, address)
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		d.mistake(at, "Wrong port", "%s is %q; its port is a number from 1 to 65535, as in \"127.0.0.1:7300\".", name, address)
	}
}

// place is where the innermost of nested blocks stands, or the beginning of the file.
func place(body hcl.Body, path ...string) hcl.Range {
	at := body.MissingItemRange()
	b, ok := body.(*hclsyntax.Body)
	for _, name := range path {
		if !ok {
			break
		}
		ok = false
		for _, child := range b.Blocks {
			if child.Type == name {
				at, b, ok = child.DefRange(), child.Body, true
				break
			}
		}
	}
	return at
}
