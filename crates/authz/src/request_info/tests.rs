use super::*;

/// `verb group/version namespace resource/subresource name [field] [label]`, or `verb path`.
fn show(method: &str, url: &str) -> String {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    match RequestInfo::resolve(method, path, query) {
        Err(error) => error.to_string(),
        Ok(RequestInfo { verb, target: Target::NonResource { path }, .. }) => format!("{verb} {path}"),
        Ok(RequestInfo { verb, target: Target::Resource(target), .. }) => format!(
            "{verb} {}/{} ns={} {}/{} name={} field={} label={}",
            target.api_group,
            target.api_version,
            target.namespace,
            target.resource,
            target.subresource,
            target.name,
            target.field_selector,
            target.label_selector
        ),
    }
}

fn table(cases: &[(&str, &str)]) -> String {
    let lines: Vec<String> =
        cases.iter().map(|(method, url)| format!("{method} {url} → {}", show(method, url))).collect();
    lines.join(
        "
",
    )
}

#[test]
fn paths_that_are_no_resource_keep_their_method() {
    insta::assert_snapshot!(table(&[
        ("GET", "/"),
        ("HEAD", "/healthz"),
        ("OPTIONS", "/api/v1"),
        ("GET", "/api"),
        ("GET", "/apis/apps"),
        ("GET", "/apis/apps/v1"),
        ("GET", "/apis/apps/v1/"),
        ("POST", "/foo/v1/pods"),
        ("GET", "/API/v1/pods"),
    ]), @r"
    GET / → get /
    HEAD /healthz → head /healthz
    OPTIONS /api/v1 → options /api/v1
    GET /api → get /api
    GET /apis/apps → get /apis/apps
    GET /apis/apps/v1 → get /apis/apps/v1
    GET /apis/apps/v1/ → get /apis/apps/v1/
    POST /foo/v1/pods → post /foo/v1/pods
    GET /API/v1/pods → get /API/v1/pods
    ");
}

#[test]
fn methods_become_verbs() {
    insta::assert_snapshot!(table(&[
        ("GET", "/api/v1/namespaces/n/pods/p"),
        ("HEAD", "/api/v1/namespaces/n/pods/p"),
        ("GET", "/api/v1/namespaces/n/pods"),
        ("POST", "/apis/apps/v1/namespaces/n/deployments"),
        ("PUT", "/api/v1/nodes/n/status"),
        ("PATCH", "/api/v1/nodes/n"),
        ("DELETE", "/api/v1/nodes/n"),
        ("DELETE", "/api/v1/nodes"),
        ("OPTIONS", "/api/v1/nodes"),
        ("get", "/api/v1/nodes"),
        ("GET", "/api/v1/namespaces/n/pods/p/log/and/more"),
    ]), @r"
    GET /api/v1/namespaces/n/pods/p → get /v1 ns=n pods/ name=p field= label=
    HEAD /api/v1/namespaces/n/pods/p → get /v1 ns=n pods/ name=p field= label=
    GET /api/v1/namespaces/n/pods → list /v1 ns=n pods/ name= field= label=
    POST /apis/apps/v1/namespaces/n/deployments → create apps/v1 ns=n deployments/ name= field= label=
    PUT /api/v1/nodes/n/status → update /v1 ns= nodes/status name=n field= label=
    PATCH /api/v1/nodes/n → patch /v1 ns= nodes/ name=n field= label=
    DELETE /api/v1/nodes/n → delete /v1 ns= nodes/ name=n field= label=
    DELETE /api/v1/nodes → deletecollection /v1 ns= nodes/ name= field= label=
    OPTIONS /api/v1/nodes →  /v1 ns= nodes/ name= field= label=
    get /api/v1/nodes →  /v1 ns= nodes/ name= field= label=
    GET /api/v1/namespaces/n/pods/p/log/and/more → get /v1 ns=n pods/log name=p field= label=
    ");
}

#[test]
fn a_namespace_is_its_own_namespace() {
    insta::assert_snapshot!(table(&[
        ("GET", "/api/v1/namespaces"),
        ("GET", "/api/v1/namespaces/n"),
        ("PUT", "/api/v1/namespaces/n/status"),
        ("PUT", "/api/v1/namespaces/n/finalize"),
        ("PUT", "/api/v1/namespaces/n/finalize/x"),
        ("GET", "/api/v1/namespaces//pods"),
        ("GET", "/api/v1/namespaces/n//p"),
        ("GET", "/api/v1/namespaces/namespaces/namespaces"),
    ]), @r"
    GET /api/v1/namespaces → list /v1 ns= namespaces/ name= field= label=
    GET /api/v1/namespaces/n → get /v1 ns=n namespaces/ name=n field= label=
    PUT /api/v1/namespaces/n/status → update /v1 ns=n namespaces/status name=n field= label=
    PUT /api/v1/namespaces/n/finalize → update /v1 ns=n namespaces/finalize name=n field= label=
    PUT /api/v1/namespaces/n/finalize/x → update /v1 ns=n namespaces/finalize name=n field= label=
    GET /api/v1/namespaces//pods → list /v1 ns= pods/ name= field= label=
    GET /api/v1/namespaces/n//p → get /v1 ns=n / name=p field= label=
    GET /api/v1/namespaces/namespaces/namespaces → list /v1 ns=namespaces namespaces/ name= field= label=
    ");
}

#[test]
fn paths_are_decoded_before_they_are_split() {
    insta::assert_snapshot!(table(&[
        ("GET", "/api/v1/nodes/a%2Fb"),
        ("GET", "/api/v1/nodes/a%20%c3%a9+"),
        ("GET", "//api/v1//nodes/"),
        ("GET", "/%61pi/v1/nodes"),
        ("GET", "/api/v1/nodes/%2"),
        ("GET", "/api/v1/nodes/%zz"),
        ("GET", "/api/v1/nodes/%ff"),
        ("GET", "/api/v1/nodes/a%2525"),
    ]), @r#"
    GET /api/v1/nodes/a%2Fb → get /v1 ns= nodes/b name=a field= label=
    GET /api/v1/nodes/a%20%c3%a9+ → get /v1 ns= nodes/ name=a é+ field= label=
    GET //api/v1//nodes/ → get /v1 ns= / name=nodes field= label=
    GET /%61pi/v1/nodes → list /v1 ns= nodes/ name= field= label=
    GET /api/v1/nodes/%2 → invalid path "/api/v1/nodes/%2": percent escapes need two hexadecimal digits
    GET /api/v1/nodes/%zz → invalid path "/api/v1/nodes/%zz": percent escapes need two hexadecimal digits
    GET /api/v1/nodes/%ff → invalid path "/api/v1/nodes/%ff": it does not decode to UTF-8
    GET /api/v1/nodes/a%2525 → get /v1 ns= nodes/ name=a%25 field= label=
    "#);
}

#[test]
fn the_deprecated_verbs_in_the_path_take_no_selectors() {
    insta::assert_snapshot!(table(&[
        ("GET", "/api/v1/watch/namespaces/n/pods?fieldSelector=metadata.name=p"),
        ("DELETE", "/api/v1/watch/nodes/n/status"),
        ("POST", "/api/v1/proxy/namespaces/n/pods/p/x/y"),
        ("GET", "/api/v1/watch?x=y"),
        ("GET", "/apis/apps/v1/proxy"),
    ]), @r"
    GET /api/v1/watch/namespaces/n/pods?fieldSelector=metadata.name=p → watch /v1 ns=n pods/ name= field= label=
    DELETE /api/v1/watch/nodes/n/status → watch /v1 ns= nodes/status name=n field= label=
    POST /api/v1/proxy/namespaces/n/pods/p/x/y → proxy /v1 ns=n pods/ name=p field= label=
    GET /api/v1/watch?x=y → unable to determine kind and namespace from url, /api/v1/watch?x=y
    GET /apis/apps/v1/proxy → unable to determine kind and namespace from url, /apis/apps/v1/proxy
    ");
}

#[test]
fn watch_is_anything_but_false_and_only_without_a_name() {
    for (query, verb) in [
        ("", "list"),
        ("watch", "watch"),
        ("watch=", "watch"),
        ("watch=0", "list"),
        ("watch=FALSE", "list"),
        ("watch=fal%C5%BFe", "list"),
        ("watch=fal%C5%BFe&limit=x", "watch"),
        ("watch=no", "watch"),
        ("watch=false&watch=true", "list"),
        ("watch=1&limit=many", "watch"),
        ("watch=0&timeoutSeconds=", "list"),
        ("watch=1;x", "list"),
        ("%77atch=1", "watch"),
        ("watch=%zz", "list"),
    ] {
        let info = RequestInfo::resolve("GET", "/api/v1/nodes", query).unwrap();
        assert_eq!(info.verb, verb, "{query}");
        assert_eq!(RequestInfo::resolve("GET", "/api/v1/nodes/n", query).unwrap().verb, "get");
    }
}

#[test]
fn a_field_selector_on_the_name_pins_it_if_all_options_decode() {
    for (query, name) in [
        ("fieldSelector=metadata.name=a", "a"),
        ("fieldSelector=metadata.name%3D%3Da", "a"),
        ("fieldSelector=metadata.name!=a", ""),
        ("fieldSelector=spec.x=1,metadata.name=b", "b"),
        ("fieldSelector=metadata.name=b,metadata.name=a", "a"),
        ("fieldSelector=metadata.name=a&limit=1&watch=1", "a"),
        ("fieldSelector=metadata.name=a&limit=x", ""),
        ("fieldSelector=metadata.name=a&labelSelector=a=)", ""),
        ("fieldSelector=metadata.name=a,b", ""),
        ("fieldSelector=metadata.name=a/b", ""),
        ("fieldSelector=metadata.name=a%2525", ""),
        ("fieldSelector=metadata.name=..", ""),
        ("fieldSelector=metadata.name=a%ff", ""),
        ("fieldSelector=metadata.name=a\\,b", "a,b"),
        ("fieldSelector=metadata.name=a\\b", ""),
        ("fieldSelector=metadata.name=+a", " a"),
    ] {
        let info = RequestInfo::resolve("GET", "/api/v1/nodes", query).unwrap();
        assert_eq!(info.resource().unwrap().name, name, "{query}");
        let info = RequestInfo::resolve("DELETE", "/api/v1/nodes", query).unwrap();
        assert_eq!((info.verb.as_str(), info.resource().unwrap().name.as_str()), ("deletecollection", ""));
    }
}

#[test]
fn selectors_are_kept_as_text_where_they_limit_the_action() {
    insta::assert_snapshot!(table(&[
        ("GET", "/api/v1/nodes?labelSelector=a%3Db&fieldSelector=x"),
        ("GET", "/api/v1/nodes?labelSelector=a&labelSelector=b&limit=x"),
        ("DELETE", "/api/v1/nodes?labelSelector=a"),
        ("GET", "/api/v1/nodes/n?labelSelector=a"),
        ("POST", "/api/v1/nodes?labelSelector=a"),
    ]), @r"
    GET /api/v1/nodes?labelSelector=a%3Db&fieldSelector=x → list /v1 ns= nodes/ name= field=x label=a=b
    GET /api/v1/nodes?labelSelector=a&labelSelector=b&limit=x → list /v1 ns= nodes/ name= field= label=a
    DELETE /api/v1/nodes?labelSelector=a → deletecollection /v1 ns= nodes/ name= field= label=a
    GET /api/v1/nodes/n?labelSelector=a → get /v1 ns= nodes/ name=n field= label=
    POST /api/v1/nodes?labelSelector=a → create /v1 ns= nodes/ name= field= label=
    ");
}
