// okta-sdk-golang manages an organization with Okta's own SDK for Go, as the set-up of a cluster does.
//
//	okta-sdk-golang setup|again|destroy
//
// `setup` makes a person, two groups, an application and an authorization server; `again` finds, checks, changes and
// checks them; `destroy` removes them. Each prints one JSON line about them. What goes wrong is told on standard error,
// and the exit code is 1.
//
// Environment: OKTA_ORG_URL, OKTA_API_TOKEN, CA_FILE (PEM, trusted beside the system's), USER_LOGIN, USER_PASSWORD;
// GROUP_PREFIX is what the names of the groups begin with (k8s-).
//
// It uses version 5 of the SDK, the newest that could be had when it was written.
package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/okta/okta-sdk-golang/v5/okta"
)

// The names of what is made.
const (
	appLabel    = "k8s OIDC"
	redirectURI = "http://localhost:8000"
	claimName   = "groups"
	policyName  = "k8s_policy"
	ruleName    = "AuthCode + PKCE"
	// mark is in the profile of a person that `setup` made: `destroy` removes no other.
	mark = "okta-sdk-golang"
)

// With a prefix of its own, a peer works in an organization that has groups for a cluster already.
var (
	groupPrefix    = cmp.Or(os.Getenv("GROUP_PREFIX"), "k8s-")
	adminsName     = groupPrefix + "admins"
	restrictedName = groupPrefix + "restricted-users"
	serverName     = groupPrefix + "auth"
)

// summary is what each command prints.
type summary struct {
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"`
	ServerID string   `json:"server_id"`
	AppID    string   `json:"app_id"`
	GroupIDs []string `json:"group_ids"`
	UserID   string   `json:"user_id"`
}

// organization is the API, and the person whom the environment names.
type organization struct {
	*okta.APIClient
	login, password string
}

func main() {
	commands := map[string]func(*organization) (*summary, error){
		"setup":   (*organization).setup,
		"again":   (*organization).again,
		"destroy": (*organization).destroy,
	}
	if len(os.Args) != 2 || commands[os.Args[1]] == nil {
		fail(errors.New("usage: okta-sdk-golang setup|again|destroy"))
	}
	org, err := connect()
	if err != nil {
		fail(err)
	}
	made, err := commands[os.Args[1]](org)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(made); err != nil {
		fail(err)
	}
}

func connect() (*organization, error) {
	orgURL := os.Getenv("OKTA_ORG_URL")
	address, err := url.Parse(orgURL)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	if file := os.Getenv("CA_FILE"); file != "" {
		certificates, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(certificates) {
			return nil, fmt.Errorf("%s holds no certificate", file)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	configuration, err := okta.NewConfiguration(
		okta.WithOrgUrl(orgURL),
		okta.WithToken(os.Getenv("OKTA_API_TOKEN")),
		okta.WithTestingDisableHttpsCheck(true),
		okta.WithCache(false),
		// Without a limit it asks for ever where a server hangs up.
		okta.WithRateLimitMaxRetries(2),
		okta.WithHttpClientPtr(&http.Client{Transport: transport, Timeout: 30 * time.Second}),
	)
	if err != nil {
		return nil, err
	}
	// The SDK takes the host of the URL without its port.
	configuration.Host = address.Host
	return &organization{
		APIClient: okta.NewAPIClient(configuration),
		login:     os.Getenv("USER_LOGIN"),
		password:  os.Getenv("USER_PASSWORD"),
	}, nil
}

// told adds to an error what was being done, and what Okta's error says.
func told(doing string, err error) error {
	if err == nil {
		return nil
	}
	var answered *okta.GenericOpenAPIError
	if errors.As(err, &answered) {
		return fmt.Errorf("%s: %w: %s", doing, err, answered.Body())
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// notFound tells whether the SDK read Okta's error for what is not there.
func notFound(answer *okta.APIResponse, err error) bool {
	var answered *okta.GenericOpenAPIError
	if !errors.As(err, &answered) || answer == nil || answer.Response == nil || answer.StatusCode != http.StatusNotFound {
		return false
	}
	model, ok := answered.Model().(okta.Error)
	return ok && model.GetErrorCode() == "E0000007"
}

// expect says that something is not as it was made.
func expect(what string, fine bool, found any) error {
	if fine {
		return nil
	}
	text, err := json.Marshal(found)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s is not as made: %s", what, text)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "okta-sdk-golang:", err)
	os.Exit(1)
}
