package egress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/mapping"
)

func TestHostsOfMedia(t *testing.T) {
	p := Policy{MediaHosts: []string{"files.example.com", "*.cdn.example", "odd.example:8443", "[::1]:90"}}
	for name, c := range map[string]struct {
		address string
		allowed bool
	}{
		"named":                   {"https://files.example.com/a.png?sig=1", true},
		"named, by http":          {"http://files.example.com/a.png", true},
		"named, in capitals":      {"https://FILES.example.COM/", true},
		"named, with a last dot":  {"https://files.example.com./", true},
		"named, its usual port":   {"https://files.example.com:443/", true},
		"another port":            {"https://files.example.com:22/", false},
		"http's port over https":  {"https://files.example.com:80/", false},
		"below a star":            {"https://eu.cdn.example/x", true},
		"what the star stands on": {"https://cdn.example/x", false},
		"its name as an end":      {"https://evilcdn.example/x", false},
		"its name as a beginning": {"https://files.example.com.evil.example/x", false},
		"with its port":           {"https://odd.example:8443/x", true},
		"without its port":        {"https://odd.example/x", false},
		"IPv6 with its port":      {"http://[::1]:90/x", true},
		"a user in it":            {"https://files.example.com@evil.example/x", false},
		"a user, and the host":    {"https://me:pw@files.example.com/x", false},
		"a file":                  {"file:///etc/passwd", false},
		"another scheme":          {"gopher://files.example.com/", false},
		"no scheme":               {"files.example.com/x", false},
		"no host":                 {"https:///x", false},
		"opaque":                  {"https:files.example.com", false},
		"nothing":                 {"", false},
		"not an address":          {"https://files.example.com:x/", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.mediaURL(c.address)
			if (err == nil) != c.allowed {
				t.Errorf("%s: %v", c.address, err)
			}
			if err != nil && err.(*mediaError).code != mapping.CodeMediaNotAllowed {
				t.Errorf("code %s", err.(*mediaError).code)
			}
			if _, err := (Policy{}).mediaURL(c.address); err == nil {
				t.Error("without hosts it is allowed")
			}
		})
	}
	if _, err := (Policy{MediaHosts: []string{"*"}}).mediaURL("https://any.example:8443/x"); err != nil {
		t.Errorf("any: %v", err)
	}
}

func TestPublicAddresses(t *testing.T) {
	for _, a := range []string{"8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"} {
		if !public(netip.MustParseAddr(a)) {
			t.Errorf("%s is public", a)
		}
	}
	for _, a := range []string{
		"127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
		"192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "fec0::1", "2001:db8::1", "2002:7f00:1::", "64:ff9b::7f00:1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
	} {
		if public(netip.MustParseAddr(a)) {
			t.Errorf("%s is taken for public", a)
		}
	}
}

// files is a host of files for fetchers that may go to loopback.
func fileHost(t *testing.T, handler http.HandlerFunc) (address string, p Policy) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	return s.URL, Policy{MediaHosts: []string{host}, MediaPrivate: true}
}

