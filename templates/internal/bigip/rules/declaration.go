package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// class is what AS3's schema says of one class of objects.
type class struct {
	properties map[string]Check
	required   []string
	// any are properties one of which must be there.
	any []string
}

// Names of AS3 may be longer and hold . and - in newer versions; this is what all take.
var as3Name = regexp.MustCompile(`^[A-Za-z][0-9A-Za-z_]{0,63}$`)

var remark = regexp.MustCompile(`^[^\x00-\x1f\x22\x5c\x7f]{0,64}$`)

func isRemark(v any) string {
	if s, ok := v.(string); !ok || !remark.MatchString(s) {
		return "should match pattern and have at most 64 characters"
	}
	return ""
}

// isPointer takes what names an object of the declaration or, as {bigip}, of the device.
func isPointer(allowed ...string) Check {
	return func(v any) string {
		if len(allowed) > 0 && oneOf(allowed...)(v) == "" {
			return ""
		}
		m, ok := v.(map[string]any)
		if !ok || len(m) != 1 {
			return "should be an allowed value or have one property, use or bigip"
		}
		for key, to := range m {
			path, _ := to.(string)
			if key != "use" && key != "bigip" || path == "" || key == "bigip" && path[0] != '/' {
				return "should be an allowed value or have one property, use or bigip"
			}
		}
		return ""
	}
}

func listOf(one Check, least int) Check {
	return func(v any) string {
		list, ok := v.([]any)
		if !ok {
			return "should be array"
		}
		if len(list) < least {
			return fmt.Sprintf("should NOT have fewer than %d items", least)
		}
		for n, x := range list {
			if wrong := one(x); wrong != "" {
				return fmt.Sprintf("[%d] %s", n, wrong)
			}
		}
		return ""
	}
}

func isPool(v any) string {
	if IsString(v) == "" {
		return ""
	}
	return isPointer()(v)
}

func isKeyed(v any) string {
	m, ok := v.(map[string]any)
	if !ok || IsString(m["key"]) != "" {
		return "should have required property 'key'"
	}
	for key := range m {
		if key != "key" && key != "value" {
			return "should NOT have additional properties"
		}
	}
	return ""
}

var about = map[string]Check{"class": IsString, "label": isRemark, "remark": isRemark}

func with(more map[string]Check, others ...map[string]Check) map[string]Check {
	out := maps.Clone(more)
	for _, o := range append(others, about) {
		maps.Copy(out, o)
	}
	return out
}

var service = map[string]Check{
	"enable": isBool, "pool": isPool, "snat": isPointer("none", "self", "auto"), "virtualAddresses": listOf(IsAddress, 1), "virtualPort": Between(0, 65535),
	"persistenceMethods": listOf(isPointer("cookie", "destination-address", "hash", "msrdp", "sip-info", "source-address", "tls-session-id", "universal"), 0),
}

var classes = map[string]class{
	"Service_HTTP":  {properties: with(service), required: []string{"virtualAddresses"}},
	"Service_HTTPS": {properties: with(service, map[string]Check{"redirect80": isBool, "serverTLS": isPool}), required: []string{"virtualAddresses", "serverTLS"}},
	"Service_TCP":   {properties: with(service), required: []string{"virtualAddresses", "virtualPort"}},
	"Service_UDP":   {properties: with(service), required: []string{"virtualAddresses", "virtualPort"}},
	"Service_L4":    {properties: with(service), required: []string{"virtualAddresses", "virtualPort"}},
	"Pool": {properties: with(map[string]Check{
		"loadBalancingMode": balancing, "members": listOf(func(v any) string { return "" }, 0), "minimumMembersActive": Between(0, 65535),
		"monitors":      listOf(isPointer("http", "https", "http2", "icmp", "tcp-half-open", "tcp"), 0),
		"reselectTries": Between(0, 65535), "serviceDownAction": oneOf("drop", "none", "reselect", "reset"), "slowRampTime": Between(0, 900),
		"minimumMonitors": Between(0, 63),
	})},
	"Firewall_Address_List": {
		properties: with(map[string]Check{"addresses": listOf(IsNetwork, 1), "fqdns": listOf(IsString, 1), "geo": listOf(IsString, 1)}),
		any:        []string{"addresses", "fqdns", "geo"},
	},
	"Data_Group": {
		properties: with(map[string]Check{"storageType": oneOf("internal"), "keyDataType": oneOf("integer", "ip", "string"), "records": listOf(isKeyed, 0)}),
		required:   []string{"keyDataType", "records"},
	},
}

var poolMember = class{
	properties: map[string]Check{
		"remark": isRemark, "servicePort": Between(0, 65535), "enable": isBool, "connectionLimit": Between(0, 2147483647), "rateLimit": Between(-1, 2147483647),
		"dynamicRatio": Between(0, 100), "ratio": Between(0, 100), "priorityGroup": Between(0, 65535), "adminState": oneOf("enable", "disable", "offline"),
		"addressDiscovery": oneOf("static", "fqdn", "event"), "shareNodes": isBool, "serverAddresses": listOf(IsAddress, 1),
		"servers": listOf(func(v any) string { m, _ := v.(map[string]any); return IsAddress(m["address"]) }, 1),
	},
	required: []string{"servicePort"},
}

