package egress

import (
	"hash/fnv"

	"github.com/timbridge/timbridge/tim"
)

// Shard is one of Count instances, from 0. The zero value means one alone.
type Shard struct {
	Index, Count int
}

// Owns says whether an account is this shard's: whether it signs the account
// in and takes its commands. Every user id, also one that nobody has, belongs
// to exactly one shard.
func (s Shard) Owns(user tim.UserID) bool {
	if s.Count <= 1 {
		return true
	}
	h := fnv.New64a()
	h.Write([]byte(user))
	return int(mix(h.Sum64())%uint64(s.Count)) == s.Index
}

// mix spreads the bits of a hash, since FNV's low bits follow the last byte.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x
}
