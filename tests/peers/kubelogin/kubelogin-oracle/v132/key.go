// Package v132 has the key of kubelogin v1.32.4, as far as gob sees it: names and types, in order.
package v132

type Key struct {
	Provider        Provider
	TLSClientConfig Config
	Username        string
}

type Provider struct {
	IssuerURL, ClientID, ClientSecret string
	ExtraScopes                       []string
	PKCEMethod                        int
	UseAccessToken                    bool
}

type Config struct {
	CACertFilename, CACertData []string
	SkipTLSVerify              bool
	Renegotiation              int
}
