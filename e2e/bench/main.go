package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	var rows []row
	for _, m := range modules {
		more, err := measure(ctx, m)
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: measure module %s: %v\n", m.name, err)
			return 1
		}
		rows = append(rows, more...)
	}
	fmt.Printf("\n%d CPUs, %s in all; times in ms from Consul's change to applied, CPU in ms per change and task\n\n",
		runtime.NumCPU(), time.Since(began).Round(time.Second))
	table(rows)
	return 0
}

// row is one line of the result.
type row struct {
	module, what string
	times        []time.Duration
	// ratio is the median to that of the bare apply; 0 prints nothing.
	ratio float64
	// cpu is per change and task.
	cpu    time.Duration
	memory int64
	note   string
}

func table(rows []row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MODULE\tWHAT\tN\tMEDIAN\tP99\tRATIO\tCPU\tRSS\tNOTE")
	for _, r := range rows {
		ratio, memory := "", ""
		if r.ratio > 0 {
			ratio = fmt.Sprintf("%.2f", r.ratio)
		}
		if r.memory > 0 {
			memory = fmt.Sprintf("%d MB", r.memory>>20)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%d\t%s\t%s\n", r.module, r.what, len(r.times),
			quantile(r.times, 0.5).Milliseconds(), quantile(r.times, 0.99).Milliseconds(), ratio, r.cpu.Milliseconds(), memory, r.note)
	}
	// Nothing is left to tell a failure of standard output to.
	_ = w.Flush()
}
