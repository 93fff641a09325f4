//! Files and flags are judged here and by kube-apiserver's own code (`tests/peers/kubernetes/oidc-oracle`): whether it would
//! start, and every field with the words about it, must be equal. What expressions say is left out on both sides.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kubesso_clusters::lint::{Effect, Lint, Subject};
use kubesso_clusters::{Form, KubernetesVersion, Request, Target};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::house::{FLAGS, TUTORIAL, access_with};

/// Mutated files.
const FILES: usize = 4_000;

#[derive(Debug, Default)]
struct Question {
    file: Option<String>,
    flags: Vec<(&'static str, &'static str)>,
}

#[test]
fn same_verdict_as_upstream() {
    let Some(oracle) = oracle() else {
        println!("skipped: no peers (KUBESSO_PEERS_DIR); run cargo xtask test");
        return;
    };
    let mut questions: Vec<_> =
        written().into_iter().map(|file| Question { file: Some(file), ..Question::default() }).collect();
    questions.extend(flag_sets());
    questions.extend(mutated());
    let input: String = questions.iter().map(|question| ask_for(question).to_string() + "\n").collect();
    let answers = ask(&oracle, input);
    assert_eq!(answers.len(), questions.len());
    let mut differences = Vec::new();
    let mut accepted = 0;
    for (question, theirs) in questions.iter().zip(&answers) {
        let (ours, theirs) = (ours(question), said(theirs));
        accepted += usize::from(theirs.is_empty());
        if ours != theirs {
            let file = question.file.as_deref().unwrap_or_default();
            differences
                .push(format!("{file}\n{:?}\n  ours   {ours:#?}\n  theirs {theirs:#?}", question.flags));
        }
    }
    println!("{} verdicts compared with upstream's, {accepted} of them without a fault", questions.len());
    let shown = differences.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} differences, the first of them:\n{shown}", differences.len());
    assert!(accepted > 100 && accepted < questions.len() / 2, "the cases are one-sided: {accepted}");
}

/// k3s, RKE2 and MicroK8s hand their lines on as they are: kube-apiserver's own flags have to know them.
#[test]
fn the_lists_of_flags_that_are_written_are_taken_by_kube_apiserver() {
    let Some(oracle) = oracle() else {
        println!("skipped: no peers (KUBESSO_PEERS_DIR); run cargo xtask test");
        return;
    };
    let mut questions: Vec<Vec<String>> = Vec::new();
    // The files that they name are there, elsewhere.
    let folder = tempfile::tempdir().unwrap();
    let here = |word: &str| match word.rsplit_once("/authn/") {
        Some((flag, name)) => {
            let flag = flag.split('=').next().unwrap();
            format!("{flag}={}", folder.path().join(name).display())
        }
        None => word.to_owned(),
    };
    for text in [TUTORIAL, FLAGS] {
        let access = access_with(text, include_str!("authority.pem"));
        for target in [Target::K3s, Target::Rke2, Target::MicroK8s] {
            for form in [Form::Flags, Form::Config] {
                let request =
                    Request { form: Some(form), ..Request::new(&access, KubernetesVersion::new(1, 34)) };
                let Ok(made) = target.instructions(&request) else { continue };
                for file in &made.files {
                    match file.name.as_str() {
                        "90-oidc.yaml" => {
                            let list: Value = serde_saphyr::from_str(&file.content).unwrap();
                            let words = list["kube-apiserver-arg+"].as_array().unwrap().iter();
                            questions.push(
                                words.map(|word| here(&format!("--{}", word.as_str().unwrap()))).collect(),
                            );
                        }
                        "kube-apiserver-arguments" => {
                            questions.push(file.content.lines().map(here).collect());
                        }
                        name => std::fs::write(folder.path().join(name), &file.content).unwrap(),
                    }
                }
            }
        }
    }
    assert!(questions.len() >= 9, "{questions:?}");
    // The oracle knows a flag from none.
    questions.push(vec!["--oidc-issuer=https://sso.example.com".to_owned()]);
    let asked = |args: &Vec<String>| json!({"judge": true, "args": args, "disallowedIssuers": []});
    let answers = ask(&oracle, questions.iter().map(|args| asked(args).to_string() + "\n").collect());
    let (unknown, known) = answers.split_last().unwrap();
    assert_eq!(unknown["flagsError"], "unknown flag: --oidc-issuer");
    for (args, answer) in questions.iter().zip(known) {
        assert!(answer["flagsError"].is_null(), "{answer} {args:?}");
    }
}

