package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	"k8s.io/kubernetes/pkg/kubeapiserver/options"
)

// verdict is what kube-apiserver says of flags and of the file that --authentication-config names, before it starts.
type verdict struct {
	// Of the flags, and of the two together.
	FlagsError string `json:"flagsError,omitempty"`
	// Why the file cannot be read.
	DecodeError string `json:"decodeError,omitempty"`
	// What validation says of it.
	Errors []fieldError `json:"errors,omitempty"`
}

type fieldError struct {
	Field string `json:"field"`
	Text  string `json:"text"`
	// Whether it is about what an expression of CEL says, not about where it stands.
	Expression bool `json:"expression,omitempty"`
}

// As in kube-apiserver's options.
var (
	scheme = runtime.NewScheme()
	codecs = serializer.NewCodecFactory(scheme, serializer.EnableStrict)
)

func init() {
	install.Install(scheme)
}

func judge(q *question) verdict {
	o := options.NewBuiltInAuthenticationOptions().WithOIDC().WithAnonymous()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o.AddFlags(flags)
	args := q.Args
	if q.Configuration != nil {
		file, err := os.CreateTemp("", "authentication-config")
		if err != nil {
			fail(err)
		}
		defer os.Remove(file.Name())
		if _, err := file.WriteString(*q.Configuration); err != nil {
			fail(err)
		}
		if err := file.Close(); err != nil {
			fail(err)
		}
		args = append(args, "--authentication-config="+file.Name())
	}
	if err := flags.Parse(args); err != nil {
		return verdict{FlagsError: err.Error()}
	}
	if errs := o.Validate(); len(errs) > 0 {
		return verdict{FlagsError: errors.Join(errs...).Error()}
	}
	config, err := o.ToAuthenticationConfig()
	switch {
	case err == nil:
	case strings.HasPrefix(err.Error(), "failed to load authentication configuration from file"):
		return verdict{DecodeError: errors.Unwrap(err).Error()}
	case q.Configuration == nil || !strings.HasPrefix(err.Error(), "invalid authentication configuration:"):
		return verdict{FlagsError: err.Error()}
	}
	var configuration *apiserver.AuthenticationConfiguration
	if q.Configuration != nil {
		// What failed is told apart field by field.
		decoded, err := runtime.Decode(codecs.UniversalDecoder(), []byte(*q.Configuration))
		if err != nil {
			fail(err)
		}
		configuration = decoded.(*apiserver.AuthenticationConfiguration)
	} else if configuration = config.AuthenticationConfig; configuration == nil {
		return verdict{}
	}
	v := verdict{}
	compiler := authenticationcel.NewDefaultCompiler()
	for _, e := range validation.ValidateAuthenticationConfiguration(compiler, configuration, q.DisallowedIssuers) {
		v.Errors = append(v.Errors, fieldError{
			Field:      e.Field,
			Text:       e.ErrorBody(),
			Expression: strings.HasPrefix(e.Detail, "compilation failed") || strings.HasPrefix(e.Detail, "must evaluate to"),
		})
	}
	return v
}
