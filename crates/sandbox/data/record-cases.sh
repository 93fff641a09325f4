#!/bin/sh
# Plays recorded/cases.json against a running kube-apiserver and writes its answers to recorded/answers.json, with
# which the tests compare ours: the object as created, as stored after a write of its status, its row in a Table, and
# the stored object in protobuf.
#
#     SERVER=https://127.0.0.1:6443 CA=ca.crt CERT=admin.crt KEY=admin.key ./record-cases.sh
#
# Needs curl and jq, and a fresh server without controllers, started with --disable-admission-plugins=ServiceAccount.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

call() {
    method=$1 address=$SERVER$2
    shift 2
    curl --silent --show-error --cacert "$CA" --cert "$CERT" --key "$KEY" --request "$method" "$address" "$@"
}

count=$(jq length "$here/recorded/cases.json")
index=0
while [ "$index" -lt "$count" ]; do
    jq ".[$index]" "$here/recorded/cases.json" >"$work/case"
    collection=$(jq -r .path "$work/case")
    path="$collection/$(jq -r .object.metadata.name "$work/case")"
    jq .object "$work/case" >"$work/object"
    call POST "$collection" --header 'Content-Type: application/json' --data "@$work/object" >"$work/created"
    if jq -e .status "$work/case" >/dev/null; then
        jq --slurpfile case "$work/case" '.status = $case[0].status' "$work/created" >"$work/object"
        call PUT "$path/status" --header 'Content-Type: application/json' --data "@$work/object" >/dev/null
    fi
    # Without the list of who wrote what, which is long and not compared.
    call PATCH "$path" --header 'Content-Type: application/merge-patch+json' \
        --data '{"metadata":{"managedFields":[{}]}}' >/dev/null
    call GET "$path" >"$work/stored"
    call GET "$path?includeObject=None" --header 'Accept: application/json;as=Table;v=v1;g=meta.k8s.io' >"$work/table"
    call GET "$path" --header 'Accept: application/vnd.kubernetes.protobuf' | base64 -w0 >"$work/protobuf"
    call DELETE "$path?gracePeriodSeconds=0" >/dev/null
    jq -n -S -c --slurpfile case "$work/case" --slurpfile created "$work/created" --slurpfile stored "$work/stored" \
        --slurpfile table "$work/table" --rawfile protobuf "$work/protobuf" '
        def bare: del(.metadata.managedFields);
        {path: $case[0].path, sent: $case[0].object, created: ($created[0] | bare), stored: ($stored[0] | bare),
         columns: ($table[0].columnDefinitions // [] | map([.name, .type, .format, .priority])), row: ($table[0].rows // [null])[0],
         protobuf: $protobuf}' >>"$work/answers"
    index=$((index + 1))
done
jq -s -r '"[", (map(tojson) | join(",\n")), "]"' "$work/answers" >"$here/recorded/answers.json"
