package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/server"
)

var requestInfos = server.NewRequestInfoResolver(&server.Config{
	LegacyAPIGroupPrefixes: sets.NewString(server.DefaultLegacyAPIPrefix),
})

type requestAnswer struct {
	// BadRequest: Go's HTTP server refuses the request before any handler.
	BadRequest bool          `json:"badRequest"`
	NotUTF8    bool          `json:"notUtf8"`
	Error      string        `json:"error"`
	Resource   bool          `json:"resource"`
	Path       string        `json:"path"`
	Verb       string        `json:"verb"`
	Prefix     string        `json:"prefix"`
	Group      string        `json:"group"`
	Version    string        `json:"version"`
	Namespace  string        `json:"namespace"`
	Kind       string        `json:"kind"`
	Sub        string        `json:"sub"`
	Name       string        `json:"name"`
	Parts      []string      `json:"parts"`
	Field      string        `json:"field"`
	Label      string        `json:"label"`
	Forbidden  metav1.Status `json:"forbidden"`
}

func answerRequest(line []byte) (any, error) {
	var q struct {
		Method, Target, User, Reason string
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, err
	}
	raw := q.Method + " " + q.Target + " HTTP/1.1\r\nHost: oracle\r\n\r\n"
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return requestAnswer{BadRequest: true}, nil
	}
	info, err := requestInfos.NewRequestInfo(req)
	if err != nil {
		return requestAnswer{Error: err.Error()}, nil
	}
	ctx := request.WithRequestInfo(req.Context(), info)
	ctx = request.WithUser(ctx, &user.DefaultInfo{Name: q.User})
	attributes, err := filters.GetAuthorizerAttributes(ctx)
	if err != nil {
		return nil, err
	}
	return requestAnswer{
		NotUTF8:   !utf8.ValidString(info.Path) || !utf8.ValidString(info.Name),
		Resource:  info.IsResourceRequest,
		Path:      info.Path,
		Verb:      attributes.GetVerb(),
		Prefix:    info.APIPrefix,
		Group:     attributes.GetAPIGroup(),
		Version:   attributes.GetAPIVersion(),
		Namespace: attributes.GetNamespace(),
		Kind:      attributes.GetResource(),
		Sub:       attributes.GetSubresource(),
		Name:      attributes.GetName(),
		Parts:     info.Parts,
		Field:     info.FieldSelector,
		Label:     info.LabelSelector,
		Forbidden: responsewriters.ForbiddenStatusError(attributes, q.Reason).Status(),
	}, nil
}
