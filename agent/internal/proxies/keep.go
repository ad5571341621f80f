package proxies

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"patchbay/tasks/catalog"

	"github.com/hashicorp/go-hclog"
)

// keepEvery is how long changed views are gathered before they are saved. What a
// crash loses is had from Consul again.
const keepEvery = time.Second

// Keep saves views and forgets those that are gone.
type Keep func(views []*catalog.View, gone []catalog.Query) error

// keeper saves views beside the work, so that no client waits for a disk.
type keeper struct {
	save Keep
	log  hclog.Logger
	wake chan struct{}

	mu    sync.Mutex
	views map[catalog.Query]*catalog.View // nil for one that is gone
}

func newKeeper(save Keep, log hclog.Logger) *keeper {
	return &keeper{save: save, log: log, wake: make(chan struct{}, 1), views: map[catalog.Query]*catalog.View{}}
}

// note takes a view to save, or nil to forget the query's.
func (k *keeper) note(q catalog.Query, v *catalog.View) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.views[q] = v
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run saves until ctx ends, and then what is left.
func (k *keeper) run(ctx context.Context) {
	timer := time.NewTimer(keepEvery)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-k.wake:
		case <-ctx.Done():
		}
		timer.Reset(keepEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		k.flush()
	}
}

func (k *keeper) flush() {
	k.mu.Lock()
	dirty := k.views
	k.views = map[catalog.Query]*catalog.View{}
	k.mu.Unlock()
	var views []*catalog.View
	var gone []catalog.Query
	for _, q := range slices.SortedFunc(maps.Keys(dirty), catalog.Query.Compare) {
		if v := dirty[q]; v != nil {
			views = append(views, v)
		} else {
			gone = append(gone, q)
		}
	}
	if len(dirty) == 0 {
		return
	}
	if err := k.save(views, gone); err != nil {
		k.log.Error("last good endpoints were not saved", "err", err)
	}
}
