package rules

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Check tells what is wrong with a value of JSON, "" for nothing.
type Check func(v any) string

// IsString takes any text.
func IsString(v any) string {
	if _, ok := v.(string); !ok {
		return "should be string"
	}
	return ""
}

func isBool(v any) string {
	if _, ok := v.(bool); !ok {
		return "should be boolean"
	}
	return ""
}

// Between takes whole numbers from low to high.
func Between(low, high float64) Check {
	return func(v any) string {
		n, ok := v.(float64)
		switch {
		case !ok || n != float64(int64(n)):
			return "should be integer"
		case n < low:
			return fmt.Sprintf("should be >= %v", low)
		case n > high:
			return fmt.Sprintf("should be <= %v", high)
		}
		return ""
	}
}

func oneOf(allowed ...string) Check {
	return func(v any) string {
		s, ok := v.(string)
		if !ok || !slices.Contains(allowed, s) {
			return "should be equal to one of the allowed values"
		}
		return ""
	}
}

// IsAddress takes an IP address.
func IsAddress(v any) string {
	s, _ := v.(string)
	if _, err := netip.ParseAddr(s); err != nil {
		return `should match format "f5ip"`
	}
	return ""
}

// IsNetwork takes an address with or without the length of a prefix.
func IsNetwork(v any) string {
	s, _ := v.(string)
	if IsAddress(v) == "" {
		return ""
	}
	if _, err := netip.ParsePrefix(s); err != nil {
		return `should match format "f5ip"`
	}
	return ""
}

// balancing are the methods that pools have, as iControl REST and AS3 call them.
var balancing = oneOf("dynamic-ratio-member", "dynamic-ratio-node", "fastest-app-response", "fastest-node", "least-connections-member",
	"least-connections-node", "least-sessions", "observed-member", "observed-node", "predictive-member", "predictive-node", "ratio-least-connections-member",
	"ratio-least-connections-node", "ratio-member", "ratio-node", "ratio-session", "round-robin", "weighted-least-connections-member", "weighted-least-connections-node")

// number is what iControl REST takes for a whole number.
func number(low, high float64) Check { return Between(low, high) }

// isMonitors takes the monitors that a BIG-IP has from the start, joined by and.
func isMonitors(v any) string {
	s, _ := v.(string)
	for _, name := range strings.Split(s, " and ") {
		if isMonitor(strings.TrimSpace(name)) != "" && name != "default" && name != "none" {
			return "the requested monitor rule (" + name + ") was not found"
		}
	}
	return ""
}

func isMonitor(v any) string {
	if !slices.Contains([]any{"/Common/http", "/Common/https", "/Common/tcp", "/Common/tcp_half_open", "/Common/udp", "/Common/icmp", "/Common/gateway_icmp"}, v) {
		return "unable to find specified monitor"
	}
	return ""
}

func isRecords(v any) string {
	list, ok := v.([]any)
	if !ok && v != nil {
		return "should be a list of records"
	}
	for _, x := range list {
		r, _ := x.(map[string]any)
		if name, ok := r["name"].(string); !ok || name == "" {
			return "a record has no name"
		}
		for key := range r {
			if key != "name" && key != "data" {
				return "unknown property " + key + " of a record"
			}
		}
	}
	return ""
}

func isEntries(v any) string {
	list, ok := v.([]any)
	if !ok && v != nil {
		return "should be a list of addresses"
	}
	for _, x := range list {
		e, _ := x.(map[string]any)
		if IsNetwork(e["name"]) != "" {
			return fmt.Sprintf("invalid address %v", e["name"])
		}
	}
	return ""
}

// Kinds are the properties that may be written of each kind; the name is always one.
var Kinds = map[string]map[string]Check{
	"ltm/pool": {
		"allowNat": oneOf("yes", "no"), "allowSnat": oneOf("yes", "no"), "description": IsString, "loadBalancingMode": balancing,
		"minActiveMembers": number(0, 65535), "monitor": isMonitors, "reselectTries": number(0, 65535),
		"serviceDownAction": oneOf("none", "reset", "drop", "reselect"), "slowRampTime": number(0, 900),
	},
	"ltm/pool/members": {
		"address": IsAddress, "connectionLimit": number(0, 2147483647), "description": IsString, "dynamicRatio": number(1, 65535), "monitor": isMonitors,
		"priorityGroup": number(0, 65535), "rateLimit": IsString, "ratio": number(1, 65535), "session": oneOf("user-enabled", "user-disabled"),
		"state": oneOf("user-up", "user-down", "unchecked"),
	},
	"ltm/node": {
		"address": IsAddress, "connectionLimit": number(0, 2147483647), "description": IsString, "dynamicRatio": number(1, 65535), "monitor": isMonitors,
		"rateLimit": IsString, "ratio": number(1, 65535), "session": oneOf("user-enabled", "user-disabled"), "state": oneOf("user-up", "user-down", "unchecked"),
	},
	"ltm/data-group/internal":        {"type": oneOf("ip", "string", "integer"), "records": isRecords, "description": IsString},
	"security/firewall/address-list": {"addresses": isEntries, "description": IsString},
	"net/self":                       {"address": IsNetwork, "vlan": IsString, "description": IsString},
	"auth/partition":                 {"description": IsString},
}

// Defaults are what an object has that did not say so.
var Defaults = map[string]map[string]any{
	"ltm/pool": {
		"allowNat": "yes", "allowSnat": "yes", "loadBalancingMode": "round-robin", "minActiveMembers": 0.0, "reselectTries": 0.0,
		"serviceDownAction": "none", "slowRampTime": 10.0,
	},
	"ltm/pool/members": {
		"connectionLimit": 0.0, "dynamicRatio": 1.0, "monitor": "default", "priorityGroup": 0.0, "rateLimit": "disabled", "ratio": 1.0,
		"session": "user-enabled", "state": "unchecked",
	},
	"ltm/node": {
		"connectionLimit": 0.0, "dynamicRatio": 1.0, "monitor": "default", "rateLimit": "disabled", "ratio": 1.0, "session": "user-enabled", "state": "unchecked",
	},
}

// PlainName is what an object may be called.
var PlainName = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.:%-]{0,254}$`)
