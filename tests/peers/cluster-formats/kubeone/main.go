// Decodes a manifest of KubeOne strictly: no field that its type does not have, none twice.
// It reads standard input, and exits with 0, or with 1 and the reason on standard error.
package main

import (
	"fmt"
	"io"
	"os"

	"k8c.io/kubeone/pkg/apis/kubeone/v1beta3"
	"sigs.k8s.io/yaml"
)

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = yaml.UnmarshalStrict(data, &v1beta3.KubeOneCluster{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