/// What is compared: the field and the words about it.
type Said = BTreeSet<String>;

fn ours(question: &Question) -> Said {
    let flags: Vec<_> =
        question.flags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let issuers = disallowed();
    let lint = Lint::of(&Subject {
        file: question.file.as_deref(),
        flags: Some(&flags),
        service_account_issuers: &issuers,
        kubernetes: Some(KubernetesVersion::new(1, 36)),
        target: Some(Target::StaticPod),
        ..Subject::default()
    });
    let refused = lint.findings.into_iter().filter(|it| it.effect == Effect::Refused);
    let words: Vec<_> = refused.map(|it| it.upstream.unwrap_or_else(|| "unreadable".to_owned())).collect();
    // kube-apiserver looks at the flags first, and at the two together before it validates the file.
    let of_flags: Said = words.iter().filter(|words| is_of_flags(words)).cloned().collect();
    // What cannot be parsed is said alone.
    let unparsed: Said = of_flags
        .iter()
        .filter(|it| it.starts_with("unknown") || it.starts_with("invalid"))
        .cloned()
        .collect();
    if !unparsed.is_empty() {
        return unparsed;
    }
    let of_file: Said =
        words.into_iter().map(|words| comparable(&words)).filter(|it| !it.is_empty()).collect();
    if of_flags.is_empty() { of_file } else { of_flags }
}

fn is_of_flags(words: &str) -> bool {
    [
        "authentication-config file",
        "oidc-issuer-url and",
        "unknown flag",
        "invalid argument",
        "anonymous: Forbidden",
    ]
    .iter()
    .any(|start| words.starts_with(start))
}

fn said(answer: &Value) -> Said {
    if let Some(error) = answer["flagsError"].as_str() {
        let Some(several) = error.strip_prefix("invalid authentication configuration: ") else {
            return error.lines().map(str::to_owned).collect();
        };
        let several = several.trim_start_matches('[').trim_end_matches(']').replace(", jwt[0]", "\njwt[0]");
        return several.lines().map(str::to_owned).collect();
    }
    if let Some(error) = answer["decodeError"].as_str() {
        return decode_error(error);
    }
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let errors = errors.iter().filter(|error| error["expression"].as_bool() != Some(true));
    let words = errors.map(|error| {
        comparable(&format!("{}: {}", error["field"].as_str().unwrap(), error["text"].as_str().unwrap()))
    });
    words.filter(|words| !words.is_empty()).collect()
}

/// Each fault that a decoder names, one by one.
fn decode_error(error: &str) -> Said {
    let Some(faults) = error.strip_prefix("strict decoding error: ") else {
        return Said::from([comparable(error)]);
    };
    let mut said = Said::new();
    let mut rest = faults.to_owned();
    if let Some(yaml) = faults.strip_prefix("yaml: unmarshal errors:\n") {
        let lines = yaml.lines().take_while(|line| line.starts_with("  line "));
        for line in lines.map(str::trim) {
            said.insert(line.split(" in map").next().unwrap().to_owned() + " in map");
        }
        rest = yaml
            .lines()
            .last()
            .unwrap_or_default()
            .split_once(" in map, ")
            .map(|it| it.1.to_owned())
            .unwrap_or_default();
    }
    said.extend(
        rest.split(", ").filter(|it| !it.is_empty()).map(|it| format!("strict decoding error: {it}")),
    );
    said
}

