// Decodes a file as strictly as the program that it is for: no field that its Go type does not have, none twice.
//
//	cluster-formats-objects KIND < FILE
//
// It exits with 0, or with 1 and the reason on standard error.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	yamlv3 "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	controlplanev1beta1 "sigs.k8s.io/cluster-api/api/controlplane/kubeadm/v1beta1"
	controlplanev1beta2 "sigs.k8s.io/cluster-api/api/controlplane/kubeadm/v1beta2"
	kind "sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"
)

// What `aws eks associate-identity-provider-config` takes; the types are the API's.
type associateIdentityProviderConfig struct {
	ClusterName string
	Oidc        types.OidcIdentityProviderConfigRequest
}

var decoders = map[string]func([]byte) error{
	"cluster-api-v1beta1": func(data []byte) error {
		return yaml.UnmarshalStrict(data, &controlplanev1beta1.KubeadmControlPlane{})
	},
	"cluster-api-v1beta2": func(data []byte) error {
		return yaml.UnmarshalStrict(data, &controlplanev1beta2.KubeadmControlPlane{})
	},
	"config-map": func(data []byte) error { return yaml.UnmarshalStrict(data, &corev1.ConfigMap{}) },
	"eks": func(data []byte) error {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		return decoder.Decode(&associateIdentityProviderConfig{})
	},
	// As kind itself reads it.
	"kind": func(data []byte) error {
		decoder := yamlv3.NewDecoder(bytes.NewReader(data))
		decoder.KnownFields(true)
		return decoder.Decode(&kind.Cluster{})
	},
	"pod": func(data []byte) error { return yaml.UnmarshalStrict(data, &corev1.Pod{}) },
}

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err == nil && len(os.Args) == 2 && decoders[os.Args[1]] != nil {
		err = decoders[os.Args[1]](data)
	} else if err == nil {
		err = fmt.Errorf("unknown kind in %q", os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
