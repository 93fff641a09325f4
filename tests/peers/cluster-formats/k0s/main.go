// Reads a configuration of k0s as `k0s config validate` does: strictly, and every field by its rules.
// It reads standard input, and exits with 0, or with 1 and the reason on standard error.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/k0sproject/k0s/pkg/apis/k0s/v1beta1"
)

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err == nil {
		var config *v1beta1.ClusterConfig
		config, err = v1beta1.ConfigFromBytes(data)
		if err == nil {
			err = errors.Join(config.Validate()...)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
