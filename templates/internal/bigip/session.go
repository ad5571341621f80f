package bigip

import (
	"fmt"
	"net/http"

	"patchbay/templates/internal/bigip/config"
)

// maxTokens is how many tokens of one user a BIG-IP keeps; they live 1,200 s at least
// and nothing that a provider does ends one.
const maxTokens = 100

func (d *Device) newToken() string {
	d.logins++
	token := fmt.Sprintf("TOKEN%021d", d.logins)
	d.tokens[token] = true
	return token
}

func (d *Device) login(r Request) config.Reply {
	asked, fits := config.Object(r.Body)
	switch {
	case r.Method != http.MethodPost || !fits:
		return config.Refuse(http.StatusBadRequest, "Received invalid body in the request")
	case asked["username"] != User || asked["password"] != Password:
		return config.Refuse(http.StatusUnauthorized, "Authentication failed.")
	case len(d.tokens) >= maxTokens:
		return config.Refuse(http.StatusBadRequest, "user %s has reached maximum active login tokens", User)
	}
	return config.OK(map[string]any{"username": User, "token": map[string]any{"token": d.newToken(), "timeout": 1200}})
}

// tokenOf shows, changes and ends a token.
func (d *Device) tokenOf(r Request, token string) config.Reply {
	if !d.tokens[token] {
		return config.Refuse(http.StatusNotFound, "X-F5-Auth-Token does not exist.")
	}
	switch r.Method {
	case http.MethodDelete:
		delete(d.tokens, token)
	case http.MethodPatch:
		asked, _ := config.Object(r.Body)
		timeout, fits := asked["timeout"].(float64)
		if !fits || timeout < 1 || timeout > 36000 {
			return config.Refuse(http.StatusBadRequest, "timeout must be 1 to 36000")
		}
		return config.OK(map[string]any{"token": token, "timeout": timeout})
	}
	return config.OK(map[string]any{"token": token, "timeout": 1200})
}

// Expire ends all tokens, as time does.
func (d *Device) Expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.tokens)
}
