// Package v134 has the key of kubelogin v1.34.0 to v1.35.2, as far as gob sees it: names and types, in order.
package v134

type Key struct {
	Provider        Provider
	TLSClientConfig Config
	Username        string
}

type Provider struct {
	IssuerURL, ClientID, ClientSecret string
	ExtraScopes                       []string
	RedirectURL                       string
	PKCEMethod                        int
	UseAccessToken                    bool
	RequestHeaders                    map[string]string
}

type Config struct {
	CACertFilename, CACertData []string
	SkipTLSVerify              bool
	Renegotiation              int
}
