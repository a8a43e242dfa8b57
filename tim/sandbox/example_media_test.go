package sandbox_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/timbridge/timbridge/tim"
	"github.com/timbridge/timbridge/tim/sandbox"
	"github.com/timbridge/timbridge/tim/wire"
)

// A file is sent from a path of the sender's machine, and downloaded by whoever
// gets the message.
func ExampleHandler() {
	dir, err := os.MkdirTemp("", "sandbox")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	im, err := sandbox.Open(filepath.Join(dir, "im"), sandbox.Options{SDKAppID: 1400000000, Key: "a secret key"})
	if err != nil {
		panic(err)
	}
	defer im.Close()
	handler, err := im.Handler(sandbox.HandlerOptions{Wire: wire.HandlerOptions{Token: "token"}})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	ctx := context.Background()
	driver := wire.NewDriver(wire.Options{URL: "ws" + strings.TrimPrefix(server.URL, "http"), Token: "token"})
	alice, err := driver.Open(ctx, tim.Config{SDKAppID: 1400000000})
	if err != nil {
		panic(err)
	}
	defer alice.Close()
	if err := alice.Login(ctx, "alice", tim.SignUserSig(1400000000, "a secret key", "alice", time.Hour, time.Now())); err != nil {
		panic(err)
	}

	path := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(path, []byte("remember the milk"), 0o600); err != nil {
		panic(err)
	}
	sent, err := alice.Send(ctx, tim.C2C("bob"), tim.Message{Elems: []tim.Elem{tim.FileElem{FilePath: path}}})
	if err != nil {
		panic(err)
	}
	file := sent.Elems[0].(tim.FileElem)
	response, err := http.Get(file.URL)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s, %d bytes: %s\n", file.FileName, file.FileSize, content)
	// Output: notes.txt, 17 bytes: remember the milk
}
