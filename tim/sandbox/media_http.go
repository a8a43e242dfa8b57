package sandbox

import (
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mediaPath is where downloads begin.
const mediaPath = "/media/"

// urlOf is where a file is to be had now, "" where there is none.
func (s *Sandbox) urlOf(id string) string {
	if id == "" {
		return ""
	}
	s.mu.Lock()
	m := s.st.library.files[mediaID(id)]
	s.mu.Unlock()
	if m == nil {
		return ""
	}
	return s.mediaURL(m.id, m.name)
}

// mediaURL is where a file is to be had: at the handler, or on this machine
// while nobody serves the sandbox.
func (s *Sandbox) mediaURL(id mediaID, name string) string {
	s.mu.Lock()
	base, m := s.media.base, s.st.library.files[id]
	s.mu.Unlock()
	switch {
	case base != "":
		return base + mediaPath + string(id) + "/" + url.PathEscape(name)
	case m == nil:
		return ""
	}
	path, err := filepath.Abs(s.media.path(m.sum))
	if err != nil {
		return ""
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// setMediaURL sets where downloads begin.
func (s *Sandbox) setMediaURL(base string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.media.base = strings.TrimSuffix(base, "/")
}

// learnMediaURL takes the address that a client with the right token has used,
// where none was set.
func (h *Handler) learnMediaURL(r *http.Request) {
	h.s.mu.Lock()
	known := h.s.media.base != ""
	h.s.mu.Unlock()
	if known || r.Host == "" || !h.wire.Authorized(r) {
		return
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	h.s.setMediaURL(scheme + r.Host)
}

// download serves a file to whoever has its id.
func (h *Handler) download(w http.ResponseWriter, r *http.Request) {
	h.s.mu.Lock()
	m := h.s.st.library.files[mediaID(r.PathValue("id"))]
	var f mediaFile
	if m != nil {
		f = m.mediaFile
	}
	h.s.mu.Unlock()
	if m == nil {
		http.NotFound(w, r)
		return
	}
	file, err := os.Open(h.s.media.path(f.sum))
	if err != nil {
		h.s.log.Error("a file that was taken cannot be opened", "error", err)
		http.Error(w, "the file cannot be opened", http.StatusInternalServerError)
		return
	}
	defer file.Close() // it was only read
	head := w.Header()
	// What somebody has sent is not to be run by a browser.
	head.Set("Content-Type", contentType(f.name))
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	head.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.name}))
	head.Set("Cache-Control", "private, max-age=86400, immutable")
	head.Set("ETag", `"`+f.sum+`"`)
	http.ServeContent(w, r, "", time.Unix(0, f.time), file)
}

// contentType is the type of pictures, sounds and films by their name; of
// everything else it says nothing.
func contentType(name string) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".png":
		return "image/png"
	case ".gif":
		return "image/gif"
	case ".bmp":
		return "image/bmp"
	case ".mp4":
		return "video/mp4"
	case ".mp3":
		return "audio/mpeg"
	case ".m4a":
		return "audio/mp4"
	case ".wav":
		return "audio/wav"
	}
	return "application/octet-stream"
}
