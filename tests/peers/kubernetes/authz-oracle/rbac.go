package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	rbaclisters "k8s.io/client-go/listers/rbac/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-helpers/auth/rbac/validation"
	rbacv1helpers "k8s.io/kubernetes/pkg/apis/rbac/v1"
	rbacregistryvalidation "k8s.io/kubernetes/pkg/registry/rbac/validation"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
)

type objects struct {
	Roles               []*rbacv1.Role               `json:"roles"`
	RoleBindings        []*rbacv1.RoleBinding        `json:"roleBindings"`
	ClusterRoles        []*rbacv1.ClusterRole        `json:"clusterRoles"`
	ClusterRoleBindings []*rbacv1.ClusterRoleBinding `json:"clusterRoleBindings"`
}

// listers are what kube-apiserver gives the authorizer: informers' stores.
type listers struct {
	roles               *rbac.RoleGetter
	roleBindings        *rbac.RoleBindingLister
	clusterRoles        *rbac.ClusterRoleGetter
	clusterRoleBindings *rbac.ClusterRoleBindingLister
}

func (o objects) listers() (listers, error) {
	fill := func(add func(store cache.Indexer) error) (cache.Indexer, error) {
		store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
		return store, add(store)
	}
	roles, err1 := fill(func(store cache.Indexer) error { return addAll(store, o.Roles) })
	roleBindings, err2 := fill(func(store cache.Indexer) error { return addAll(store, o.RoleBindings) })
	clusterRoles, err3 := fill(func(store cache.Indexer) error { return addAll(store, o.ClusterRoles) })
	clusterRoleBindings, err4 := fill(func(store cache.Indexer) error { return addAll(store, o.ClusterRoleBindings) })
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return listers{}, err
		}
	}
	return listers{
		&rbac.RoleGetter{Lister: rbaclisters.NewRoleLister(roles)},
		&rbac.RoleBindingLister{Lister: rbaclisters.NewRoleBindingLister(roleBindings)},
		&rbac.ClusterRoleGetter{Lister: rbaclisters.NewClusterRoleLister(clusterRoles)},
		&rbac.ClusterRoleBindingLister{Lister: rbaclisters.NewClusterRoleBindingLister(clusterRoleBindings)},
	}, nil
}

func addAll[T any](store cache.Indexer, objects []*T) error {
	for _, object := range objects {
		if err := store.Add(object); err != nil {
			return err
		}
	}
	return nil
}

func (l listers) authorizer() *rbac.RBACAuthorizer {
	return rbac.New(l.roles, l.roleBindings, l.clusterRoles, l.clusterRoleBindings)
}

type userInfo struct {
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
}

func (u userInfo) info() user.Info {
	return &user.DefaultInfo{Name: u.Username, Groups: u.Groups}
}

type attributes struct {
	User     userInfo                               `json:"user"`
	Resource *authorizationv1.ResourceAttributes    `json:"resource"`
	Path     *authorizationv1.NonResourceAttributes `json:"path"`
}

func (a attributes) record() authorizer.AttributesRecord {
	if a.Path != nil {
		return authorizer.AttributesRecord{User: a.User.info(), Verb: a.Path.Verb, Path: a.Path.Path}
	}
	r := a.Resource
	return authorizer.AttributesRecord{
		User: a.User.info(), Verb: r.Verb, Namespace: r.Namespace, APIGroup: r.Group, APIVersion: r.Version,
		Resource: r.Resource, Subresource: r.Subresource, Name: r.Name, ResourceRequest: true,
	}
}

type rbacAnswer struct {
	Decision string `json:"decision"`
	// Reason is one of several when more than one binding allows, or when errors come in random order.
	Reason string `json:"reason"`
	Error  string `json:"error"`
	// Reasons are all that Authorize could have given for Allow.
	Reasons []string `json:"reasons"`
	// Errors are those of the bindings that apply, each once, sorted.
	Errors []string            `json:"errors"`
	Rules  []rbacv1.PolicyRule `json:"rules"`
	// Review is RulesFor's answer, split for a SelfSubjectRulesReview.
	Review authorizationv1.SubjectRulesReviewStatus `json:"review"`
}

