// Decodes a kOps cluster as `kops replace` does, and refuses, as `kops edit cluster` does, what its type would lose.
// It reads standard input, and exits with 0, or with 1 and the reason on standard error.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/kops/pkg/edit"
)

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err == nil {
		var lost string
		lost, err = edit.HasExtraFields(string(data))
		if err == nil && lost != "" {
			err = errors.New(lost)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
