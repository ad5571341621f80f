package azure

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"patchbay/templates/internal/azure/rules"
)

// metadata tells a client where everything is: all of it here.
func (s *Server) metadata() answer {
	root := "https://" + s.Host() + "/"
	return answer{body: Body{
		"name": "stand-in", "portal": root, "resourceManager": root, "graph": root, "gallery": root, "batch": root,
		"microsoftGraphResourceId": root, "logAnalyticsResourceId": root, "activeDirectoryDataLake": root,
		"ossrdbmsResourceId": root, "media": root, "sqlManagement": root, "attestationResourceId": root, "synapseAnalyticsResourceId": root,
		"authentication": Body{"loginEndpoint": "https://" + s.Host(), "audiences": []string{root}, "tenant": "common", "identityProvider": "AAD"},
		"suffixes": Body{
			"storage": "storage.invalid", "keyVaultDns": "vault.invalid", "acrLoginServer": "acr.invalid", "mhsmDns": "mhsm.invalid",
			"sqlServerHostname": "sql.invalid", "mysqlServerEndpoint": "mysql.invalid", "mariadbServerEndpoint": "mariadb.invalid",
			"postgresqlServerEndpoint": "postgresql.invalid", "azureFrontDoorEndpointSuffix": "fd.invalid", "storageSyncEndpointSuffix": "sync.invalid",
			"azureDataLakeStoreFileSystem": "lake.invalid", "attestationEndpoint": "attest.invalid", "synapseAnalytics": "synapse.invalid",
		},
	}}
}

// Credentials are the form by which the one client logs in.
func Credentials() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {clientSecret}}
}

// token logs a client in. Nobody here checks a signature, so there is none.
func token(r *http.Request, body []byte) answer {
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost || form.Get("grant_type") != "client_credentials" ||
		form.Get("client_id") != clientID || form.Get("client_secret") != clientSecret {
		return answer{status: http.StatusUnauthorized, body: Body{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}}
	}
	return answer{body: Body{"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "access_token": pass()}}
}

func pass() string {
	part := func(b Body) string {
		text, _ := json.Marshal(b) // strings and numbers
		return base64.RawURLEncoding.EncodeToString(text)
	}
	claims := Body{"oid": clientID, "appid": clientID, "tid": Tenant, "exp": time.Now().Add(time.Hour).Unix()}
	return part(Body{"alg": "none", "typ": "JWT"}) + "." + part(claims) + ".none"
}

var version = regexp.MustCompile(`^20[0-9]{2}-[01][0-9]-[0-3][0-9](-preview)?$`)

// admit refuses what ARM's front door refuses of any request.
func admit(r *http.Request, body []byte) *rules.Refusal {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch asked := r.URL.Query().Get("api-version"); {
	case strings.Count(bearer, ".") != 2:
		return rules.Refuse(http.StatusUnauthorized, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	case asked == "":
		return rules.Refuse(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	case !version.MatchString(asked):
		return rules.Refuse(http.StatusBadRequest, "InvalidApiVersionParameter", "The api-version '%s' is invalid.", asked)
	case len(body) > maxBody:
		return rules.Refuse(http.StatusRequestEntityTooLarge, "RequestContentTooLarge", "The request content size exceeds the maximum size of 4 MB.")
	}
	return nil
}
