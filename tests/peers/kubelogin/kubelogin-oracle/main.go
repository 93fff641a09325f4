// kubelogin-oracle names cache entries: with kubelogin's own code for today's shape of its key, and with encoding/gob
// itself for the shapes of older versions.
//
// Its argument is the shape, one a process, since gob numbers types in the order in which a process meets them. It reads
// one key a line (JSON) from standard input and writes the name of its entry.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/int128/kubelogin/pkg/oidc"
	"github.com/int128/kubelogin/pkg/tokencache"
	"github.com/int128/kubelogin/pkg/tokencache/repository"

	"kubesso.dev/tests/peers/kubelogin/kubelogin-oracle/v132"
	"kubesso.dev/tests/peers/kubelogin/kubelogin-oracle/v134"
)

var shapes = map[string]func([]byte) (string, error){
	"v1.32.4": func(line []byte) (string, error) { return encoded(line, &v132.Key{}) },
	"v1.34.0": func(line []byte) (string, error) { return encoded(line, &v134.Key{}) },
	"v1.36.0": saved,
}

func main() {
	name, ok := shapes[os.Args[len(os.Args)-1]]
	if !ok {
		fail(fmt.Errorf("unknown shape %q", os.Args))
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<26)
	for in.Scan() {
		text, err := name(in.Bytes())
		if err != nil {
			fail(fmt.Errorf("%w in %s", err, in.Bytes()))
		}
		fmt.Println(text)
	}
}

func encoded(line []byte, key any) (string, error) {
	// Null keeps a slice or a map nil, {} makes an empty one, which gob tells apart.
	decoder := json.NewDecoder(bytes.NewReader(line))
	if err := decoder.Decode(key); err != nil {
		return "", err
	}
	sum := sha256.New()
	if err := gob.NewEncoder(sum).Encode(key); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// saved lets kubelogin write an entry and looks what it is called.
func saved(line []byte) (string, error) {
	var key tokencache.Key
	if err := json.Unmarshal(line, &key); err != nil {
		return "", err
	}
	directory, err := os.MkdirTemp("", "kubelogin-oracle")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(directory)
	config := tokencache.Config{Directory: directory, Storage: tokencache.StorageDisk}
	if err := new(repository.Repository).Save(config, key, oidc.TokenSet{IDToken: "a.b.c"}); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(directory)
	if err != nil || len(entries) != 1 {
		return "", fmt.Errorf("%d entries: %w", len(entries), err)
	}
	return entries[0].Name(), nil
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "kubelogin-oracle: %v\n", err)
	os.Exit(1)
}
