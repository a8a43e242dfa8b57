package bus

import (
	"fmt"
	"hash/fnv"
)

// Shard is one of Count instances of the bridge on one bus, from 0. The zero
// value means one alone.
type Shard struct {
	Index, Count int
}

// Check returns what is wrong with a shard; its Count is set.
func (s Shard) Check() error {
	if s.Count < 1 || s.Index < 0 || s.Index >= s.Count {
		return fmt.Errorf("shard %d of %d", s.Index, s.Count)
	}
	return nil
}

// Owns says whether an account is this shard's: whether it signs the account
// in and takes its commands. Every user id, also one that nobody has, belongs
// to exactly one shard.
func (s Shard) Owns(account string) bool {
	if s.Count <= 1 {
		return true
	}
	h := fnv.New64a()
	h.Write([]byte(account))
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
