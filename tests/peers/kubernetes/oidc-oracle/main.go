// Command oidc-oracle says what kube-apiserver's own code decides about ID tokens and client certificates.
//
// It reads one JSON object a line (type question) and answers each with one (type answer). The flags go the way they go
// in kube-apiserver: parsed by its options, validated, turned into an AuthenticationConfiguration and handed to the
// authenticator. The provider is a table of answers by URL, so nothing is sent anywhere.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/spf13/pflag"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/kubeapiserver/options"
)

type question struct {
	Args      []string            `json:"args"`
	Responses map[string]response `json:"responses"`
	Now       time.Time           `json:"now"`
	Tokens    []string            `json:"tokens"`
	// Instead of flags and tokens: the content of --client-ca-file, and a chain in DER.
	ClientCA string   `json:"clientCA"`
	Chain    [][]byte `json:"chain"`
	// Instead of tokens: only whether it would start, with Args and this content of --authentication-config.
	Judge             bool     `json:"judge"`
	Configuration     *string  `json:"configuration"`
	DisallowedIssuers []string `json:"disallowedIssuers"`
}

type response struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

type answer struct {
	// Why kube-apiserver would not start.
	StartError string `json:"startError,omitempty"`
	// Why the authenticator is not initialized.
	HealthError string         `json:"healthError,omitempty"`
	Results     []result       `json:"results,omitempty"`
	Fetches     map[string]int `json:"fetches,omitempty"`
}

type result struct {
	// "user", "error" or "ignored".
	Kind  string    `json:"kind"`
	Error string    `json:"error,omitempty"`
	User  *identity `json:"user,omitempty"`
}

type identity struct {
	Username string              `json:"username"`
	UID      string              `json:"uid"`
	Groups   []string            `json:"groups"`
	Extra    map[string][]string `json:"extra"`
}

func main() {
	time.Local = time.UTC
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			fail(err)
		}
		var a any = nil
		if q.Judge {
			a = judge(&q)
		} else {
			a = decide(&q)
		}
		if err := out.Encode(a); err != nil {
			fail(err)
		}
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
}

func decide(q *question) answer {
	if q.ClientCA != "" {
		return answer{Results: []result{authenticateChain(q.ClientCA, q.Chain, q.Now)}}
	}
	provider := &table{responses: q.Responses, fetches: map[string]int{}}
	authenticator, stop, err := authenticator(q, provider)
	if err != nil {
		return answer{StartError: err.Error()}
	}
	defer stop()

	a := answer{}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		err := authenticator.HealthCheck()
		if err == nil {
			break
		}
		if !strings.HasSuffix(err.Error(), "is not initialized") || time.Now().After(deadline) {
			a.HealthError = err.Error()
			break
		}
	}
	for _, token := range q.Tokens {
		r := authenticate(authenticator, token)
		// The verifier of a distributed claim's issuer is set up in the background.
		for i := 0; i < 1000 && strings.Contains(r.Error, "verifier not initialized"); i++ {
			time.Sleep(time.Millisecond)
			r = authenticate(authenticator, token)
		}
		a.Results = append(a.Results, r)
	}
	provider.Lock()
	defer provider.Unlock()
	a.Fetches = provider.fetches
	return a
}

func authenticator(q *question, provider http.RoundTripper) (oidc.AuthenticatorTokenWithHealthCheck, context.CancelFunc, error) {
	o := options.NewBuiltInAuthenticationOptions().WithOIDC()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o.AddFlags(flags)
	if err := flags.Parse(q.Args); err != nil {
		return nil, nil, err
	}
	if errs := o.Validate(); len(errs) > 0 {
		return nil, nil, errors.Join(errs...)
	}
	config, err := o.ToAuthenticationConfig()
	if err != nil {
		return nil, nil, err
	}
	if config.AuthenticationConfig == nil || len(config.AuthenticationConfig.JWT) != 1 {
		return nil, nil, errors.New("the flags configure no authenticator")
	}
	opts := oidc.Options{
		JWTAuthenticator:     config.AuthenticationConfig.JWT[0],
		SupportedSigningAlgs: config.OIDCSigningAlgs,
		Client:               &http.Client{Transport: provider, Timeout: 30 * time.Second},
	}
	if !q.Now.IsZero() {
		setNow(&opts, q.Now)
	}
	ctx, stop := context.WithCancel(context.Background())
	authenticator, err := oidc.New(ctx, opts)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return authenticator, stop, nil
}

func authenticate(authenticator oidc.AuthenticatorTokenWithHealthCheck, token string) result {
	response, ok, err := authenticator.AuthenticateToken(context.Background(), token)
	switch {
	case err != nil:
		return result{Kind: "error", Error: err.Error()}
	case !ok:
		return result{Kind: "ignored"}
	}
	return result{Kind: "user", User: identityOf(response.User)}
}

func identityOf(u user.Info) *identity {
	return &identity{Username: u.GetName(), UID: u.GetUID(), Groups: u.GetGroups(), Extra: u.GetExtra()}
}

// setNow sets the clock that the package keeps for its own tests.
func setNow(opts *oidc.Options, now time.Time) {
	field := reflect.ValueOf(opts).Elem().FieldByName("now")
	clock := func() time.Time { return now }
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(clock))
}

// table answers requests by URL and counts them.
type table struct {
	sync.Mutex
	responses map[string]response
	fetches   map[string]int
}

func (t *table) RoundTrip(request *http.Request) (*http.Response, error) {
	t.Lock()
	defer t.Unlock()
	url := request.URL.String()
	t.fetches[url]++
	r, ok := t.responses[url]
	if !ok {
		return nil, errors.New("no such address")
	}
	headers := http.Header{}
	for name, value := range r.Headers {
		headers.Set(name, value)
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status)),
		StatusCode: r.Status,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     headers,
		Body:       io.NopCloser(strings.NewReader(r.Body)),
		Request:    request,
	}, nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "oidc-oracle:", err)
	os.Exit(1)
}