/// Words without what only Go's parsers say, and without what depends on whether an expression compiles.
fn comparable(words: &str) -> String {
    if words.contains("claims.email_verified must be used") {
        return String::new();
    }
    for (start, instead) in [
        ("yaml: ", "unreadable"),
        ("error converting YAML", "unreadable"),
        ("couldn't get version/kind", "unreadable"),
        ("invalid character", "unreadable"),
        ("unexpected end of JSON", "unreadable"),
        ("Object 'Kind' is missing", "Object 'Kind' is missing in '…'"),
        ("Object 'apiVersion' is missing", "Object 'apiVersion' is missing in '…'"),
    ] {
        if words.starts_with(start) {
            return instead.to_owned();
        }
    }
    if let Some((before, _)) = words.split_once(": x509: ") {
        return format!("{before}: x509");
    }
    words.split(" in scheme ").next().unwrap_or_default().to_owned()
}

fn disallowed() -> Vec<String> {
    ["https://kubernetes.default.svc", "https://other.example"].map(str::to_owned).to_vec()
}

fn ask_for(question: &Question) -> Value {
    let args: Vec<_> = question.flags.iter().map(|(name, value)| format!("--{name}={value}")).collect();
    let mut asked = json!({"judge": true, "args": args, "disallowedIssuers": disallowed()});
    if let Some(file) = &question.file {
        asked["configuration"] = json!(file);
    }
    asked
}

#[expect(clippy::disallowed_methods, reason = "the peers are where the environment says")]
fn oracle() -> Option<PathBuf> {
    let directory = std::env::var_os("KUBESSO_PEERS_DIR")?;
    Some(PathBuf::from(directory).join("oidc-oracle"))
}

fn ask(oracle: &Path, questions: String) -> Vec<Value> {
    let mut process = Command::new(oracle)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", oracle.display()));
    let mut input = process.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(questions.as_bytes()));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the oracle failed: {}", output.status);
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A file with everything in it.
fn whole() -> Value {
    let ca = rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap().cert.pem();
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [
            {
                "issuer": {
                    "url": "https://sso.example/oauth2/k8s",
                    "discoveryURL": "https://inside.example/.well-known/openid-configuration",
                    "audiences": ["kubernetes", "console"],
                    "audienceMatchPolicy": "MatchAny",
                    "certificateAuthority": ca,
                    "egressSelectorType": "cluster",
                },
                "claimMappings": {
                    "username": {"claim": "email", "prefix": ""},
                    "groups": {"expression": "claims.groups"},
                    "uid": {"claim": "sub"},
                    "extra": [{"key": "example.com/tenant", "valueExpression": "claims.tenant"}],
                },
                "claimValidationRules": [
                    {"claim": "hd", "requiredValue": "example.com"},
                    {"expression": "claims.exp - claims.nbf <= 86400", "message": "too long"},
                ],
                "userValidationRules": [{"expression": "!user.username.startsWith('system:')", "message": "no"}],
            },
            {
                "issuer": {"url": "https://other.example/", "audiences": ["a"]},
                "claimMappings": {"username": {"expression": "claims.sub"}, "uid": {"expression": "claims.sub"}},
            },
        ],
        "anonymous": {"enabled": true, "conditions": [{"path": "/livez"}]},
    })
}

