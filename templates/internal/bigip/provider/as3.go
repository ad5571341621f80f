package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"patchbay/templates/internal/bigip/rules"
	"patchbay/templates/internal/standin"
)

const appsvcs = "/mgmt/shared/appsvcs/"

// named lists the tenants and applications of a declaration, each joined by commas.
func named(as3 string) (tenants, applications string) {
	adc, _ := rules.ADC(as3)
	var apps []string
	for _, tenant := range slices.Sorted(maps.Keys(rules.Tenants(adc))) {
		for name, x := range rules.Tenants(adc)[tenant] {
			if m, is := x.(map[string]any); is && m["class"] == "Application" {
				apps = append(apps, name)
			}
		}
	}
	slices.Sort(apps)
	return strings.Join(slices.Sorted(maps.Keys(rules.Tenants(adc))), ","), strings.Join(apps, ",")
}

func (w *wire) createAS3(ctx context.Context, planned standin.Object) (standin.Object, error) {
	var settings struct{ PerAppDeploymentAllowed bool }
	if err := w.call(ctx, http.MethodGet, appsvcs+"settings", nil, &settings); err != nil {
		return nil, err
	}
	var info struct{ Version string }
	if err := w.call(ctx, http.MethodGet, appsvcs+"info", nil, &info); err != nil || info.Version == "" {
		return nil, fmt.Errorf("getting AS3 Version failed with %v", err)
	}
	var content map[string]any
	if err := json.Unmarshal([]byte(planned.String("as3_json")), &content); err != nil {
		return nil, fmt.Errorf("error validating template: %w", err)
	}
	if adc, is := content["declaration"].(map[string]any); is {
		adc["controls"] = map[string]any{"class": "Controls", "userAgent": "Terraform"}
	}
	text, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encode declaration: %w", err)
	}
	tenants, applications := named(planned.String("as3_json"))
	done, id, err := w.deploy(ctx, http.MethodPost, tenants, string(text))
	if err != nil {
		err = fmt.Errorf("posting as3 config failed for tenants:(%s) with error: %w", tenants, err)
		if len(done) == 0 {
			return nil, err
		}
		// Some tenants are there now: the state has them, and the run failed.
		tenants = strings.Join(done, ",")
	}
	out := planned.With(standin.Object{"id": tenants, "tenant_list": tenants, "tenant_filter": tenants, "application_list": applications, "task_id": id, "per_app_mode": false})
	if err != nil {
		return out, err
	}
	return w.readAS3(ctx, out)
}

// deploy starts a task and waits for its end. It gives the tenants that succeeded.
func (w *wire) deploy(ctx context.Context, method, tenants string, body any) (done []string, id string, err error) {
	var started struct{ ID string }
	if err := w.call(ctx, method, appsvcs+"declare/"+tenants+"?async=true", body, &started); err != nil {
		return nil, "", err
	}
	for n := 0; ; n++ {
		var told struct{ Results []map[string]any }
		if err := w.call(ctx, http.MethodGet, appsvcs+"task/"+started.ID, nil, &told); err != nil {
			return nil, started.ID, err
		}
		if code(told.Results) != 0 {
			return verdict(told.Results, started.ID)
		}
		if n == 0 {
			continue // the first two looks follow each other at once
		}
		if err := rest(ctx, w.poll); err != nil {
			return nil, started.ID, err
		}
	}
}

func code(results []map[string]any) int {
	if len(results) == 0 {
		return 0
	}
	n, _ := results[0]["code"].(float64)
	return int(n)
}

func verdict(results []map[string]any, id string) (done []string, task string, err error) {
	failed := false
	for _, r := range results {
		if r["code"] == 200.0 {
			done = append(done, fmt.Sprint(r["tenant"]))
		} else {
			failed = true
		}
	}
	if !failed {
		return done, id, nil
	}
	text, wrong := json.Marshal(results)
	if wrong != nil {
		return done, id, wrong
	}
	return done, id, fmt.Errorf("tenant Creation failed. Response: %s", text)
}

// readAS3 leaves the state as it is when AS3 has no declaration at all; a tenant that is
// gone is an error.
func (w *wire) readAS3(ctx context.Context, state standin.Object) (standin.Object, error) {
	var adc map[string]any
	tenants, _ := named(state.String("as3_json"))
	if err := w.call(ctx, http.MethodGet, appsvcs+"declare/"+tenants, nil, &adc); err != nil {
		return nil, err
	}
	have, _ := rules.ADC(state.String("as3_json"))
	if adc == nil || reflect.DeepEqual(compared(have), compared(adc)) {
		return state, nil
	}
	delete(adc, "updateMode")
	delete(adc, "controls")
	text, err := json.Marshal(map[string]any{"class": "AS3", "action": "deploy", "persist": true, "declaration": adc})
	return state.With(standin.Object{"as3_json": string(text)}), err
}

// compared is what ignore_metadata leaves of a declaration.
func compared(adc map[string]any) map[string]any {
	out := maps.Clone(adc)
	for _, key := range []string{"updateMode", "controls", "schemaVersion", "id", "label", "remark"} {
		delete(out, key)
	}
	return out
}

// updateAS3 deletes the tenants that the declaration has no more, then makes the rest.
func (w *wire) updateAS3(ctx context.Context, prior, planned standin.Object) (standin.Object, error) {
	before, _ := named(prior.String("as3_json"))
	now, _ := named(planned.String("as3_json"))
	var dropped []string
	for _, tenant := range strings.Split(before, ",") {
		if !slices.Contains(strings.Split(now, ","), tenant) {
			dropped = append(dropped, tenant)
		}
	}
	if len(dropped) > 0 {
		if _, _, err := w.deploy(ctx, http.MethodDelete, strings.Join(dropped, ","), nil); err != nil {
			return nil, err
		}
	}
	out, err := w.createAS3(ctx, planned)
	if out == nil {
		return nil, err
	}
	// What only the device can tell stays as it was planned; only logs tell of it.
	for _, computed := range []string{"id", "tenant_list", "tenant_filter", "application_list", "task_id", "per_app_mode"} {
		out[computed] = planned[computed]
	}
	return out, err
}

func (w *wire) deleteAS3(ctx context.Context, state standin.Object) error {
	tenants, _ := named(state.String("as3_json"))
	_, _, err := w.deploy(ctx, http.MethodDelete, tenants, nil)
	return err
}
