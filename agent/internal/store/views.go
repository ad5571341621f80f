package store

import (
	"encoding/json"
	"fmt"

	"patchbay/tasks/catalog"

	"go.etcd.io/bbolt"
)

// bucketViews is made when the first view is saved.
var bucketViews = []byte("views")

// Views gives the views of services that were saved last, with their verdicts; what
// cannot be read is left out, as a view can be had from Consul again.
func (s *Store) Views() (views []*catalog.View, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketViews)
		if b == nil {
			return nil
		}
		return b.ForEach(func(_, value []byte) error {
			var v catalog.View
			if json.Unmarshal(value, &v) == nil && keeps(v.Query.Kind) {
				views = append(views, &v)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read views: %w", err)
	}
	return views, nil
}

func keeps(k catalog.Kind) bool {
	return k.Instances() || k == catalog.DiscoveryChain || k == catalog.ConnectProxies
}

// SaveViews replaces views of services, each by its query, and forgets those of gone.
// When it returns nil, that is on disk.
func (s *Store) SaveViews(views []*catalog.View, gone []catalog.Query) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketViews)
		if err != nil {
			return err
		}
		for _, q := range gone {
			if err := b.Delete(viewKey(q)); err != nil {
				return err
			}
		}
		for _, v := range views {
			value, err := json.Marshal(v)
			if err != nil {
				return err
			}
			if err := b.Put(viewKey(v.Query), value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save %d views: %w", len(views), explain(err))
	}
	return nil
}

// viewKey is unique for a query and as long whatever the service is called.
func viewKey(q catalog.Query) []byte {
	d := catalog.NewHasher().Int(int(q.Kind)).String(q.Name, q.Datacenter, q.Namespace, q.NodeMeta).Sum()
	return d[:]
}