/// What is put in place of something.
fn pieces() -> Vec<Value> {
    let texts = [
        "",
        " ",
        "a",
        "https://sso.example/oauth2/k8s",
        "https://other.example",
        "https://other.example/",
        "http://x",
        "HTTPS://x",
        "https://u@x",
        "https://x?",
        "https://x?a",
        "https://x#",
        "https://x#a",
        "https://x/%zz",
        "https://[::1",
        "://x",
        "x:y",
        "https://x:port",
        "MatchAny",
        "cluster",
        "controlplane",
        "kubernetes",
        "claims.email",
        "claims.sub",
        "claims.sub ==",
        "claims.email_verified",
        "example.com/",
        "/x",
        "a/b/c",
        "A.b/c",
        "a_b.c/d",
        "x.k8s.io/y",
        "kubernetes.io/y",
        "notk8s.io/y",
        "example.com/ü",
        "example.com/a b",
        "Example.com/a",
        "a..b/c",
        "-a.b/c",
        "v1",
        "apiserver.config.k8s.io/v1beta1",
        "apiserver.config.k8s.io/v1alpha1",
        "apiserver.config.k8s.io/v2",
        "a/b/c",
        "/etc/kubernetes/pki/ca.crt",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nno base64!\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----",
        "yes",
        "on",
        "1",
    ];
    let mut pieces: Vec<Value> = texts.iter().map(|text| json!(text)).collect();
    pieces.extend([
        Value::Null,
        json!(true),
        json!(false),
        json!(0),
        json!(7),
        json!(1.5),
        json!([]),
        json!({}),
        json!([null]),
        json!([""]),
        json!(["a", "a"]),
        json!([{}]),
        json!({"claim": "a"}),
        json!({"expression": "claims.sub"}),
        json!({"claim": "a", "prefix": null}),
        json!({"claim": "a", "expression": "b", "prefix": "c"}),
        json!([[]]),
        json!(["x", 3]),
    ]);
    pieces
}

const NAMES: [&str; 16] = [
    "url",
    "URL",
    "issuer",
    "claim",
    "expression",
    "prefix",
    "message",
    "requiredValue",
    "key",
    "valueExpression",
    "path",
    "enabled",
    "jwt",
    "anonymous",
    "audiences",
    "nothing",
];

/// One change somewhere.
#[derive(Clone, Debug)]
enum Change {
    Replace(prop::sample::Index, prop::sample::Index),
    Remove(prop::sample::Index),
    Rename(prop::sample::Index, prop::sample::Index),
    Add(prop::sample::Index, prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index),
    Copy(prop::sample::Index, prop::sample::Index),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let index = any::<prop::sample::Index>;
    let change = prop_oneof![
        6 => (index(), index()).prop_map(|(at, piece)| Change::Replace(at, piece)),
        3 => index().prop_map(Change::Remove),
        1 => (index(), index()).prop_map(|(at, name)| Change::Rename(at, name)),
        1 => (index(), index(), index()).prop_map(|(at, name, piece)| Change::Add(at, name, piece)),
        2 => index().prop_map(Change::Repeat),
        2 => (index(), index()).prop_map(|(from, to)| Change::Copy(from, to)),
    ];
    prop::collection::vec(change, 0..5)
}

fn mutated() -> Vec<Question> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (whole, pieces) = (whole(), pieces());
    let mut made = |number: usize| {
        let mut file = whole.clone();
        for change in changes().new_tree(&mut runner).unwrap().current() {
            change.apply(&mut file, &pieces);
        }
        let file =
            if number.is_multiple_of(2) { file.to_string() } else { serde_saphyr::to_string(&file).unwrap() };
        Question { file: Some(file), ..Question::default() }
    };
    (0..FILES).map(&mut made).collect()
}

/// Every place in it.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(name, inner)| places(inner, &format!("{path}/{name}"), found));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, inner)| places(inner, &format!("{path}/{at}"), found));
        }
        _ => {}
    }
}

