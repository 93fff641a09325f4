// Reads a configuration of k3d by the schema that k3d itself checks it by, and by its type.
// It reads standard input, and exits with 0, or with 1 and the reason on standard error.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/k3d-io/k3d/v5/pkg/config/v1alpha5"
	"github.com/xeipuuv/gojsonschema"
	"sigs.k8s.io/yaml"
)

func check(data []byte) error {
	asJSON, err := yaml.YAMLToJSON(data)
	if err != nil {
		return err
	}
	schema := gojsonschema.NewBytesLoader([]byte(v1alpha5.JSONSchema))
	result, err := gojsonschema.Validate(schema, gojsonschema.NewBytesLoader(asJSON))
	if err != nil {
		return err
	}
	if !result.Valid() {
		return fmt.Errorf("%v", result.Errors())
	}
	return yaml.UnmarshalStrict(data, &v1alpha5.SimpleConfig{})
}

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = check(data)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
