package tim

import "time"

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
func (c UserSigClaims) ExpiresAt() time.Time { return time.Time{} }

// SignUserSig makes the UserSig with which a user signs in to an application.
// key is the application's secret key as the console shows it, ttl is cut to seconds.
func SignUserSig(sdkappid uint32, key string, user UserID, ttl time.Duration, now time.Time) string {
	return ""
}

// VerifyUserSig checks a UserSig as the service does. The error is a [*Error]
// whose Code is the service's and whose Desc says why.
func VerifyUserSig(sdkappid uint32, key string, user UserID, sig string, now time.Time) error {
	return nil
}

// ParseUserSig reads a UserSig without checking it, to learn when it expires.
// The error is a [*Error].
func ParseUserSig(sig string) (UserSigClaims, error) { return UserSigClaims{}, nil }
