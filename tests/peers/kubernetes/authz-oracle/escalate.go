package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/apis/rbac"
	rbacv1helpers "k8s.io/kubernetes/pkg/apis/rbac/v1"
	clusterrole "k8s.io/kubernetes/pkg/registry/rbac/clusterrole/policybased"
	clusterrolebinding "k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding/policybased"
	role "k8s.io/kubernetes/pkg/registry/rbac/role/policybased"
	rolebinding "k8s.io/kubernetes/pkg/registry/rbac/rolebinding/policybased"
	rbacregistryvalidation "k8s.io/kubernetes/pkg/registry/rbac/validation"
)

// registry reads roles as the REST storage does: its errors name the resource in the plural, where the
// informers' listers name it in the singular.
type registry struct{ listers }

func (r registry) GetRole(ctx context.Context, namespace, name string) (*rbacv1.Role, error) {
	found, err := r.roles.GetRole(ctx, namespace, name)
	if apierrors.IsNotFound(err) {
		err = apierrors.NewNotFound(rbacv1.Resource("roles"), name)
	}
	return found, err
}

func (r registry) GetClusterRole(ctx context.Context, name string) (*rbacv1.ClusterRole, error) {
	found, err := r.clusterRoles.GetClusterRole(ctx, name)
	if apierrors.IsNotFound(err) {
		err = apierrors.NewNotFound(rbacv1.Resource("clusterroles"), name)
	}
	return found, err
}

// stored stands for the REST storage under the escalation check: everything that reaches it is fine.
type stored struct {
	rest.StandardStorage
	old runtime.Object
}

func (s stored) Create(_ context.Context, obj runtime.Object, _ rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	return obj, nil
}

func (s stored) Update(ctx context.Context, _ string, info rest.UpdatedObjectInfo, _ rest.ValidateObjectFunc, _ rest.ValidateObjectUpdateFunc, _ bool, _ *metav1.UpdateOptions) (runtime.Object, bool, error) {
	obj, err := info.UpdatedObject(ctx, s.old)
	return obj, false, err
}

type writer interface {
	Create(context.Context, runtime.Object, rest.ValidateObjectFunc, *metav1.CreateOptions) (runtime.Object, error)
	Update(context.Context, string, rest.UpdatedObjectInfo, rest.ValidateObjectFunc, rest.ValidateObjectUpdateFunc, bool, *metav1.UpdateOptions) (runtime.Object, bool, error)
}

type write struct {
	User      userInfo
	Namespace string
	Kind      string
	Old, New  json.RawMessage
}

// answerEscalate writes RBAC objects, each as its user, with a PUT when there is an old one and a POST
// otherwise, and answers the Status of each refusal, or null.
func answerEscalate(line []byte) (any, error) {
	var q struct {
		Objects objects
		Writes  []write
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, err
	}
	l, err := q.Objects.listers()
	if err != nil {
		return nil, err
	}
	statuses := make([]*metav1.Status, 0, len(q.Writes))
	for _, w := range q.Writes {
		status, err := l.write(w)
		if err != nil {
			return nil, err
		}
		statuses = append(statuses, status)
	}
	return statuses, nil
}

func (l listers) write(w write) (*metav1.Status, error) {
	fresh, resource, name, err := object(w.Kind, w.New)
	if err != nil {
		return nil, err
	}
	update := len(w.Old) > 0 && string(w.Old) != "null"
	storage := stored{}
	if update {
		if storage.old, _, _, err = object(w.Kind, w.Old); err != nil {
			return nil, err
		}
	} else {
		name = ""
	}

	reg := registry{l}
	resolver := rbacregistryvalidation.NewDefaultRuleResolver(reg, l.roleBindings, reg, l.clusterRoleBindings)
	var checked writer
	switch w.Kind {
	case "Role":
		checked = role.NewStorage(storage, l.authorizer(), resolver)
	case "ClusterRole":
		checked = clusterrole.NewStorage(storage, l.authorizer(), resolver)
	case "RoleBinding":
		checked = rolebinding.NewStorage(storage, l.authorizer(), resolver)
	case "ClusterRoleBinding":
		checked = clusterrolebinding.NewStorage(storage, l.authorizer(), resolver)
	}

	ctx := request.WithUser(context.Background(), w.User.info())
	ctx = request.WithNamespace(ctx, w.Namespace)
	ctx = request.WithRequestInfo(ctx, &request.RequestInfo{
		IsResourceRequest: true, APIGroup: rbacv1.GroupName, APIVersion: "v1",
		Resource: resource, Name: name, Namespace: w.Namespace,
	})
	if update {
		_, _, err = checked.Update(ctx, name, rest.DefaultUpdatedObjectInfo(fresh), nil, nil, false, nil)
	} else {
		_, err = checked.Create(ctx, fresh, nil, nil)
	}
	if err == nil {
		return nil, nil
	}
	var refused apierrors.APIStatus
	if !errors.As(err, &refused) {
		refused = apierrors.NewInternalError(err)
	}
	status := refused.Status()
	return &status, nil
}

func object(kind string, data []byte) (runtime.Object, string, string, error) {
	switch kind {
	case "Role":
		v1, internal := &rbacv1.Role{}, &rbac.Role{}
		if err := json.Unmarshal(data, v1); err != nil {
			return nil, "", "", err
		}
		return internal, "roles", v1.Name, rbacv1helpers.Convert_v1_Role_To_rbac_Role(v1, internal, nil)
	case "ClusterRole":
		v1, internal := &rbacv1.ClusterRole{}, &rbac.ClusterRole{}
		if err := json.Unmarshal(data, v1); err != nil {
			return nil, "", "", err
		}
		return internal, "clusterroles", v1.Name, rbacv1helpers.Convert_v1_ClusterRole_To_rbac_ClusterRole(v1, internal, nil)
	case "RoleBinding":
		v1, internal := &rbacv1.RoleBinding{}, &rbac.RoleBinding{}
		if err := json.Unmarshal(data, v1); err != nil {
			return nil, "", "", err
		}
		return internal, "rolebindings", v1.Name, rbacv1helpers.Convert_v1_RoleBinding_To_rbac_RoleBinding(v1, internal, nil)
	case "ClusterRoleBinding":
		v1, internal := &rbacv1.ClusterRoleBinding{}, &rbac.ClusterRoleBinding{}
		if err := json.Unmarshal(data, v1); err != nil {
			return nil, "", "", err
		}
		return internal, "clusterrolebindings", v1.Name, rbacv1helpers.Convert_v1_ClusterRoleBinding_To_rbac_ClusterRoleBinding(v1, internal, nil)
	}
	return nil, "", "", fmt.Errorf("unknown kind %q", kind)
}