impl Change {
    fn apply(&self, file: &mut Value, pieces: &[Value]) {
        let mut all = Vec::new();
        places(file, "", &mut all);
        // Keys with a slash are not gone into, and kind and version are left alone mostly.
        all.retain(|place| file.pointer(place).is_some() && !place.is_empty());
        if all.is_empty() {
            return;
        }
        let parent = |place: &str| {
            place.rsplit_once('/').map(|(before, name)| (before.to_owned(), name.to_owned())).unwrap()
        };
        match self {
            Self::Replace(at, piece) => {
                *file.pointer_mut(at.get(all.as_slice()).as_str()).unwrap() = piece.get(pieces).clone();
            }
            Self::Remove(at) => {
                let (before, name) = parent(at.get(all.as_slice()).as_str());
                match file.pointer_mut(&before).unwrap() {
                    Value::Object(map) => drop(map.remove(&name)),
                    Value::Array(list) => drop(list.remove(name.parse::<usize>().unwrap())),
                    _ => {}
                }
            }
            Self::Rename(at, to) => {
                let (before, name) = parent(at.get(all.as_slice()).as_str());
                if let Value::Object(map) = file.pointer_mut(&before).unwrap() {
                    let value = map.remove(&name).unwrap();
                    map.insert((*to.get(&NAMES)).to_owned(), value);
                }
            }
            Self::Add(at, name, piece) => {
                if let Value::Object(map) = file.pointer_mut(at.get(all.as_slice()).as_str()).unwrap() {
                    map.insert((*name.get(&NAMES)).to_owned(), piece.get(pieces).clone());
                }
            }
            Self::Repeat(at) => {
                let (before, name) = parent(at.get(all.as_slice()).as_str());
                if let Value::Array(list) = file.pointer_mut(&before).unwrap() {
                    list.push(list[name.parse::<usize>().unwrap()].clone());
                }
            }
            Self::Copy(from, to) => {
                let value = file.pointer(from.get(all.as_slice()).as_str()).unwrap().clone();
                *file.pointer_mut(to.get(all.as_slice()).as_str()).unwrap() = value;
            }
        }
    }
}

