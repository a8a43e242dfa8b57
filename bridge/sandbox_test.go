package bridge

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/timbridge/timbridge/config"
	"github.com/timbridge/timbridge/tim"
)

// TestPublicURL: the URLs of files in the sandbox begin as the configuration
// says, whatever the first client came by.
func TestPublicURL(t *testing.T) {
	for name, public := range map[string]string{"set": "https://im.example/files", "not set": ""} {
		t.Run(name, func(t *testing.T) {
			cfg := newConfig(t)
			cfg.App.Driver.Key, cfg.App.Driver.Token = config.NewSecret(testKey), config.NewSecret(testToken)
			cfg.App.Driver.PublicURL = public
			s, err := StartSandbox(t.Context(), cfg, SandboxOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			cfg.App.Driver.URL = s.URL()
			driver, key, err := OpenDriver(cfg, nil)
			if err != nil {
				t.Fatal(err)
			}
			c, err := driver.Open(t.Context(), tim.Config{SDKAppID: cfg.App.SDKAppID})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}()
			if err := c.Login(t.Context(), testUser, tim.SignUserSig(cfg.App.SDKAppID, key, testUser, time.Hour, time.Now())); err != nil {
				t.Fatal(err)
			}
			up, err := c.(tim.Uploader).Upload(t.Context(), "a.txt", 4, bytes.NewReader([]byte("text")))
			if err != nil {
				t.Fatal(err)
			}
			if public != "" {
				if !strings.HasPrefix(up.URL, public+"/media/") {
					t.Errorf("the URL is %q, it is to begin with %q", up.URL, public)
				}
			} else if got := download(t, up.URL); got != "text" {
				t.Errorf("%s holds %q", up.URL, got)
			}
		})
	}
}
