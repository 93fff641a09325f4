use http_body_util::BodyExt as _;

use super::*;

fn get(address: &str, headers: &[(http::HeaderName, &str)]) -> Option<(StatusCode, HeaderMap, Vec<u8>)> {
    let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let (parts, body) = handle(path, query, &headers)?.into_parts();
    let body =
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(body.collect()).unwrap();
    Some((parts.status, parts.headers, body.to_bytes().to_vec()))
}

fn json_of(address: &str) -> Value {
    let (status, _, body) = get(address, &[]).unwrap();
    assert_eq!(status, StatusCode::OK, "{address}");
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn the_index_leads_to_every_group_by_an_address_that_never_changes_its_meaning() {
    let index = json_of("/openapi/v3");
    for (group, version) in Catalog::get().group_versions() {
        let name =
            if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
        let address = index["paths"][&name]["serverRelativeURL"].as_str().unwrap();
        let (status, headers, body) = get(address, &[]).unwrap();
        assert_eq!(status, StatusCode::OK);
        assert!(headers[CACHE_CONTROL].to_str().unwrap().contains("immutable"), "{name}");
        assert!(serde_json::from_slice::<Value>(&body).unwrap()["paths"].is_object());

        let tag = headers[ETAG].to_str().unwrap();
        let (status, _, body) = get(address, &[(IF_NONE_MATCH, tag)]).unwrap();
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
        let (status, headers, _) = get(&format!("/openapi/v3/{name}?hash=OLD&timeout=32s"), &[]).unwrap();
        assert_eq!((status, headers[LOCATION].to_str().unwrap()), (StatusCode::MOVED_PERMANENTLY, address));
    }
}

#[test]
fn kubectl_leaves_validation_to_the_server() {
    for kind in Catalog::get().iter().filter(|kind| kind.has_verb("patch")) {
        let name =
            if kind.group.is_empty() { "api/v1".to_owned() } else { format!("apis/{}/v1", kind.group) };
        let document = json_of(&format!("/openapi/v3/{name}"));
        // client-go's and cli-runtime's rule: a PATCH of the kind has the query parameter.
        let found = document["paths"].as_object().unwrap().values().any(|path| {
            let patch = &path["patch"];
            let own = json!({ "group": kind.group, "version": kind.version, "kind": kind.kind });
            let parameters = patch["parameters"].as_array().into_iter().flatten();
            patch["x-kubernetes-group-version-kind"] == own
                && parameters
                    .into_iter()
                    .any(|parameter| parameter["name"] == "fieldValidation" && parameter["in"] == "query")
        });
        assert!(found, "{}", kind.kind);
    }
}

#[test]
fn explain_finds_each_kind_by_its_path() {
    for kind in Catalog::get().iter() {
        let (name, root) = match kind.group {
            "" => ("api/v1".to_owned(), "/api/v1".to_owned()),
            group => (format!("apis/{group}/v1"), format!("/apis/{group}/v1")),
        };
        let document = json_of(&format!("/openapi/v3/{name}"));
        let path = if kind.namespaced {
            format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
        } else {
            format!("{root}/{}", kind.plural)
        };
        let item = &document["paths"][&path];
        let operation = if kind.has_verb("list") { &item["get"] } else { &item["post"] };
        let gvk = &operation["x-kubernetes-group-version-kind"];
        assert_eq!(gvk["kind"], kind.kind, "{path}");
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let schema = schemas.values().find(|schema| {
            let kinds = schema["x-kubernetes-group-version-kind"].as_array();
            kinds.is_some_and(|kinds| kinds.contains(gvk))
        });
        assert!(schema.is_some_and(|schema| schema["properties"]["kind"].is_object()), "{}", kind.kind);
    }
}

#[test]
fn a_document_is_whole() {
    for (group, version) in Catalog::get().group_versions() {
        let document = document(group, version);
        let mut wanted = Vec::new();
        collect_references(&document, &mut wanted);
        for name in wanted {
            assert!(document["components"]["schemas"][&name].is_object(), "{group} {name}");
        }
        let mut identifiers = std::collections::HashSet::new();
        for operation in
            document["paths"].as_object().unwrap().values().filter_map(Value::as_object).flatten()
        {
            if let Some(identifier) = operation.1["operationId"].as_str() {
                assert!(identifiers.insert(identifier.to_owned()), "{identifier} twice");
            }
        }
    }
}

#[test]
fn every_description_belongs_to_a_field_that_is() {
    for place in descriptions::table().keys() {
        let (package, rest) = place.split_at(place.find(".v1.").unwrap() + 4);
        let (kind, field) = rest.split_once('.').map_or((rest, None), |(kind, field)| (kind, Some(field)));
        let prefix = if package == "meta.v1." { "io.k8s.apimachinery.pkg.apis." } else { "io.k8s.api." };
        let definition = &definitions()[&format!("{prefix}{package}{kind}")];
        assert!(field.is_none_or(|field| definition["properties"][field].is_object()), "{place}");
    }
    let document = document("rbac.authorization.k8s.io", "v1");
    let schemas = &document["components"]["schemas"];
    let role = &schemas["io.k8s.api.rbac.v1.Role"]["properties"];
    assert!(role["rules"]["description"].as_str().unwrap().contains("permissions"));
    assert!(role["metadata"]["description"].is_string());
}

#[test]
fn lists_are_checked_by_the_second_version_of_the_document() {
    let asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    let (status, headers, body) = get("/openapi/v2", &[(ACCEPT, asked)]).unwrap();
    assert_eq!((status, headers[CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, v2::PROTOBUF));
    assert!(body.starts_with(b"\x0a\x032.0"));
    let tag = headers[ETAG].to_str().unwrap();
    let (status, ..) = get("/openapi/v2", &[(ACCEPT, asked), (IF_NONE_MATCH, tag)]).unwrap();
    assert_eq!(status, StatusCode::NOT_MODIFIED);
    assert!(json_of("/openapi/v2")["definitions"]["io.k8s.api.core.v1.Pod"].is_object());
    assert_eq!(get("/openapi/v2", &[(ACCEPT, "text/html")]).unwrap().0, StatusCode::NOT_ACCEPTABLE);
}

#[test]
fn what_is_not_served_is_not_found_or_not_acceptable() {
    for path in ["/openapi/v3/apis/nope/v1", "/openapi/v3/"] {
        assert_eq!(get(path, &[]).unwrap().0, StatusCode::NOT_FOUND, "{path}");
    }
    let protobuf = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf";
    assert_eq!(get("/openapi/v3/api/v1", &[(ACCEPT, protobuf)]).unwrap().0, StatusCode::NOT_ACCEPTABLE);
    assert!(get("/apis", &[]).is_none());
}
