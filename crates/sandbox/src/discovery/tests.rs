use http_body_util::BodyExt as _;

use super::*;

const KUBECTL: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                       application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

fn get(path: &str, headers: &[(http::HeaderName, &str)]) -> Option<(StatusCode, HeaderMap, Vec<u8>)> {
    let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
    let (parts, body) = handle(path, &headers)?.into_parts();
    let body =
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(body.collect()).unwrap();
    Some((parts.status, parts.headers, body.to_bytes().to_vec()))
}

fn document(path: &str) -> Value {
    let (status, _, body) = get(path, &[]).unwrap();
    assert_eq!(status, StatusCode::OK, "{path}");
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn kubectl_gets_the_aggregated_form_and_keeps_it_by_its_entity_tag() {
    for (path, first) in [("/api", "configmaps"), ("/apis", "daemonsets")] {
        let (status, headers, body) = get(path, &[(ACCEPT, KUBECTL)]).unwrap();
        assert_eq!((status, headers[CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, AGGREGATED));
        let list: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(list["items"][0]["versions"][0]["resources"][0]["resource"], first);

        let tag = headers[ETAG].to_str().unwrap();
        let (status, headers, body) = get(path, &[(ACCEPT, KUBECTL), (IF_NONE_MATCH, tag)]).unwrap();
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(headers[ETAG], tag);
        let (status, ..) = get(path, &[(ACCEPT, KUBECTL), (IF_NONE_MATCH, "\"another\"")]).unwrap();
        assert_eq!(status, StatusCode::OK);
    }
}

#[test]
fn an_aggregated_entry_says_all_of_a_kind() {
    let deployments = Catalog::get().resource("apps", "v1", "deployments").unwrap();
    insta::assert_json_snapshot!(aggregated_resource(deployments), @r#"
    {
      "categories": [
        "all"
      ],
      "resource": "deployments",
      "responseKind": {
        "group": "",
        "kind": "Deployment",
        "version": ""
      },
      "scope": "Namespaced",
      "shortNames": [
        "deploy"
      ],
      "singularResource": "deployment",
      "subresources": [
        {
          "responseKind": {
            "group": "autoscaling",
            "kind": "Scale",
            "version": "v1"
          },
          "subresource": "scale",
          "verbs": [
            "get",
            "patch",
            "update"
          ]
        },
        {
          "responseKind": {
            "group": "",
            "kind": "Deployment",
            "version": ""
          },
          "subresource": "status",
          "verbs": [
            "get",
            "patch",
            "update"
          ]
        }
      ],
      "verbs": [
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch"
      ]
    }
    "#);
}

#[test]
fn every_kind_is_in_both_forms() {
    let groups = document("/apis");
    let named: Vec<&str> =
        groups["groups"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert!(named.contains(&"rbac.authorization.k8s.io") && !named.contains(&""));
    for kind in Catalog::get().iter() {
        let path = match kind.group {
            "" => "/api/v1".to_owned(),
            group => format!("/apis/{group}/{}", kind.version),
        };
        let list = document(&path);
        let entry =
            list["resources"].as_array().unwrap().iter().find(|entry| entry["name"] == kind.plural).unwrap();
        assert_eq!(entry["kind"], kind.kind);
        assert_eq!(entry["namespaced"], kind.namespaced);
        assert_eq!(list["groupVersion"], kind.api_version());
    }
}

#[test]
fn the_hash_of_the_stored_form_is_that_of_a_real_server() {
    for (group, plural, hash) in [
        ("", "pods", "xPOwRZ+Yhw8="),
        ("", "secrets", "S6u1pOWzb84="),
        ("apps", "deployments", "8aSe+NMegvE="),
        ("rbac.authorization.k8s.io", "roles", "7FuwZcIIItM="),
    ] {
        let resource = Catalog::get().resource(group, "v1", plural).unwrap();
        assert_eq!(storage_version_hash(resource), hash, "{plural}");
    }
}

#[test]
fn what_is_not_served_is_refused_as_upstream_does() {
    let refused = |path: &str, accept: &str| {
        let (status, _, body) = get(path, &[(ACCEPT, accept)]).unwrap();
        (status.as_u16(), String::from_utf8(body).unwrap())
    };
    assert_eq!(refused("/apis/foo", "*/*"), (404, "404 page not found\n".to_owned()));
    assert_eq!(refused("/apis/foo/v1", "*/*"), (404, "404 page not found\n".to_owned()));
    for path in ["/apis/apps/v3", "/api/v2"] {
        let (status, body) = refused(path, "*/*");
        assert_eq!(status, 404);
        assert!(body.contains("the server could not find the requested resource"), "{body}");
    }
    for accept in [
        "text/html",
        "application/vnd.kubernetes.protobuf",
        KUBECTL.split(",application/json;").last().unwrap(),
    ] {
        let (status, body) = refused("/api", accept);
        assert_eq!(status == 406, body.contains("\"NotAcceptable\""), "{accept}");
    }
    assert_eq!(refused("/api/v1", "text/html").0, 406);
    for path in ["/", "/healthz", "/api/v1/pods", "/apis/apps/v1/deployments", "/apix"] {
        assert!(get(path, &[]).is_none(), "{path}");
    }
}

#[test]
fn the_server_is_told_by_the_address_that_was_asked() {
    let (_, _, body) = get("/api/", &[(HOST, "localhost:6443")]).unwrap();
    let document: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(document["serverAddressByClientCIDRs"][0]["serverAddress"], "localhost:6443");
}

#[test]
fn weights_decide_about_the_form() {
    let form = |accept: &str| negotiate(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]));
    assert_eq!(form(KUBECTL), Some(Form::Aggregated));
    assert_eq!(form(&format!("{AGGREGATED};profile=nopeer,application/json")), Some(Form::Aggregated));
    assert_eq!(form(&format!("{AGGREGATED};q=0.1,application/json")), Some(Form::Plain));
    assert_eq!(form("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"), None);
    assert_eq!(form("application/json, */*"), Some(Form::Plain));
    assert_eq!(negotiate(&HeaderMap::new()), Some(Form::Plain));
}