// Faulty checks a declaration against the schema.
func Faulty(adc map[string]any) (errors []string) {
	if version, _ := adc["schemaVersion"].(string); !regexp.MustCompile(`^3\.([0-9]|[1-4][0-9]|50)\.[0-9]+$`).MatchString(version) {
		errors = append(errors, "/schemaVersion: should be equal to one of the allowed values")
	}
	for _, key := range slices.Sorted(maps.Keys(adc)) {
		switch key {
		case "class", "schemaVersion", "id", "updateMode", "controls":
		case "label", "remark":
			if wrong := isRemark(adc[key]); wrong != "" {
				errors = append(errors, "/"+key+": "+wrong)
			}
		default:
			tenant, _ := adc[key].(map[string]any)
			errors = append(errors, faultyTenant("/"+key, key, tenant)...)
		}
	}
	return errors
}

func faultyTenant(at, name string, tenant map[string]any) (errors []string) {
	if !as3Name.MatchString(name) {
		errors = append(errors, at+": should match pattern \"^[A-Za-z][0-9A-Za-z_]*$\"")
	}
	if tenant["class"] != "Tenant" {
		return append(errors, at+"/class: should be equal to constant Tenant")
	}
	for _, key := range slices.Sorted(maps.Keys(tenant)) {
		wrong := ""
		switch key {
		case "class":
		case "label", "remark":
			wrong = isRemark(tenant[key])
		case "enable":
			wrong = isBool(tenant[key])
		case "defaultRouteDomain":
			wrong = Between(0, 65535)(tenant[key])
		case "constants", "controls", "optimisticLockKey", "verifiers", "Shared":
			wrong = "is not used by the shipped modules"
		default:
			app, _ := tenant[key].(map[string]any)
			errors = append(errors, faultyApplication(at+"/"+key, key, app)...)
		}
		if wrong != "" {
			errors = append(errors, at+"/"+key+": "+wrong)
		}
	}
	return errors
}

func faultyApplication(at, name string, app map[string]any) (errors []string) {
	if !as3Name.MatchString(name) {
		errors = append(errors, at+": should match pattern \"^[A-Za-z][0-9A-Za-z_]*$\"")
	}
	if app["class"] != "Application" {
		return append(errors, at+"/class: should be equal to constant Application")
	}
	for _, key := range slices.Sorted(maps.Keys(app)) {
		switch key {
		case "class":
		case "label", "remark":
			if wrong := isRemark(app[key]); wrong != "" {
				errors = append(errors, at+"/"+key+": "+wrong)
			}
		case "template":
			if app[key] != "generic" {
				errors = append(errors, at+"/template: should be equal to constant generic")
			}
		default:
			object, _ := app[key].(map[string]any)
			errors = append(errors, faultyObject(at+"/"+key, key, object, app)...)
		}
	}
	return errors
}

func faultyObject(at, name string, object, app map[string]any) (errors []string) {
	named, _ := object["class"].(string)
	c, known := classes[named]
	if !as3Name.MatchString(name) || !known {
		return []string{at + "/class: should be equal to one of the allowed values"}
	}
	errors = c.faults(at, object)
	members, _ := object["members"].([]any)
	for n, x := range members {
		m, _ := x.(map[string]any)
		where := fmt.Sprintf("%s/members/%d", at, n)
		errors = append(errors, poolMember.faults(where, m)...)
		if d := m["addressDiscovery"]; (d == nil || d == "static") && m["serverAddresses"] == nil && m["servers"] == nil {
			errors = append(errors, where+": should have required property 'serverAddresses'")
		}
	}
	if pool, named := object["pool"].(string); named {
		if target, _ := app[pool].(map[string]any); target["class"] != "Pool" {
			errors = append(errors, at+"/pool: contains path to non-existent object "+pool)
		}
	}
	return errors
}

func (c class) faults(at string, object map[string]any) (errors []string) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		check, known := c.properties[key]
		if !known {
			errors = append(errors, fmt.Sprintf("%s: should NOT have additional properties (%s)", at, key))
			continue
		}
		if wrong := check(object[key]); wrong != "" {
			errors = append(errors, at+"/"+key+": "+wrong)
		}
	}
	for _, key := range c.required {
		if object[key] == nil {
			errors = append(errors, at+": should have required property '"+key+"'")
		}
	}
	if len(c.any) > 0 && !slices.ContainsFunc(c.any, func(key string) bool { return object[key] != nil }) {
		errors = append(errors, at+": should have one of the properties "+fmt.Sprint(c.any))
	}
	return errors
}
