package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
)

func TestAChangeIsSeenByTheNextRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	w.start(w.config(local, w.filesTask("web", "web", filepath.Join(w.dir, "web.txt"))))
	w.phase("web", "applied")
	for i := range 20 {
		text := fmt.Sprintf("change %d", i)
		w.send("PATCH", "/v1/tasks/web", fmt.Sprintf(`{"enabled":false,"description":%q}`, text), 200)
		wantText(t, w.send("GET", "/v1/tasks/web", "", 200).Body, fmt.Sprintf(`"description":%q`, text))
	}
}

func TestARestartTellsOfABlockThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	w.start(w.config(local, w.filesTask("goes", "web", filepath.Join(w.dir, "goes.txt"))))
	w.phase("goes", "applied")
	w.end(endings["after a graceful stop"])
	w.start(w.config(local))
	w.must(w.patchbay.AwaitLog(t.Context(), "what it made stays: task=goes", limit))
}

func TestUnderTheOldNameEveryTaskIsToldWhenItRanOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.legacy()
	w.serve("web", "web-1")
	file := w.file("cts.hcl", w.config(local, w.filesTask("web", "web", filepath.Join(w.dir, "made.txt"))))
	w.says(0, "", []string{"start", "-config-file", file, "-once"}, "task completed: task_name=web", "all tasks completed once")
}
