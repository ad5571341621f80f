package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
)

// Digest identifies content: equal digests mean equal content. The zero Digest
// means "none yet".
type Digest [sha256.Size]byte

// String gives the digest in lower-case hexadecimal, 64 characters; "" for the
// zero Digest.
func (d Digest) String() string {
	if d == (Digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// Short gives the first 12 characters of [Digest.String], for people and logs.
func (d Digest) Short() string {
	s := d.String()
	return s[:min(12, len(s))]
}

// MarshalText implements [encoding.TextMarshaler] with [Digest.String].
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; it accepts what
// MarshalText wrote.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Digest{}
		return nil
	}
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(d) {
		return fmt.Errorf("parse digest %q: want %d hexadecimal characters", text, 2*len(d))
	}
	copy(d[:], b)
	return nil
}

// Hasher builds a [Digest] from typed values. Every value is written with its
// length, so no two sequences of values give the same bytes.
type Hasher struct{ h hash.Hash }

// NewHasher returns an empty Hasher.
func NewHasher() *Hasher { return &Hasher{h: sha256.New()} }

// Int adds a number.
func (h *Hasher) Int(n int) *Hasher {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.h.Write(b[:])
	return h
}

// String adds texts, each with its length.
func (h *Hasher) String(texts ...string) *Hasher {
	for _, s := range texts {
		h.Int(len(s))
		h.h.Write([]byte(s))
	}
	return h
}

// Strings adds a list: its length and its texts in the given order.
func (h *Hasher) Strings(list []string) *Hasher { return h.Int(len(list)).String(list...) }

// Map adds a map in the order of its keys.
func (h *Hasher) Map(m map[string]string) *Hasher {
	h.Int(len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		h.String(k, m[k])
	}
	return h
}

// Digest adds another digest.
func (h *Hasher) Digest(d Digest) *Hasher {
	h.h.Write(d[:])
	return h
}

// Sum gives the digest of all that was added so far.
func (h *Hasher) Sum() Digest { return Digest(h.h.Sum(nil)) }
