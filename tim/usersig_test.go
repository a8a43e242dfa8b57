package tim

import (
	"compress/zlib"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// The vectors were made with Tencent's Go library, with the clock held still.
const (
	vectorApp = 1400000000
	vectorKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"

	sigV1a = "eAEArABT-3siVExTLnZlciI6IjIuMCIsIlRMUy5pZGVudGlmaWVyIjoieGlhb2p1biIsIlRMUy5zZGthcHBpZCI6MTQwMDAwMDAwMCwiVExTLmV4cGlyZSI6MTU1NTIwMDAsIlRMUy50aW1lIjoxNzAwMDAwMDAwLCJUTFMuc2lnIjoiTHZBN2QvSXc3Z1NzbnNrdlZ6QkRQT0NDRGJ1TkN3NEdId1RDMGJpcCtCND0ifQoBAAD--9-DMfw_"
	sigV1b = "eJyqVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwhWZiflZpXlQqeKU7MSCgswUJStDEwMogMikVhRkFqUqWRmampoawUVLMnNBYuaoaosz05WslHzKHM1T9D3LzdODi-OKs8vCqpxcAvydnV2SSv2cy03cPcpDnA2SMgu0nUxslWq5AAEAAP--38Mx-A__"
	sigV1c = "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkKjIT87NK82CSxSnZiQUFmSlAKUMTAyiAyqVWFGQWpYJkTE1NjRDiJZm5YFFzNPXFmekgG3zKHM1T9D3LzdODi-OKs8vCqpxcAvydnV2SSv2cy03cPcpDnA2SMgu0nUxslWoBHdYzUg__"
	sigV2  = "eAEAwQA*-3siVExTLnZlciI6IjIuMCIsIlRMUy5pZGVudGlmaWVyIjoieGlhb2p1biIsIlRMUy5zZGthcHBpZCI6MTQwMDAwMDAwMCwiVExTLmV4cGlyZSI6MTU1NTIwMDAsIlRMUy50aW1lIjoxNzAwMDAwMDAwLCJUTFMudXNlcmJ1ZiI6IllXSmoiLCJUTFMuc2lnIjoiUWpUMjAxeFBrWGsvYU0xZSt5MHZha1piMEsyaVByRnVlKyswczV5NmJGTT0ifQoBAAD--ye1N*Q_"
	sigV3a = "eAEArwBQ-3siVExTLnZlciI6IjIuMCIsIlRMUy5pZGVudGlmaWVyIjoiYWRtaW5pc3RyYXRvciIsIlRMUy5zZGthcHBpZCI6MTQwMDAwMDAwMCwiVExTLmV4cGlyZSI6ODY0MDAsIlRMUy50aW1lIjoxNzAwMDAwMDAwLCJUTFMuc2lnIjoieUxBZSt3N1dVZVV1cWJWOWgvVFg3OHUyMW9UR2kraTlacDF1M1Bwblk2MD0ifQoBAAD---AkM5w_"
	sigV3b = "eJyqVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwokpuZl5mcUlRYkl*UVQBcUp2YkFBZkpSlaGJgZQAJFJrSjILEpVsrIwM4EJlWTmpipZGZqjKizOTFeyUqr0cUzVLjcPD00NLS1MCrPM0A*JMLcoNTLMD3HP1M60jCowLDUOKMiLNDOwVarlAgQAAP--8CQznA__"
)

var vectorTime = time.Unix(1700000000, 0)

func TestSignUserSigToTheByte(t *testing.T) {
	if got := SignUserSig(vectorApp, vectorKey, "xiaojun", 15552000*time.Second, vectorTime); got != sigV1a {
		t.Errorf("xiaojun:\n got %s\nwant %s", got, sigV1a)
	}
	if got := SignUserSig(vectorApp, vectorKey, "administrator", 24*time.Hour, vectorTime); got != sigV3a {
		t.Errorf("administrator:\n got %s\nwant %s", got, sigV3a)
	}
	withBuf := UserSigClaims{Version: "2.0", User: "xiaojun", SDKAppID: vectorApp, Time: 1700000000, Expire: 15552000, UserBuf: []byte("abc")}
	if got := packUserSig(withBuf, vectorKey, zlib.NoCompression); got != sigV2 {
		t.Errorf("with userbuf:\n got %s\nwant %s", got, sigV2)
	}
}

func TestSignaturesInUserSigs(t *testing.T) {
	tests := map[string]struct {
		sig, user, mac string
		expire         int64
		userBuf        string
	}{
		"V1a": {sigV1a, "xiaojun", "LvA7d/Iw7gSsnskvVzBDPOCCDbuNCw4GHwTC0bip+B4=", 15552000, ""},
		"V1b": {sigV1b, "xiaojun", "LvA7d/Iw7gSsnskvVzBDPOCCDbuNCw4GHwTC0bip+B4=", 15552000, ""},
		"V1c": {sigV1c, "xiaojun", "LvA7d/Iw7gSsnskvVzBDPOCCDbuNCw4GHwTC0bip+B4=", 15552000, ""},
		"V2":  {sigV2, "xiaojun", "QjT201xPkXk/aM1e+y0vakZb0K2iPrFue++0s5y6bFM=", 15552000, "abc"},
		"V3a": {sigV3a, "administrator", "yLAe+w7WUeUuqbV9h/TX78u21oTGi+i9Zp1u3PpnY60=", 86400, ""},
		"V3b": {sigV3b, "administrator", "yLAe+w7WUeUuqbV9h/TX78u21oTGi+i9Zp1u3PpnY60=", 86400, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := ParseUserSig(tt.sig)
			if err != nil {
				t.Fatal(err)
			}
			if got := base64.StdEncoding.EncodeToString(c.Sig); got != tt.mac {
				t.Errorf("its signature is %s", got)
			}
			if got := base64.StdEncoding.EncodeToString(hmacUserSig(c, vectorKey)); got != tt.mac {
				t.Errorf("computed anew it is %s", got)
			}
			if c.Version != "2.0" || string(c.User) != tt.user || c.SDKAppID != vectorApp || c.Time != 1700000000 ||
				c.Expire != tt.expire || string(c.UserBuf) != tt.userBuf {
				t.Errorf("read as %+v", c)
			}
			if want := vectorTime.Add(time.Duration(tt.expire) * time.Second); !c.ExpiresAt().Equal(want) {
				t.Errorf("expires at %v, want %v", c.ExpiresAt(), want)
			}
		})
	}
}

