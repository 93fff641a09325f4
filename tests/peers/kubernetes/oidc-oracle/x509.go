package main

import (
	"crypto/tls"
	cryptox509 "crypto/x509"
	"net/http"
	"time"

	"k8s.io/apiserver/pkg/authentication/request/x509"
	"k8s.io/client-go/util/cert"
)

// authenticateChain decides about a client certificate (leaf first) as --client-ca-file makes kube-apiserver do.
func authenticateChain(clientCA string, chain [][]byte, now time.Time) result {
	roots, err := cert.NewPoolFromBytes([]byte(clientCA))
	if err != nil {
		return result{Kind: "error", Error: err.Error()}
	}
	options := x509.DefaultVerifyOptions()
	options.Roots = roots
	options.CurrentTime = now
	request := &http.Request{TLS: &tls.ConnectionState{}}
	for _, der := range chain {
		certificate, err := cryptox509.ParseCertificate(der)
		if err != nil {
			// The handshake fails before anybody is asked.
			return result{Kind: "error", Error: err.Error()}
		}
		request.TLS.PeerCertificates = append(request.TLS.PeerCertificates, certificate)
	}
	response, ok, err := x509.New(options, x509.CommonNameUserConversion).AuthenticateRequest(request)
	switch {
	case err != nil:
		return result{Kind: "error", Error: err.Error()}
	case !ok:
		return result{Kind: "ignored"}
	}
	return result{Kind: "user", User: identityOf(response.User)}
}
