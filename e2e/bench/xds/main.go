package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() { os.Exit(run()) }

func run() int {
	sizes := flag.String("sidecars", "1000,5000,10000", "how many sidecars to simulate with Patchbay")
	beside := flag.Int("consul", 1000, "how many with Consul's own server; 0 leaves it out")
	changes := flag.Int("changes", 20, "changes to measure for each")
	simulator := flag.Bool("simulate", false, "be the sidecars: what they are comes from standard input")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *simulator {
		if err := simulate(ctx, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench-xds: simulate sidecars:", err)
			return 1
		}
		return 0
	}
	began := time.Now()
	var rows []row
	measure := func(r row, err error) bool {
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench-xds: %v\n", err)
			return false
		}
		rows = append(rows, r)
		return true
	}
	for _, text := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench-xds: read -sidecars: %v\n", err)
			return 1
		}
		if !measure(measurePatchbay(ctx, n, *changes)) {
			return 1
		}
	}
	if *beside > 0 && !measure(measureConsul(ctx, *beside, *changes)) {
		return 1
	}
	fmt.Printf("\n%d CPUs shared by servers and simulated sidecars, %s in all; times from the PUT to Consul to the acknowledgement\n\n",
		runtime.NumCPU(), time.Since(began).Round(time.Second))
	table(rows)
	return 0
}

// row is one line of the result.
type row struct {
	server                  string
	sidecars, subscriptions int
	storm                   time.Duration
	took                    []int64       // microseconds, sorted
	cpu                     time.Duration // per change and sidecar
	heap                    int64         // per sidecar
	rss                     int64
	others                  int
}

func table(rows []row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVER\tSIDECARS\tSUBSCRIPTIONS\tALL CONNECTED\tMEDIAN ms\tP99 ms\tMAX ms\tCPU/PUSH us\tHEAP/SIDECAR KiB\tRSS MB\tUNEXPLAINED")
	for _, r := range rows {
		at := func(q float64) int64 { return r.took[min(len(r.took)-1, int(q*float64(len(r.took))))] / 1000 }
		heap := "-"
		if r.heap > 0 {
			heap = fmt.Sprint(r.heap >> 10)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%d\t%d\t%d\t%d\t%s\t%d\t%d\n", r.server, r.sidecars, r.subscriptions, r.storm.Round(time.Millisecond),
			at(0.5), at(0.99), at(1), r.cpu.Microseconds(), heap, r.rss>>20, r.others)
	}
	// Nothing is left to tell a failure of standard output to.
	_ = w.Flush()
}