func TestFetch(t *testing.T) {
	const limit = 1 << 20
	file := bytes.Repeat([]byte("0123456789abcdef"), limit/16)
	tlsHost := httptest.NewTLSServer(http.NotFoundHandler())
	tlsHost.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer tlsHost.Close()
	release := make(chan struct{})
	var address string
	address, policy := fileHost(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/whole":
			w.Write(file)
		case "/more", "/more-unsaid":
			if r.URL.Path == "/more" {
				w.Header().Set("Content-Length", fmt.Sprint(len(file)+1))
			}
			w.Write(file)
			w.Write([]byte("x"))
		case "/referred":
			http.Redirect(w, r, "/unreferred", http.StatusFound)
		case "/unreferred":
			if r.Header.Get("Referer") != "" {
				w.WriteHeader(http.StatusTeapot)
			}
		case "/away":
			http.Redirect(w, r, "https://evil.example/x", http.StatusFound)
		case "/local-file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/busy":
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		case "/broken":
			w.WriteHeader(http.StatusBadGateway)
		case "/packed":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte("x"))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("half"))
		case "/slow":
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		default:
			http.NotFound(w, r)
		}
	})
	defer close(release)
	policy.MediaHosts = append(policy.MediaHosts, strings.TrimPrefix(tlsHost.URL, "https://"))
	for name, c := range map[string]struct {
		address string
		size    int64
		code    mapping.RejectCode
		again   bool
		after   time.Duration
	}{
		"whole":                          {address + "/whole", limit, "", false, 0},
		"too large, and says so":         {address + "/more", 0, mapping.CodeMediaTooLarge, false, 0},
		"too large, and does not say so": {address + "/more-unsaid", 0, mapping.CodeMediaTooLarge, false, 0},
		"a redirect tells no address":    {address + "/referred?secret", 0, "", false, 0},
		"redirected to another host":     {address + "/away", 0, mapping.CodeMediaNotAllowed, false, 0},
		"redirected to a file":           {address + "/local-file", 0, mapping.CodeMediaNotAllowed, false, 0},
		"redirected for ever":            {address + "/round", 0, mapping.CodeMediaUnreachable, false, 0},
		"not found":                      {address + "/absent?token=secret", 0, mapping.CodeMediaUnreachable, false, 0},
		"busy":                           {address + "/busy", 0, mapping.CodeMediaUnreachable, true, 7 * time.Second},
		"broken":                         {address + "/broken", 0, mapping.CodeMediaUnreachable, true, 0},
		"packed":                         {address + "/packed", 0, mapping.CodeMediaUnreachable, false, 0},
		"cut off":                        {address + "/cut", 0, mapping.CodeMediaUnreachable, true, 0},
		"slow":                           {address + "/slow", 0, mapping.CodeMediaUnreachable, true, 0},
		"nobody there":                   {"http://127.0.0.1:1/x?token=secret", 0, mapping.CodeMediaUnreachable, true, 0},
		"a certificate of nobody":        {tlsHost.URL + "/", 0, mapping.CodeMediaUnreachable, false, 0},
		"another host":                   {"https://evil.example/x", 0, mapping.CodeMediaNotAllowed, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy
			p.MediaHosts = append([]string{"127.0.0.1:1"}, p.MediaHosts...)
			timeout := 5 * time.Second
			if name == "slow" {
				timeout = 200 * time.Millisecond
			}
			f := newFetcher(p, limit, timeout)
			defer f.close()
			n, err := f.get(t.Context(), c.address, io.Discard)
			if c.code == "" {
				if err != nil || n != c.size {
					t.Fatalf("%d bytes, %v", n, err)
				}
				return
			}
			var m *mediaError
			if !errors.As(err, &m) || m.code != c.code || m.again != c.again || m.after != c.after {
				t.Fatalf("error %v %+v", err, m)
			}
			if strings.Contains(m.text, "secret") || strings.Contains(m.text, "absent") {
				t.Errorf("the error tells the address: %s", m.text)
			}
		})
	}
}

func TestFetchGoesToNoPrivateAddress(t *testing.T) {
	asked := make(chan string, 10)
	address, policy := fileHost(t, func(w http.ResponseWriter, r *http.Request) { asked <- r.URL.Path })
	policy.MediaPrivate = false
	// A name is looked at where it leads, too.
	port := address[strings.LastIndexByte(address, ':'):]
	policy.MediaHosts = append(policy.MediaHosts, "localhost"+port)
	f := newFetcher(policy, 1<<20, 5*time.Second)
	defer f.close()
	for _, address := range []string{address + "/x", "http://localhost" + port + "/x"} {
		_, err := f.get(t.Context(), address, io.Discard)
		var m *mediaError
		if !errors.As(err, &m) || m.code != mapping.CodeMediaNotAllowed || m.again {
			t.Errorf("%s: %v", address, err)
		}
	}
	if len(asked) > 0 {
		t.Errorf("it was asked for %s", <-asked)
	}
}

func TestFetchIsGivenUp(t *testing.T) {
	began := make(chan struct{})
	address, policy := fileHost(t, func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})
	f := newFetcher(policy, 1<<20, time.Minute)
	defer f.close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if _, err := f.get(ctx, address+"/x", io.Discard); err == nil {
		t.Fatal("no error")
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestFetchOntoAFullDisk(t *testing.T) {
	address, policy := fileHost(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("a file")) })
	f := newFetcher(policy, 1<<20, time.Minute)
	defer f.close()
	_, err := f.get(t.Context(), address+"/x", fullDisk{})
	var m *mediaError
	if !errors.As(err, &m) || !m.local || !m.again {
		t.Fatalf("error %v", err)
	}
}

func FuzzMediaURL(f *testing.F) {
	for _, s := range []string{"https://files.example.com/a", "http://[::1]:80/", "https://a@b/", "//files.example.com", "https://files.example.com:443"} {
		f.Add(s)
	}
	p := Policy{MediaHosts: []string{"files.example.com"}}
	f.Fuzz(func(t *testing.T, address string) {
		u, err := p.mediaURL(address)
		if err != nil {
			return
		}
		if host := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")); host != "files.example.com" || u.User != nil {
			t.Errorf("%q is allowed, and leads to %q", address, u.Hostname())
		}
		if p := u.Port(); p != "" && p != "443" && p != "80" {
			t.Errorf("%q is allowed, at port %s", address, p)
		}
		// It is asked for as it is written down again.
		if again, err := p.mediaURL(u.String()); err != nil || again.Host != u.Host {
			t.Errorf("%q written again is %q: %v", address, u.String(), err)
		}
	})
}
