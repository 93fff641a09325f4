// The part of a kubelet that `kubectl exec` reaches: the server code of k8s.io/cri-streaming, which container runtimes run,
// around commands of this machine.
//
//	kubelet --listen 127.0.0.1:PORT --tls-cert-file F --tls-private-key-file F --client-ca-file F
//
// It takes whoever comes with a certificate of the client authority. Every container of every pod is this machine, and only
// `cat` and `sh` are in it; in one that is called "distroless" nothing is, and one that is called "stopped" does not run.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	osexec "os/exec"
	"strings"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/utils/exec"
)

// As kubelet has them (pkg/kubelet/server, pkg/kubelet/apis/config/v1beta1).
const (
	idleTimeout           = 4 * time.Hour
	streamCreationTimeout = 30 * time.Second
)

type machine struct{}

func (machine) ExecInContainer(
	ctx context.Context, name, uid, container string, command []string,
	in io.Reader, out, errOut io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize, timeout time.Duration,
) error {
	if container == "distroless" || command[0] != "cat" && command[0] != "sh" {
		return fmt.Errorf("exec: %q: executable file not found in $PATH", command[0])
	}
	process := osexec.CommandContext(ctx, command[0], command[1:]...)
	process.Stdout, process.Stderr = out, errOut
	// Not process.Stdin = in: Wait would wait for the client to close its side.
	stdin, err := process.StdinPipe()
	if err != nil {
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}
	if in == nil {
		stdin.Close()
	} else {
		go func() {
			io.Copy(stdin, in)
			stdin.Close()
		}()
	}
	err = process.Wait()
	var exit *osexec.ExitError
	if errors.As(err, &exit) {
		return &exec.ExitErrorWrapper{ExitError: exit}
	}
	return err
}

func serveExec(w http.ResponseWriter, request *http.Request) {
	options, err := remotecommand.NewOptions(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	pod := request.PathValue("namespace") + "/" + request.PathValue("pod")
	if request.PathValue("container") == "stopped" {
		// As containerd says it, and k8s.io/cri-streaming hands it on.
		http.Error(w, `rpc error: code = Unknown desc = container is not running: "stopped"`, http.StatusInternalServerError)
		return
	}
	command := request.URL.Query()["command"]
	if len(command) == 0 {
		http.Error(w, "no command", http.StatusBadRequest)
		return
	}
	log.Printf("exec in %s/%s: %s (%s)", pod, request.PathValue("container"), strings.Join(command, " "),
		request.Header.Get("Upgrade"))
	remotecommand.ServeExec(w, request, machine{}, pod, "", request.PathValue("container"), command, options,
		idleTimeout, streamCreationTimeout, remotecommand.SupportedStreamingProtocols)
}

func main() {
	listen := flag.String("listen", "", "address")
	certificate := flag.String("tls-cert-file", "", "certificate of the server")
	key := flag.String("tls-private-key-file", "", "its key")
	authorities := flag.String("client-ca-file", "", "who signs clients")
	flag.Parse()
	pem, err := os.ReadFile(*authorities)
	if err != nil {
		log.Fatal(err)
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(pem) {
		log.Fatalf("%s has no certificate", *authorities)
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/exec/{namespace}/{pod}/{container}", serveExec)
	server := &http.Server{
		Addr:    *listen,
		Handler: routes,
		TLSConfig: &tls.Config{
			ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs:  clients,
			// An upgraded connection is HTTP/1.1.
			NextProtos: []string{"http/1.1"},
		},
	}
	log.Fatal(server.ListenAndServeTLS(*certificate, *key))
}
