#!/bin/sh
# Records from a running kube-apiserver what the sandbox must know about Kubernetes' kinds, as facts: the structure of
# the objects (no descriptions), how Go's types and protobuf hold their fields, and the bootstrap policy.
#
#     KUBECONFIG=<administrator of a fresh kube-apiserver 1.36> ./record.sh
#
# Needs kubectl, jq and go (for k8s.io/api: what is in no published document); writes schemas.json, protobuf.json,
# pointers.json and policy.json beside itself. Run it again after adding a kind to ../src/catalog/kinds.rs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# group, version and kind of everything in the catalogue, as JSON.
awk -F'"' '/^        group:/ {g=$2} /^        version:/ {v=$2} /^        kind:/ {
    printf "{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}\n", g, v, $2
}' "$here/../src/catalog/kinds.rs" | jq -s . >"$work/kinds.json"

for path in $(jq -r '[.[] | if .group == "" then "api/\(.version)" else "apis/\(.group)/\(.version)" end] | unique[]' \
    "$work/kinds.json"); do
    kubectl get --raw "/openapi/v3/$path" >"$work/$(echo "$path" | tr / _).openapi"
done

jq -s -S -c --slurpfile kinds "$work/kinds.json" '
    def references: [.. | objects | .["$ref"]? | strings | ltrimstr("#/components/schemas/")];
    def stripped:
        walk(if type == "object" and (.description | type) == "string" then del(.description) else . end);
    (map(.components.schemas) | add) as $all
    | ($kinds[0] | map({group, version, kind}, {group, version, kind: "\(.kind)List"})) as $wanted
    | ($kinds[0] | map({group, version}) | unique) as $groups
    | ([$all | to_entries[]
        | select((.value["x-kubernetes-group-version-kind"] // []) as $gvks
            | ($gvks | length) == 1 and ($wanted | index($gvks[0])) != null)
        | .key]
      + ["io.k8s.api.autoscaling.v1.Scale",
         "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList",
         "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
         "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
         "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
         "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent"]) as $roots
    | {found: [], next: ($roots | unique)}
    | until(.next == []; (.found + .next) as $found
        | {found: $found, next: ([.next[] | $all[.] | references[]] | unique - $found)})
    | .found | map({key: ., value: ($all[.] | stripped
        | if (.["x-kubernetes-group-version-kind"] | length) > 1
          then .["x-kubernetes-group-version-kind"] |= map(select({group, version} as $gv | $groups | index($gv) != null))
          else . end)})
    | from_entries' "$work"/*.openapi >"$work/schemas.json"

# "message.Name field number type" of every field; a map or list of messages names the message of its elements.
for module in k8s.io/api k8s.io/apimachinery; do
    directory=$(go mod download -json "$module@${KUBERNETES_MODULES:-v0.36.3}" | jq -r .Dir)
    find "$directory" -name generated.proto
done | xargs awk '
    /^package / { package = $2; sub(/;/, "", package) }
    /^message / { message = package "." $2 }
    /^  (optional|repeated|map<)/ {
        line = $0; sub(/;.*/, "", line); gsub(/map<[a-z0-9]+, */, "repeated ", line); sub(/>/, "", line)
        split(line, word, " "); type = word[2]
        if (type ~ /^\./) { type = substr(type, 2) } else if (type ~ /^[A-Z]/) { type = package "." type }
        print message, word[3], word[5], type
    }' >"$work/fields"
jq -R -n -S -c --slurpfile schemas "$work/schemas.json" '
    def renamed: sub("^k8s\\.io\\."; "io.k8s.");
    $schemas[0] as $schemas
    | (reduce (inputs | split(" ")) as [$message, $field, $number, $type] ({};
        .[$message | renamed][$field] = [($number | tonumber), ($type | renamed)])) as $messages
    # A message that is no property of its own in JSON is written flat into the object that holds it.
    | def flat($properties): to_entries | map(
        if $properties[.key] != null or (.value[1] | contains(".") | not) then .value |= .[0] else . end) | from_entries;
    [$schemas | to_entries[] | select($messages[.key] != null)
        | {key, value: ((.value.properties // {}) as $properties | $messages[.key] | flat($properties))}] as $own
    | [$own[].value[] | arrays | .[1]] as $inlined
    | ($own + [$inlined[] | {key: ., value: ($messages[.] // {} | map_values(.[0]))}]) | from_entries' \
    "$work/fields" >"$work/protobuf.json"

# "package.Type field" of every field that is a pointer: where zero, false or the empty text is not the same as nothing.
for module in k8s.io/api k8s.io/apimachinery; do
    directory=$(go mod download -json "$module@${KUBERNETES_MODULES:-v0.36.3}" | jq -r .Dir)
    (cd "$directory" && find . -name types.go | while read -r file; do
        awk -v package="$(echo "$module/$(dirname "$file")" | sed 's,^k8s.io/,io.k8s.,; s,/\./,/,; s,/,.,g')" '
            /^type [A-Za-z0-9]+ struct/ { type = $2 }
            /^\t[A-Za-z0-9]+ +\*/ && match($0, /json:"[a-zA-Z0-9]+/) {
                print package "." type, substr($0, RSTART + 6, RLENGTH - 6)
            }' "$file"
    done)
done >"$work/pointers"
jq -R -n -S -c --slurpfile schemas "$work/schemas.json" --slurpfile protobuf "$work/protobuf.json" '
    $schemas[0] as $schemas
    | (reduce (inputs | split(" ")) as [$type, $field] ({}; .[$type] += [$field])) as $pointers
    | [$schemas | to_entries[] | (.value.properties // {}) as $properties
        | {key, value: [([.key] + [$protobuf[0][.key][]? | arrays | .[1]])[] | $pointers[.][]?
            | select($properties[.].type | . == "string" or . == "integer" or . == "boolean")] | unique}]
    | map(select(.value != [])) | from_entries' "$work/pointers" >"$work/pointers.json"

kubectl get clusterroles,clusterrolebindings,roles,rolebindings --all-namespaces \
    --selector kubernetes.io/bootstrapping=rbac-defaults --output json \
    | jq -S -c '[.items[] | .metadata |= {name, namespace, labels, annotations} | .metadata |= with_entries(select(.value != null))]' \
        >"$work/policy.json"

# One schema, one object a line: small, and a change can be read in a diff.
for name in schemas protobuf pointers; do
    jq -r '"{", ([to_entries[] | "\(.key | tojson):\(.value | tojson)"] | join(",\n")), "}"' "$work/$name.json" \
        >"$here/$name.json"
done
jq -r '"[", (map(tojson) | join(",\n")), "]"' "$work/policy.json" >"$here/policy.json"
