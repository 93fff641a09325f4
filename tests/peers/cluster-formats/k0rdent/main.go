// Decodes a ClusterAuthentication or a ClusterDeployment of k0rdent strictly: no field that its type does not have, none twice.
// It reads standard input, and exits with 0, or with 1 and the reason on standard error.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/K0rdent/kcm/api/v1beta1"
	"sigs.k8s.io/yaml"
)

func decode(data []byte) error {
	var head struct{ Kind string }
	if err := yaml.Unmarshal(data, &head); err != nil {
		return err
	}
	switch head.Kind {
	case v1beta1.ClusterAuthenticationKind:
		return yaml.UnmarshalStrict(data, &v1beta1.ClusterAuthentication{})
	case v1beta1.ClusterDeploymentKind:
		return yaml.UnmarshalStrict(data, &v1beta1.ClusterDeployment{})
	default:
		return fmt.Errorf("unknown kind %q", head.Kind)
	}
}

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = decode(data)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
