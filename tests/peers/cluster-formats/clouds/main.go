// Decodes what a cloud's API takes with the types of its own SDK: no field that they do not have, none lost.
//
//	cluster-formats-clouds KIND < FILE
//
// It exits with 0, or with 1 and the reason on standard error.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerservice/armcontainerservice/v8"
	configv1 "github.com/openshift/api/config/v1"
	"sigs.k8s.io/yaml"
)

var decoders = map[string]func([]byte) error{
	// The file of `az aks jwtauthenticator add --config-file`.
	"aks": func(data []byte) error {
		return keepsAll(data, &armcontainerservice.JWTAuthenticatorProperties{})
	},
	"openshift": func(data []byte) error { return yaml.UnmarshalStrict(data, &configv1.Authentication{}) },
}

// Azure's types read whatever comes, and lose what they do not know: compared with what they write again, it shows.
func keepsAll(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return err
	}
	again, err := json.Marshal(into)
	if err != nil {
		return err
	}
	var before, after any
	if err := json.Unmarshal(data, &before); err != nil {
		return err
	}
	if err := json.Unmarshal(again, &after); err != nil {
		return err
	}
	if !reflect.DeepEqual(before, after) {
		return fmt.Errorf("it is read as %s, and was %s", again, data)
	}
	return nil
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
