package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	clientauthenticationv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	clientauthenticationv1beta1 "k8s.io/client-go/pkg/apis/clientauthentication/v1beta1"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	"k8s.io/kubernetes/pkg/apis/authorization"
	authorizationv1helpers "k8s.io/kubernetes/pkg/apis/authorization/v1"
	authorizationutil "k8s.io/kubernetes/pkg/registry/authorization/util"
	kjson "sigs.k8s.io/json"
)

type fieldTerm struct {
	Field string `json:"field"`
	Equal bool   `json:"equal"`
	Value string `json:"value"`
}

func answerSelectors(line []byte) (any, error) {
	var q struct {
		Label, Field string
		Labels       map[string]string
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, err
	}
	answer := map[string]any{}
	if selector, err := labels.Parse(q.Label); err != nil {
		answer["labelError"] = err.Error()
	} else {
		answer["matches"] = selector.Matches(labels.Set(q.Labels))
	}
	if selector, err := fields.ParseSelector(q.Field); err != nil {
		answer["fieldError"] = err.Error()
	} else {
		terms := []fieldTerm{}
		for _, r := range selector.Requirements() {
			terms = append(terms, fieldTerm{r.Field, r.Operator == selection.Equals, r.Value})
		}
		answer["terms"] = terms
	}
	return answer, nil
}

func answerReview(line []byte) (any, error) {
	var q struct {
		Asked authorizationv1.ResourceAttributes
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, err
	}
	var internal authorization.ResourceAttributes
	if err := authorizationv1helpers.Convert_v1_ResourceAttributes_To_authorization_ResourceAttributes(&q.Asked, &internal, nil); err != nil {
		return nil, err
	}
	record := authorizationutil.ResourceAttributesFrom(nil, internal)
	return map[string]any{
		"version":         record.APIVersion,
		"evaluationError": authorizationutil.BuildEvaluationError(nil, record),
	}, nil
}

func answerQuote(line []byte) (any, error) {
	var q struct {
		Text string
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, err
	}
	return strconv.Quote(q.Text), nil
}

var kinds = map[string]func() any{
	"Role":                     func() any { return &rbacv1.Role{} },
	"ClusterRole":              func() any { return &rbacv1.ClusterRole{} },
	"RoleBinding":              func() any { return &rbacv1.RoleBinding{} },
	"ClusterRoleBinding":       func() any { return &rbacv1.ClusterRoleBinding{} },
	"RoleList":                 func() any { return &rbacv1.RoleList{} },
	"SubjectAccessReview":      func() any { return &authorizationv1.SubjectAccessReview{} },
	"SelfSubjectAccessReview":  func() any { return &authorizationv1.SelfSubjectAccessReview{} },
	"LocalSubjectAccessReview": func() any { return &authorizationv1.LocalSubjectAccessReview{} },
	"SelfSubjectRulesReview":   func() any { return &authorizationv1.SelfSubjectRulesReview{} },
	"TokenReview":              func() any { return &authenticationv1.TokenReview{} },
	"SelfSubjectReview":        func() any { return &authenticationv1.SelfSubjectReview{} },
	"Status":                   func() any { return &metav1.Status{} },
	"ExecCredential":           func() any { return &clientauthenticationv1.ExecCredential{} },
	"ExecCredentialV1Beta1":    func() any { return &clientauthenticationv1beta1.ExecCredential{} },
	"Config":                   func() any { return &clientcmdv1.Config{} },
}

// answerWire reads an object into Kubernetes' Go type, as its serializer does, and writes it again.
func answerWire(line []byte) (any, error) {
	var q struct {
		Kind   string
		Object json.RawMessage
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, err
	}
	kind, ok := kinds[q.Kind]
	if !ok {
		return nil, fmt.Errorf("unknown kind %q", q.Kind)
	}
	object := kind()
	if err := kjson.UnmarshalCaseSensitivePreserveInts(q.Object, object); err != nil {
		return map[string]any{"error": err.Error()}, nil
	}
	written, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	return map[string]any{"text": string(written)}, nil
}
