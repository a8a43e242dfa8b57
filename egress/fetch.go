package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/timbridge/timbridge/mapping"
)

const (
	maxRedirects = 5
	dialTimeout  = 10 * time.Second
)

// fetcher gets the files of messages from the hosts that the policy allows. An
// address is looked at when it is connected to, after the name was resolved, so
// that neither a redirect nor a name that changes leads into a private network.
type fetcher struct {
	policy   Policy
	maxBytes int64
	timeout  time.Duration
	client   *http.Client
}

// errAddress is why an address is not connected to.
var errAddress = errors.New("its address is not a public one")

func newFetcher(p Policy, maxBytes int64, timeout time.Duration) *fetcher {
	f := &fetcher{policy: p, maxBytes: maxBytes, timeout: timeout}
	dialer := &net.Dialer{Timeout: dialTimeout}
	if !p.MediaPrivate {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !public(at.Addr()) {
				return errAddress
			}
			return nil
		}
	}
	f.client = &http.Client{
		// No proxy of the environment: the policy is about whom the bridge talks to.
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTimeout, DisableCompression: true,
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
		},
		CheckRedirect: f.redirect,
	}
	return f
}

// close ends connections that are kept for the next file.
func (f *fetcher) close() { f.client.CloseIdleConnections() }

// get writes the file at an address, and gives its size.
func (f *fetcher) get(ctx context.Context, address string, to io.Writer) (int64, error) {
	u, err := f.policy.mediaURL(address)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, mediaErrorf(mapping.CodeMediaNotAllowed, "its address cannot be asked for")
	}
	req.Header.Set("User-Agent", "timbridge")
	res, err := f.client.Do(req)
	if err != nil {
		return 0, f.failed(u, err)
	}
	defer res.Body.Close()
	if err := f.check(u, res); err != nil {
		return 0, err
	}
	n, err := io.Copy(to, io.LimitReader(fromHost{res.Body}, f.maxBytes+1))
	var cut *cutOff
	switch {
	case errors.As(err, &cut):
		return n, f.failed(u, cut.err)
	case err != nil:
		return n, notKept(err)
	case n > f.maxBytes:
		return n, f.tooLarge()
	}
	return n, nil
}

// check looks at an answer before its body is read.
func (f *fetcher) check(u *url.URL, res *http.Response) error {
	if res.StatusCode != http.StatusOK {
		e := mediaErrorf(mapping.CodeMediaUnreachable, "%s answers %d %s", u.Host, res.StatusCode, http.StatusText(res.StatusCode))
		switch {
		case res.StatusCode == http.StatusRequestTimeout, res.StatusCode == http.StatusTooManyRequests, res.StatusCode >= 500:
			e.again = true
			if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
				e.after = time.Duration(s) * time.Second
			}
		}
		return e
	}
	if enc := res.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return mediaErrorf(mapping.CodeMediaUnreachable, "%s answers in an encoding that was not asked for", u.Host)
	}
	if res.ContentLength > f.maxBytes {
		return f.tooLarge()
	}
	return nil
}

func (f *fetcher) tooLarge() error {
	return mediaErrorf(mapping.CodeMediaTooLarge, "it has more than %d bytes (egress.media_max_bytes)", f.maxBytes)
}

// failed tells a failure without the address's path and query, which may hold a secret.
func (f *fetcher) failed(u *url.URL, err error) error {
	if m := (*mediaError)(nil); errors.As(err, &m) {
		return m
	}
	if errors.Is(err, errAddress) {
		return mediaErrorf(mapping.CodeMediaNotAllowed, "%s: %v (policy.media_private)", u.Host, errAddress)
	}
	if ue := (*url.Error)(nil); errors.As(err, &ue) {
		err = ue.Err
	}
	e := mediaErrorf(mapping.CodeMediaUnreachable, "%s: %v", u.Host, err)
	if errors.Is(err, context.DeadlineExceeded) {
		e.text = fmt.Sprintf("%s did not give it within %s (egress.media_timeout)", u.Host, f.timeout)
	}
	e.again = !certificate(err)
	return e
}

// certificate says whether a host could not prove who it is.
func certificate(err error) bool {
	var verify *tls.CertificateVerificationError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &verify) || errors.As(err, &name) || errors.As(err, &authority)
}

func (f *fetcher) redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return mediaErrorf(mapping.CodeMediaUnreachable, "it is redirected more than %d times", maxRedirects)
	}
	u, err := f.policy.mediaURL(req.URL.String())
	if err != nil {
		return err
	}
	if via[len(via)-1].URL.Scheme == "https" && u.Scheme != "https" {
		return mediaErrorf(mapping.CodeMediaNotAllowed, "it is redirected from https to http")
	}
	req.Header.Del("Referer") // the address may hold a secret
	return nil
}

// fromHost tells errors in reading from those in writing.
type fromHost struct{ r io.Reader }

func (h fromHost) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if err != nil && err != io.EOF {
		err = &cutOff{err}
	}
	return n, err
}

type cutOff struct{ err error }

func (c *cutOff) Error() string { return c.err.Error() }
func (c *cutOff) Unwrap() error { return c.err }

// mediaURL reads the address of a file, and says whether the policy allows its host.
func (p Policy) mediaURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" {
		return nil, mediaErrorf(mapping.CodeMediaNotAllowed, "its address is none that begins with https:// or http:// and a host")
	}
	if u.User != nil {
		return nil, mediaErrorf(mapping.CodeMediaNotAllowed, "its address has a user in it")
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	port := u.Port()
	usual := port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80"
	for _, pattern := range p.MediaHosts {
		pattern = strings.ToLower(pattern)
		switch {
		case pattern == "*", usual && match(pattern, host):
			return u, nil
		case port != "" && strings.Contains(pattern, ":") && match(pattern, net.JoinHostPort(host, port)):
			return u, nil
		}
	}
	return nil, mediaErrorf(mapping.CodeMediaNotAllowed, "the bridge's policy does not allow files of %s (policy.media_hosts)", u.Host)
}

// special are the addresses that are global by their form and lead elsewhere:
// of special use by the registries of RFC 6890, and those that carry an IPv4
// address inside, which a gateway would connect to.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// public says whether an address is one of the internet at large.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// mediaError is why a file of a message cannot be had.
type mediaError struct {
	code  mapping.RejectCode
	text  string
	field string        // where the command names it
	again bool          // trying again can help
	after time.Duration // how long the host asks to wait
	local bool          // it is this machine that cannot
}

func mediaErrorf(code mapping.RejectCode, format string, args ...any) *mediaError {
	return &mediaError{code: code, text: fmt.Sprintf(format, args...)}
}

func (e *mediaError) Error() string { return e.text }

// outcome is the error as an outcome tells it.
func (e *mediaError) outcome() *mapping.OutcomeError {
	return &mapping.OutcomeError{Code: e.code, Field: e.field, Text: e.text, Retryable: e.again}
}
