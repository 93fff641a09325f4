// Reads a machine configuration, or a patch of one, with Talos' own loader.
// It reads standard input, and exits with 0, or with 1 and the reason on standard error.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
)

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err == nil {
		_, err = configloader.NewFromBytes(data)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
