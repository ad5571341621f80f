package store

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// NewRunID makes the ID of a run that starts now: a UUID of version 7, so that IDs
// sort by time, to a quarter of a microsecond (RFC 9562, 6.2, method 3).
func NewRunID(now time.Time) string {
	var id uuid.UUID
	rand.Read(id[8:])
	binary.BigEndian.PutUint64(id[:8], uint64(max(0, now.UnixMilli()))<<16)
	fraction := uint16(now.Nanosecond() % int(time.Millisecond) * 4096 / int(time.Millisecond))
	binary.BigEndian.PutUint16(id[6:8], 0x7000|fraction)
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
