package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// fileHost is where commands say that files are: a server of this program's.
type fileHost struct {
	listener net.Listener
	server   *http.Server
	done     chan struct{}

	mu    sync.Mutex
	files map[string][]byte // by their sums
}

func newFileHost() (*fileHost, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &fileHost{listener: l, done: make(chan struct{}), files: map[string][]byte{}}
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(f.done)
		_ = f.server.Serve(l) // it ends with close
	}()
	return f, nil
}

// put keeps a file and says where it is.
func (f *fileHost) put(b []byte) string {
	sum := sumOf(b)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[sum] = b
	return fmt.Sprintf("http://%s/%s", f.address(), sum)
}

func (f *fileHost) address() string { return f.listener.Addr().String() }

// ServeHTTP gives a file.
func (f *fileHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	b, ok := f.files[strings.TrimPrefix(r.URL.Path, "/")]
	f.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(b) // who does not read it asks again
}

func (f *fileHost) close() error {
	if f == nil {
		return nil
	}
	err := f.server.Close()
	<-f.done
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
