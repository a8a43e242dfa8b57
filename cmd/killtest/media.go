package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
)

// link is a file that an element on the bus says where to find.
type link struct {
	url  string
	size int
	// made: the service made it of what was sent, so that its bytes are not known.
	made bool
}

// links are the files of an element.
func (e element) links() []link {
	var out []link
	switch e.Type {
	case "image":
		out = append(out, link{url: e.URL, size: e.Size})
		for _, r := range []*rendered{e.Large, e.Thumb} {
			if r != nil {
				out = append(out, link{url: r.URL, size: r.Size, made: true})
			}
		}
	case "sound", "file", "video":
		out = append(out, link{url: e.URL, size: e.Size})
		if e.Snapshot != nil {
			out = append(out, link{url: e.Snapshot.URL, size: e.Snapshot.Size})
		}
	}
	return out
}

// files are what was sent in messages, by what the message says: its mark is in
// it, so that no two say the same.
func (e *evidence) files() map[string][]string {
	out := map[string][]string{}
	for _, d := range e.deeds {
		if d.Kind == deedPost && len(d.Files) > 0 {
			out[fmt.Sprint(d.Said)] = d.Files
		}
	}
	for _, c := range e.taken {
		if c.verb == "message.send" && len(c.files) > 0 {
			out[fmt.Sprint(c.said)] = c.files
		}
	}
	return out
}

// download reads every file that the bus says where to find.
func (e *evidence) download(ctx context.Context) error {
	const readers = 4
	urls := make(chan string)
	e.downloads = map[string]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for url := range urls {
				sum := fetchSum(ctx, url)
				mu.Lock()
				e.downloads[url] = sum
				mu.Unlock()
			}
		})
	}
	asked := map[string]bool{}
	for _, p := range e.bus.posts {
		for _, el := range p.Elements {
			for _, l := range el.links() {
				if !asked[l.url] {
					asked[l.url] = true
					urls <- l.url
				}
			}
		}
	}
	close(urls)
	wg.Wait()
	return ctx.Err()
}

// fetchSum is the size and sum of what a URL gives, or why it gives nothing.
func fetchSum(ctx context.Context, url string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Sprintf("%s %v", res.Status, err)
	}
	return fmt.Sprintf("%d %s", n, hex.EncodeToString(hash.Sum(nil)))
}

// checkFiles: each URL on the bus gives the bytes that were sent.
func (e *evidence) checkFiles(f *figures, fault faultFunc) {
	sent := e.files()
	for _, p := range e.bus.posts {
		var sums []string
		for _, el := range p.Elements {
			for _, l := range el.links() {
				f.Files++
				var n int
				var sum string
				if _, err := fmt.Sscanf(e.downloads[l.url], "%d %s", &n, &sum); err != nil || n != l.size {
					fault("%s: %s, of %d bytes, cannot be downloaded: %s", p.id, l.url, l.size, e.downloads[l.url])
				}
				if !l.made {
					sums = append(sums, sum)
				}
			}
		}
		if want := sent[fmt.Sprint(p.said)]; !slices.Equal(sums, want) {
			fault("%s: what can be downloaded is %q, and %q was sent", p.id, sums, want)
		}
	}
}
