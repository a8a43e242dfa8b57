package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/hashicorp/go-hclog"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/wire"
)

// HandlerOptions say how a sandbox is served over HTTP.
type HandlerOptions struct {
	// Wire are the settings of the protocol that clients speak. Its Token is
	// required; a Logger that is nil is the sandbox's.
	Wire wire.HandlerOptions
	// ControlToken switches the control endpoint on, and is the bearer token
	// that it asks for. Empty: there is none.
	ControlToken string
	// URL is where this handler is reached, as "http://127.0.0.1:8780": what
	// the URLs of files that were sent begin with. Empty: as the first client
	// with the right token has reached it. The files can be downloaded by
	// whoever has their URLs, which cannot be guessed.
	URL string
}

// Handler serves a sandbox over HTTP: GET /healthz says whether it can store
// anything, GET /media/ has the files that were sent, /control/ takes faults
// where a token is set for it, and everything else is tim/wire. It listens nowhere by itself.
type Handler struct {
	s    *Sandbox
	wire *wire.Handler
	mux  *http.ServeMux
}

// Handler serves the sandbox over HTTP. Closing the sandbox closes it too.
func (s *Sandbox) Handler(opts HandlerOptions) (*Handler, error) {
	if opts.Wire.Token == "" {
		return nil, fmt.Errorf("sandbox: HandlerOptions.Wire.Token is required")
	}
	if opts.Wire.Logger == nil {
		opts.Wire.Logger = s.log.Named("wire")
	}
	h := &Handler{s: s, wire: wire.NewHandler(remoteDriver{s}, opts.Wire), mux: http.NewServeMux()}
	s.mu.Lock()
	s.handlers[h] = struct{}{}
	s.mu.Unlock()
	h.mux.HandleFunc("GET /healthz", h.health)
	if opts.ControlToken != "" {
		newControl(s, opts.ControlToken).routes(h.mux)
	}
	h.mux.HandleFunc("GET "+mediaPath+"{id}/{name}", h.download)
	h.mux.Handle("/", h.wire)
	if opts.URL != "" {
		s.setMediaURL(opts.URL)
	}
	return h, nil
}

// ServeHTTP takes a request or a connection.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.learnMediaURL(r)
	h.mux.ServeHTTP(w, r)
}

// Close ends all connections and their clients, and waits for that. The
// sandbox stays open.
func (h *Handler) Close() error {
	h.s.mu.Lock()
	delete(h.s.handlers, h)
	h.s.mu.Unlock()
	return h.wire.Close()
}

func (h *Handler) health(w http.ResponseWriter, _ *http.Request) {
	status, body := http.StatusOK, map[string]any{"status": "ok", "delivery": h.s.opts.Delivery, "sdkappid": h.s.opts.SDKAppID}
	if err := h.s.Err(); err != nil {
		status, body = http.StatusServiceUnavailable, map[string]any{"status": "failed", "reason": err.Error()}
	}
	writeJSON(w, status, body, h.s.log)
}

func writeJSON(w http.ResponseWriter, status int, body any, log hclog.Logger) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Debug("a reply could not be written", "error", err)
	}
}

// remoteDriver opens clients for someone on the network.
type remoteDriver struct{ s *Sandbox }

func (d remoteDriver) Open(ctx context.Context, config tim.Config) (tim.Client, error) {
	c, err := d.s.open(ctx, config, true)
	if err != nil {
		return nil, err
	}
	return c, nil
}