func TestVerifyUserSig(t *testing.T) {
	sign := func(app uint32, key string, user UserID, ttl time.Duration) string {
		return SignUserSig(app, key, user, ttl, vectorTime)
	}
	future := SignUserSig(vectorApp, vectorKey, "xiaojun", time.Hour, vectorTime.Add(24*time.Hour))
	repack := func(content string) string {
		var packed strings.Builder
		w := zlib.NewWriter(&packed)
		_, _ = w.Write([]byte(content))
		_ = w.Close()
		return toSigAlphabet.Replace(base64.StdEncoding.EncodeToString([]byte(packed.String())))
	}
	tests := map[string]struct {
		sig  string
		now  int64 // 0 is the time of signing
		code Code
		why  string
	}{
		"V1a":                          {sig: sigV1a},
		"V1b":                          {sig: sigV1b},
		"V1c":                          {sig: sigV1c},
		"at its last second":           {sig: sigV1a, now: 1715552000},
		"a second later":               {sig: sigV1a, now: 1715552001, code: 70001, why: "expired at 2024-05-12T22:13:20Z"},
		"made in the future":           {sig: future},
		"expired from the start":       {sig: sign(vectorApp, vectorKey, "xiaojun", -time.Second), code: 70001, why: "expired"},
		"empty":                        {sig: "", code: 70002, why: "empty"},
		"an ordinary base64 character": {sig: "eAEA+", code: 70003, why: `a character at 4 that none has ('+')`},
		"cut short":                    {sig: sigV1a[:40], code: 70003, why: "cut short"},
		"cut inside a group of four":   {sig: sigV1b[:41], code: 70003, why: "not base64"},
		"not packed":                   {sig: "aGVsbG8gd29ybGQ_", code: 70003, why: "does not unpack"},
		"no JSON inside":               {sig: repack("hello"), code: 70003, why: "not JSON"},
		"other JSON inside":            {sig: repack(`{"TLS.sdkappid":"1400000000"}`), code: 70003, why: "not as it should be"},
		"a signature that is none":     {sig: repack(`{"TLS.sig":"?"}`), code: 70003, why: "not base64"},
		"a userbuf that is none":       {sig: repack(`{"TLS.userbuf":"?"}`), code: 70003, why: "userbuf"},
		"a bomb":                       {sig: repack(strings.Repeat(" ", 1<<20)), code: 70003, why: "more than 16384 bytes"},
		"another application's":        {sig: sign(1400000001, vectorKey, "xiaojun", time.Hour), code: 70014, why: "for sdkappid 1400000001, not 1400000000"},
		"another user's":               {sig: sigV3a, code: 70013, why: `for user "administrator", not "xiaojun"`},
		"another key's":                {sig: sign(vectorApp, "no", "xiaojun", time.Hour), code: 70009, why: "another key"},
		"with a userbuf":               {sig: sigV2, code: 70009, why: "userbuf"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			now := vectorTime
			if tt.now != 0 {
				now = time.Unix(tt.now, 0)
			}
			err := VerifyUserSig(vectorApp, vectorKey, "xiaojun", tt.sig, now)
			if tt.code == CodeOK {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			e, ok := AsError(err)
			if !ok || e.Code != tt.code || !strings.Contains(e.Desc, tt.why) || e.Effect != EffectNotDone {
				t.Errorf("got %#v, want code %d and a text with %q", err, tt.code, tt.why)
			}
		})
	}
	t.Run("no key", func(t *testing.T) {
		if got := CodeOf(VerifyUserSig(vectorApp, "", "xiaojun", sigV1a, vectorTime)); got != 70016 {
			t.Errorf("got %v", got)
		}
	})
}

// Numbers at the edge must neither wrap nor panic.
func TestUserSigExpiryAtTheEdge(t *testing.T) {
	for year, c := range map[int]UserSigClaims{
		9999: {Time: 1700000000, Expire: 1<<63 - 1},
		0:    {Time: -1700000000, Expire: -1 << 63},
	} {
		end := c.ExpiresAt().UTC()
		if end.Year() != year {
			t.Errorf("%+v expires in the year %d", c, end.Year())
		}
		if _, err := end.MarshalJSON(); err != nil {
			t.Error(err)
		}
	}
}

func TestUserSigNeedsNoASCII(t *testing.T) {
	for _, user := range []UserID{"李雷", "a<b>&c", "a\nTLS.sdkappid:1", ""} {
		sig := SignUserSig(vectorApp, vectorKey, user, time.Hour, vectorTime)
		if err := VerifyUserSig(vectorApp, vectorKey, user, sig, vectorTime); err != nil {
			t.Errorf("%q: %v", user, err)
		}
	}
}
