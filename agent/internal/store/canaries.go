package store

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"
)

// bucketCanaries holds JSON by service; it is made when the first one is saved.
var bucketCanaries = []byte("canaries")

// Canaries gives what was saved of each canary, by service.
func (s *Store) Canaries() (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketCanaries)
		if b == nil {
			return nil
		}
		return b.ForEach(func(service, value []byte) error {
			if !json.Valid(value) {
				return fmt.Errorf("decode canary %q: it is not JSON", service)
			}
			out[string(service)] = append(json.RawMessage{}, value...)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read canaries: %w", err)
	}
	return out, nil
}

// SaveCanary replaces what is saved of a canary. When it returns nil, the value is on
// disk.
func (s *Store) SaveCanary(service string, value any) error {
	err := checkName("service", service)
	var text []byte
	if err == nil {
		text, err = json.Marshal(value)
	}
	if err == nil {
		err = s.db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(bucketCanaries)
			if err != nil {
				return err
			}
			return b.Put([]byte(service), text)
		})
	}
	if err != nil {
		return fmt.Errorf("save canary %q: %w", service, explain(err))
	}
	return nil
}

// ForgetCanary drops what is saved of a canary, if anything.
func (s *Store) ForgetCanary(service string) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketCanaries)
		if b == nil {
			return nil
		}
		return b.Delete([]byte(service))
	})
	if err != nil {
		return fmt.Errorf("forget canary %q: %w", service, explain(err))
	}
	return nil
}
