// authz-oracle answers questions about authorization with Kubernetes' own code.
//
// It reads one JSON object a line from standard input and writes one a line to standard output. The
// tests of crates/authz ask it and compare.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

type question struct {
	Op string `json:"op"`
}

var answers = map[string]func([]byte) (any, error){
	"request":   answerRequest,
	"rbac":      answerRBAC,
	"covers":    answerCovers,
	"escalate":  answerEscalate,
	"selectors": answerSelectors,
	"review":    answerReview,
	"quote":     answerQuote,
	"wire":      answerWire,
}

func main() {
	klog.SetLogger(logr.Discard())
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<26)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		answer, err := ask(in.Bytes())
		if err != nil {
			fmt.Fprintf(os.Stderr, "authz-oracle: %v in %s\n", err, in.Bytes())
			os.Exit(1)
		}
		line, err := json.Marshal(answer)
		if err != nil {
			fmt.Fprintf(os.Stderr, "authz-oracle: %v\n", err)
			os.Exit(1)
		}
		out.Write(line)
		out.WriteByte('\n')
		out.Flush()
	}
}

func ask(line []byte) (any, error) {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, err
	}
	answer, ok := answers[q.Op]
	if !ok {
		return nil, fmt.Errorf("unknown op %q", q.Op)
	}
	return answer(line)
}
