package tim

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxUserSig bounds what a UserSig may unpack to; one has a few hundred bytes.
const maxUserSig = 16 << 10

// The alphabet of a UserSig is base64's with three characters replaced, so
// that it can stand in a URL. It is not that of RFC 4648.
var (
	toSigAlphabet   = strings.NewReplacer("+", "*", "/", "-", "=", "_")
	fromSigAlphabet = strings.NewReplacer("*", "+", "-", "/", "_", "=")
)

// UserSigClaims is what a UserSig says.
type UserSigClaims struct {
	Version  string
	User     UserID
	SDKAppID uint64
	Time     int64  // when it was made, seconds since 1970
	Expire   int64  // how long it lives, seconds
	UserBuf  []byte // nil where it has none; Tencent's other products use it
	Sig      []byte // HMAC-SHA256 of the rest with the application's key
}

// ExpiresAt is the last second at which the UserSig is good.
func (c UserSigClaims) ExpiresAt() time.Time {
	end := c.Time + c.Expire
	switch {
	case c.Expire > 0 && end < c.Time:
		end = math.MaxInt64
	case c.Expire < 0 && end > c.Time:
		end = math.MinInt64
	}
	// Outside the years 0 to 9999 a time neither prints nor marshals.
	return time.Unix(max(min(end, 253402300799), -62167219200), 0)
}

// userSigJSON is a UserSig's content. The order is that of Tencent's Go library.
type userSigJSON struct {
	Ver        string  `json:"TLS.ver"`
	Identifier string  `json:"TLS.identifier"`
	SDKAppID   uint64  `json:"TLS.sdkappid"`
	Expire     int64   `json:"TLS.expire"`
	Time       int64   `json:"TLS.time"`
	UserBuf    *string `json:"TLS.userbuf,omitempty"`
	Sig        string  `json:"TLS.sig"`
}

// SignUserSig makes the UserSig with which a user signs in to an application.
// key is the application's secret key as the console shows it; ttl is cut to
// seconds. The bytes are those of Tencent's own Go library.
func SignUserSig(sdkappid uint32, key string, user UserID, ttl time.Duration, now time.Time) string {
	return packUserSig(UserSigClaims{
		Version: "2.0", User: user, SDKAppID: uint64(sdkappid),
		Time: now.Unix(), Expire: int64(ttl / time.Second),
	}, key, zlib.NoCompression)
}

// packUserSig signs claims and packs them.
func packUserSig(c UserSigClaims, key string, level int) string {
	content := userSigJSON{
		Ver: c.Version, Identifier: string(c.User), SDKAppID: c.SDKAppID, Expire: c.Expire, Time: c.Time,
		Sig: base64.StdEncoding.EncodeToString(hmacUserSig(c, key)),
	}
	if c.UserBuf != nil {
		content.UserBuf = new(base64.StdEncoding.EncodeToString(c.UserBuf))
	}
	var packed bytes.Buffer
	w, _ := zlib.NewWriterLevel(&packed, level) // fails only on a level that is none
	_ = json.NewEncoder(w).Encode(content)      // writes to memory
	_ = w.Close()
	return toSigAlphabet.Replace(base64.StdEncoding.EncodeToString(packed.Bytes()))
}

func hmacUserSig(c UserSigClaims, key string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "TLS.identifier:%s\nTLS.sdkappid:%d\nTLS.time:%d\nTLS.expire:%d\n", c.User, c.SDKAppID, c.Time, c.Expire)
	if c.UserBuf != nil {
		fmt.Fprintf(mac, "TLS.userbuf:%s\n", base64.StdEncoding.EncodeToString(c.UserBuf))
	}
	return mac.Sum(nil)
}

// VerifyUserSig checks a UserSig as the service does at a sign-in. The error
// is a [*Error] whose Code is the service's and whose Desc says why.
func VerifyUserSig(sdkappid uint32, key string, user UserID, sig string, now time.Time) error {
	c, err := ParseUserSig(sig)
	if err != nil {
		return err
	}
	refuse := func(code Code, why string) error { return NewError("verify UserSig", code, why) }
	switch {
	case c.SDKAppID != uint64(sdkappid):
		return refuse(CodeSvrAccountUserSigMismatchSDKAppID, fmt.Sprintf("the UserSig is for sdkappid %d, not %d", c.SDKAppID, sdkappid))
	case c.User != user:
		return refuse(CodeSvrAccountUserSigMismatchID, fmt.Sprintf("the UserSig is for user %q, not %q", c.User, user))
	case now.Unix() > c.ExpiresAt().Unix():
		return refuse(CodeSvrAccountUserSigExpired, "the UserSig expired at "+c.ExpiresAt().UTC().Format(time.RFC3339))
	case key == "":
		return refuse(CodeSvrAccountUserSigPublicKeyNotFound, "the application has no key to check the UserSig with")
	case c.UserBuf != nil:
		return refuse(CodeSvrAccountUserSigMismatchPublicKey, "the UserSig carries a userbuf, which chat does not use")
	case !hmac.Equal(c.Sig, hmacUserSig(c, key)):
		return refuse(CodeSvrAccountUserSigMismatchPublicKey, "the UserSig was signed with another key, or changed since")
	}
	return nil
}

// ParseUserSig reads a UserSig without checking it, to learn when it expires.
// The error is a [*Error] of the code that the service would give.
func ParseUserSig(sig string) (UserSigClaims, error) {
	refuse := func(code Code, format string, args ...any) (UserSigClaims, error) {
		return UserSigClaims{}, NewError("read UserSig", code, fmt.Sprintf(format, args...))
	}
	const bad = CodeSvrAccountUserSigCheckFailed
	if sig == "" {
		return refuse(CodeSvrAccountUserSigEmpty, "the UserSig is empty")
	}
	if i := strings.IndexFunc(sig, func(r rune) bool { return !strings.ContainsRune(sigAlphabet, r) }); i >= 0 {
		return refuse(bad, "the UserSig has a character at %d that none has (%s): was it cut from a larger text, or encoded once more?", i, strconv.QuoteRune(rune(sig[i])))
	}
	packed, err := base64.StdEncoding.DecodeString(fromSigAlphabet.Replace(sig))
	if err != nil {
		return refuse(bad, "the UserSig is not base64 (%v): was it cut short?", err)
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return refuse(bad, "the UserSig does not unpack (%v)", err)
	}
	content, err := io.ReadAll(io.LimitReader(r, maxUserSig+1))
	switch {
	case err != nil:
		return refuse(bad, "the UserSig does not unpack (%v): was it cut short?", err)
	case len(content) > maxUserSig:
		return refuse(bad, "the UserSig unpacks to more than %d bytes", maxUserSig)
	}
	var j userSigJSON
	if err := json.Unmarshal(content, &j); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return refuse(bad, "what is packed in the UserSig is not JSON")
		}
		return refuse(bad, "what is packed in the UserSig is not as it should be (%v)", err)
	}
	c := UserSigClaims{Version: j.Ver, User: UserID(j.Identifier), SDKAppID: j.SDKAppID, Time: j.Time, Expire: j.Expire}
	if c.Sig, err = base64.StdEncoding.DecodeString(j.Sig); err != nil {
		return refuse(bad, "the signature in the UserSig is not base64 (%v)", err)
	}
	if j.UserBuf != nil {
		if c.UserBuf, err = base64.StdEncoding.DecodeString(*j.UserBuf); err != nil {
			return refuse(bad, "the userbuf in the UserSig is not base64 (%v)", err)
		}
		if c.UserBuf == nil {
			c.UserBuf = []byte{}
		}
	}
	return c, nil
}

const sigAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-_"
