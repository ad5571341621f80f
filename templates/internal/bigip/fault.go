package bigip

import (
	"net/http"
	"strings"

	"patchbay/templates/internal/bigip/config"
)

// Fault makes requests fail that have its method ("" for any) and its text in their
// path, after the first Skip and Times of them, 0 for all that follow.
type Fault struct {
	Method, Path string
	Skip, Times  int
	// Status and Body are the answer instead of the device's own; Status 0 lets the
	// request through.
	Status int
	Body   any
	// Then is called with each such request, before it is answered; the device is locked.
	Then func(*Device)
}

// Break switches a fault on. Faults are tried in the order of their coming.
func (d *Device) Break(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, &f)
}

// Heal switches all faults off.
func (d *Device) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = nil
}

func (d *Device) broken(r Request) (config.Reply, bool) {
	for n, f := range d.faults {
		if f.Method != "" && f.Method != r.Method || !strings.Contains(r.Path, f.Path) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				d.faults = append(d.faults[:n:n], d.faults[n+1:]...)
			}
		}
		if f.Then != nil {
			f.Then(d)
		}
		return config.Reply{Status: f.Status, Body: f.Body}, f.Status != 0
	}
	return config.Reply{}, false
}

// LoginsRefused is a device that already has as many tokens as it keeps. With status
// 401 it says so as newer versions do, else with 400.
func LoginsRefused(status int) Fault {
	return Fault{Path: "/authn/login", Status: status, Body: map[string]any{"code": status, "message": "user " + User + " has reached maximum active login tokens"}}
}

// Busy is a device that answers times requests with 503 since a transaction is open.
func Busy(path string, times int) Fault {
	return Fault{Path: path, Times: times, Status: http.StatusServiceUnavailable, Body: map[string]any{
		"code": http.StatusServiceUnavailable, "message": "There is an active asynchronous task executing."}}
}

// NoTask is a device whose next declaration is accepted and whose task is then gone.
func NoTask() Fault {
	return Fault{Path: "/appsvcs/task/", Times: 1, Status: http.StatusNotFound, Body: map[string]any{"code": http.StatusNotFound, "message": "task does not exist"}}
}

// TaskFails is a device whose next declaration ends with these results, none of them applied.
func TaskFails(results ...map[string]any) Fault {
	return Fault{Method: http.MethodPost, Path: "/appsvcs/declare", Times: 1, Then: func(d *Device) { d.outcome(results) }}
}

// TokensExpire is a device on which all tokens end with the request after skip others.
func TokensExpire(skip int) Fault {
	return Fault{Path: "/mgmt/", Skip: skip, Times: 1, Then: func(d *Device) { clear(d.tokens) }}
}