/// Files as people write them, with what only YAML can do.
fn written() -> Vec<String> {
    let head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";
    let issuer = "jwt:\n- issuer: {url: 'https://sso', audiences: [k8s]}\n";
    let name = "  claimMappings: {username: {claim: sub, prefix: ''}}\n";
    let mut files: Vec<String> = [
        "",
        "\n",
        "# nothing\n",
        "---\n",
        "null\n",
        "[]\n",
        "text\n",
        "3\n",
        "a: [\n",
        "\ta: b\n",
        "a: b: c\n",
        "{\n",
        "{}",
        "{\"a\"}",
        "kind: AuthenticationConfiguration\n",
        "apiVersion: apiserver.config.k8s.io/v1\n",
        "kind: 3\napiVersion: v1\n",
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n",
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n",
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n",
        "apiVersion: apiserver.config.k8s.io/v1\nkind: TracingConfiguration\n",
        "apiVersion: v1\nkind: Pod\n",
        "apiVersion: apiserver.config.k8s.io/\nkind: AuthenticationConfiguration\n",
        "apiVersion: apiserver.config.k8s.io/v1beta1\nkind: AuthenticationConfiguration\n",
        "apiVersion: apiserver.config.k8s.io/v1alpha1\nkind: AuthenticationConfiguration\n",
        "Kind: AuthenticationConfiguration\napiVersion: apiserver.config.k8s.io/v1\n",
    ]
    .map(str::to_owned)
    .to_vec();
    for rest in [
        String::new(),
        format!("{issuer}{name}"),
        format!("{issuer}{name}---\nkind: Other\n"),
        format!("---\n{issuer}{name}"),
        format!("{issuer}{name}...\n"),
        format!("{issuer}{name}  claimValidationRules: {{claim: a}}\n"),
        format!("{issuer}{name}  claimValidationRules:\n    claim: a\n    requiredValue: b\n"),
        format!("{issuer}{name}  claimValidationRules: [{{claim: a, requiredValue: yes}}]\n"),
        format!("{issuer}{name}  claimValidationRules: [{{claim: a, requiredValue: 007}}]\n"),
        format!("{issuer}{name}  claimValidationRules: [{{claim: a, requiredValue: !!str 7}}]\n"),
        format!("{issuer}{name}  claimValidationRules: [{{claim: a, requiredValue: ~}}]\n"),
        format!("{issuer}{name}  claimValidationRules: [{{claim: y}}]\n"),
        format!("{issuer}{name}  y: 1\n  1: 2\n"),
        format!("{issuer}{issuer}{name}"),
        format!("{issuer}{name}{name}"),
        format!("x: &x {{claim: sub, prefix: ''}}\n{issuer}  claimMappings: {{username: *x}}\n"),
        format!("{issuer}  claimMappings: &m {{username: {{claim: sub, prefix: ''}}}}\n- issuer: {{url: 'https://b', audiences: [b]}}\n  claimMappings: *m\n"),
        format!("{issuer}  claimMappings:\n    username: &u {{claim: sub, prefix: ''}}\n    groups:\n      <<: *u\n      prefix: 'oidc:'\n"),
        "jwt:\n- issuer:\n    url: https://sso\n    audiences:\n    - k8s\n    - k8s\n  claimMappings:\n    username:\n      claim: sub\n".to_owned(),
        "jwt:\n  issuer: {url: 'https://sso'}\n".to_owned(),
        "jwt: {}\n".to_owned(), "jwt: ''\n".to_owned(), "jwt: ~\nanonymous: ~\n".to_owned(), "anonymous: []\n".to_owned(),
        "anonymous: {enabled: 'true'}\n".to_owned(), "anonymous: {enabled: yes}\n".to_owned(), "anonymous: {enabled: y}\n".to_owned(),
        "anonymous: {enabled: on, conditions: [{path: /livez}, {}]}\n".to_owned(),
        "anonymous: {enabled: off, conditions: [{path: /livez}, {path: \"a\\\"b\"}]}\n".to_owned(),
        "jwt:\n- issuer:\n    url: https://sso\n    audiences: [a]\n    certificateAuthority: |\n      text\n      -----BEGIN PRIVATE KEY-----\n      AAAA\n      -----END PRIVATE KEY-----\n  claimMappings: {username: {expression: claims.sub, prefix: ''}}\n".to_owned(),
    ] {
        files.push(format!("{head}{rest}"));
    }
    let jwt = json!({"issuer": {"url": "https://a"}});
    for count in [64, 65] {
        files.push(json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": vec![jwt.clone(); count]}).to_string());
    }
    files
}

fn flag_sets() -> Vec<Question> {
    let file =
        || Some("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n".to_owned());
    let anonymous = || file().map(|file| file + "anonymous: {enabled: true}\n");
    let wrong = || file().map(|file| file + "jwt: [{}]\nanonymous: {enabled: true}\n");
    let (url, client) = (("oidc-issuer-url", "https://sso"), ("oidc-client-id", "k8s"));
    let with = |more: &[(&'static str, &'static str)]| [&[url, client], more].concat();
    let set = |file, flags| Question { file, flags };
    vec![
        set(None, vec![url, client]),
        set(None, vec![url]),
        set(None, vec![client]),
        set(None, vec![("oidc-issuer-url", ""), client]),
        set(None, vec![("oidc-username-prefix", "")]),
        set(None, with(&[("oidc-username-claim", "")])),
        set(None, with(&[("oidc-required-claim", "a")])),
        set(None, with(&[("oidc-required-claim", "a=b=c"), ("oidc-groups-claim", "groups")])),
        set(None, vec![("oidc-issuer-url", "http://sso"), client]),
        set(None, vec![("oidc-issuer-url", "https://u:p@sso?a#b"), client]),
        set(None, vec![("oidc-issuer-url", "https://sso/%"), client]),
        set(None, vec![("oidc-issuer-url", "https://other.example"), client]),
        set(None, vec![("oidc-groups", "x")]),
        set(file(), vec![url, client]),
        set(file(), vec![("oidc-username-prefix", "")]),
        set(file(), vec![("anonymous-auth", "false")]),
        set(anonymous(), vec![("anonymous-auth", "false")]),
        set(anonymous(), vec![]),
        set(wrong(), vec![("anonymous-auth", "true")]),
    ]
}
