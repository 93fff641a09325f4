// Reads values of a virtual cluster as `vcluster create` does: strictly.
// It reads standard input, and exits with 0, or with 1 and the reason on standard error.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/loft-sh/vcluster/config"
)

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = (&config.Config{}).UnmarshalYAMLStrict(data)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
