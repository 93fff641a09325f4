// Decodes what kubeadm and kube-apiserver are given with their own code.
//
//	kubernetes-formats kubeadm < ClusterConfiguration
//	kubernetes-formats authentication-configuration < AuthenticationConfiguration
//
// It exits with 0, or with 1 and the reason on standard error.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm/scheme"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/config/strict"
	"sigs.k8s.io/yaml"
)

// As kubeadm decodes its configuration (cmd/kubeadm/app/util/config).
func kubeadmConfiguration(data []byte) error {
	kind, err := kindOf(data)
	if err != nil {
		return err
	}
	if err := strict.VerifyUnmarshalStrict([]*runtime.Scheme{kubeadm.Scheme}, kind, data); err != nil {
		return err
	}
	_, err = runtime.Decode(kubeadm.Codecs.UniversalDecoder(), data)
	return err
}

// As kube-apiserver loads the file of --authentication-config (pkg/kubeapiserver/options).
func authenticationConfiguration(data []byte) error {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	codecs := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	decoded, err := runtime.Decode(codecs.UniversalDecoder(), data)
	if err != nil {
		return err
	}
	configuration, ok := decoded.(*apiserver.AuthenticationConfiguration)
	if !ok {
		return fmt.Errorf("it is a %T", decoded)
	}
	compiler := authenticationcel.NewCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	issuers := []string{"https://kubernetes.default.svc"}
	return validation.ValidateAuthenticationConfiguration(compiler, configuration, issuers).ToAggregate()
}

func kindOf(data []byte) (schema.GroupVersionKind, error) {
	var meta struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(data, &meta); err != nil {
		return schema.GroupVersionKind{}, err
	}
	return schema.FromAPIVersionAndKind(meta.APIVersion, meta.Kind), nil
}

func check() error {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "authentication-configuration":
			return authenticationConfiguration(data)
		case "kubeadm":
			return kubeadmConfiguration(data)
		}
	}
	return errors.New("kubernetes-formats kubeadm | authentication-configuration")
}

func main() {
	if err := check(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
