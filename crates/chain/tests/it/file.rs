//! What a file may say, and what it is told when it says something else.

use kubesso_chain::AccessFile;

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_to_do() {
    let provider = "provider: {url: https://p}\n";
    for (text, expected) in [
        ("group: []", "line 1 column 1: unknown field `group`, expected one of name, provider, groups,"),
        ("groups: [{name: a, colour: red}]", "unknown field `colour`"),
        ("name: No Good", "name: `No Good` cannot be a name"),
        ("groups: [{name: a}]", "provider: say where groups and application are"),
        ("provider: {url: 'http://p'}", "provider.url: `http://p/` must begin with https://"),
        ("provider: {url: 'https://a:b@p'}", "provider.url: leave user and password out"),
        ("provider: {url: 'https://p/oauth2/x'}", "provider.url: give the address alone"),
        ("provider: {url: 'https://p', clientId: x}", "provider.privateKeyFile: `clientId` needs the key"),
        ("groups: [{name: a}, {name: a}]", "groups: `a` stands there twice"),
        ("groups: [{name: Everyone}]", "groups[0].name: `Everyone` is there already"),
        ("application: {label: ' '}", "application.label: give it a name"),
        ("application: {label: a, clientSecretFile: s}", "application.clientSecretFile: only"),
        ("authorizationServer: {name: a}", "authorizationServer.claims: the file has no `groups`"),
        (
            "authorizationServer: {name: a, claims: []}",
            "authorizationServer.policies: the file has no `application`",
        ),
        (
            "application: {label: a}\nauthorizationServer: {name: a, claims: [{name: c}]}",
            "authorizationServer.claims[0]: give either `groups` or `expression`",
        ),
        (
            "authorizationServer: {name: a, claims: [], policies: [{name: p, clients: [c], rules: [{name: r}]}]}",
            "authorizationServer.policies[0].rules[0].grantTypes: the file has no `application`",
        ),
    ] {
        let has_provider = text.contains("provider") || expected.starts_with("provider");
        let whole = if has_provider { text.to_owned() } else { format!("{text}\n{provider}") };
        let error = AccessFile::parse(&whole).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn without_claims_and_policies_the_file_groups_come_into_the_token_and_nothing_else() {
    let claim = |groups: &str| {
        let text = format!(
            "provider: {{url: https://p}}\ngroups: {groups}\napplication: {{label: a}}\nauthorizationServer: {{name: s}}"
        );
        let wanted = AccessFile::parse(&text).unwrap().provider_side(None);
        let claim = wanted.into_iter().find(|one| one.address.name == "groups").unwrap();
        format!("{:?} {:?}", claim.field("groupFilter").unwrap(), claim.field("value").unwrap())
    };
    for (groups, expected) in [
        ("[{name: k8s-admins}]", "\"EQUALS\" \"k8s-admins\""),
        ("[{name: a}, {name: 'b.c+'}]", "\"REGEX\" \"a|b\\\\.c\\\\+\""),
    ] {
        assert_eq!(claim(groups), expected);
    }
}
