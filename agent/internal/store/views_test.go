package store

import (
	"testing"

	"patchbay/tasks/catalog"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

func serviceView(name string, ids ...string) *catalog.View {
	var list []catalog.Instance
	for _, id := range ids {
		list = append(list, catalog.Instance{ID: id, Name: name, Port: 80, Node: catalog.Node{Name: "n1"},
			Checks: []catalog.Check{{ID: "http", Status: catalog.Passing}}})
	}
	return catalog.NewServiceView(catalog.Query{Kind: catalog.ServiceHealth, Name: name}, list)
}

func TestViewsAreThereAfterTheStoreWasOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Keep{})
	web, db := serviceView("web", "web-1", "web-2"), serviceView("db", "db-1")
	for _, save := range [][]*catalog.View{{serviceView("web", "old"), db, serviceView("gone")}, {web}} {
		if err := s.SaveViews(save, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SaveViews(nil, []catalog.Query{{Kind: catalog.ServiceHealth, Name: "gone"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Keep{})
	defer s.Close()
	got, err := s.Views()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*catalog.View{}
	for _, v := range got {
		byName[v.Query.Name] = v
	}
	if diff := cmp.Diff(map[string]*catalog.View{"web": web, "db": db}, byName); diff != "" {
		t.Error(diff)
	}
}

func TestAViewThatCannotBeReadIsLeftOut(t *testing.T) {
	s := open(t, t.TempDir(), Keep{})
	defer s.Close()
	if err := s.SaveViews([]*catalog.View{serviceView("web", "web-1")}, nil); err != nil {
		t.Fatal(err)
	}
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketViews).Put([]byte("k"), []byte("{")) })
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Views()
	if err != nil || len(got) != 1 {
		t.Errorf("%d views, %v", len(got), err)
	}
}