func answerRBAC(line []byte) (any, error) {
	var q struct {
		Objects    objects
		Attributes []attributes
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, err
	}
	l, err := q.Objects.listers()
	if err != nil {
		return nil, err
	}
	all := make([]rbacAnswer, 0, len(q.Attributes))
	for _, a := range q.Attributes {
		all = append(all, l.answer(a.record()))
	}
	return all, nil
}

func (l listers) answer(record authorizer.AttributesRecord) rbacAnswer {
	ctx := context.Background()
	decision, reason, err := l.authorizer().Authorize(ctx, record)
	answer := rbacAnswer{Reason: reason, Reasons: []string{}, Errors: []string{}, Rules: []rbacv1.PolicyRule{}}
	switch decision {
	case authorizer.DecisionAllow:
		answer.Decision = "allow"
	case authorizer.DecisionDeny:
		answer.Decision = "deny"
	case authorizer.DecisionNoOpinion:
		answer.Decision = "noOpinion"
	}
	if err != nil {
		answer.Error = err.Error()
	}

	resolver := rbacregistryvalidation.NewDefaultRuleResolver(l.roles, l.roleBindings, l.clusterRoles, l.clusterRoleBindings)
	visit := func(source fmt.Stringer, rule *rbacv1.PolicyRule, err error) bool {
		if err != nil {
			answer.Errors = append(answer.Errors, err.Error())
			return true
		}
		answer.Rules = append(answer.Rules, *rule)
		if rbac.RuleAllows(record, rule) {
			answer.Reasons = append(answer.Reasons, "RBAC: allowed by "+source.String())
		}
		return true
	}
	resolver.VisitRulesFor(ctx, record.User, "", visit)
	if len(answer.Reasons) == 0 || record.Namespace != "" {
		// Once more with the namespace's bindings. Reasons of ClusterRoleBindings go before all others.
		found := answer.Reasons
		answer.Errors, answer.Rules, answer.Reasons = []string{}, []rbacv1.PolicyRule{}, []string{}
		resolver.VisitRulesFor(ctx, record.User, record.Namespace, visit)
		if len(found) > 0 {
			answer.Reasons = found
		}
	}
	answer.Reasons = sortedSet(answer.Reasons)
	answer.Errors = sortedSet(answer.Errors)

	resources, paths, incomplete, err := l.authorizer().RulesFor(ctx, record.User, record.Namespace)
	answer.Review.Incomplete = incomplete
	if err != nil {
		answer.Review.EvaluationError = err.Error()
	}
	for _, r := range resources {
		answer.Review.ResourceRules = append(answer.Review.ResourceRules, authorizationv1.ResourceRule{
			Verbs: r.GetVerbs(), APIGroups: r.GetAPIGroups(), Resources: r.GetResources(), ResourceNames: r.GetResourceNames(),
		})
	}
	for _, r := range paths {
		answer.Review.NonResourceRules = append(answer.Review.NonResourceRules, authorizationv1.NonResourceRule{
			Verbs: r.GetVerbs(), NonResourceURLs: r.GetNonResourceURLs(),
		})
	}
	return answer
}

func sortedSet(texts []string) []string {
	seen := map[string]bool{}
	set := []string{}
	for _, text := range texts {
		if !seen[text] {
			seen[text] = true
			set = append(set, text)
		}
	}
	sort.Strings(set)
	return set
}

func answerCovers(line []byte) (any, error) {
	var q struct {
		Owner, Servant []rbacv1.PolicyRule
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, err
	}
	covered, uncovered := validation.Covers(q.Owner, q.Servant)
	compacted, err := rbacregistryvalidation.CompactRules(uncovered)
	if err != nil {
		return nil, err
	}
	lines := []string{}
	for _, rule := range compacted {
		lines = append(lines, rbacv1helpers.CompactString(rule))
	}
	return map[string]any{"covered": covered, "uncovered": uncovered, "compact": sortedSet(lines)}, nil
}
