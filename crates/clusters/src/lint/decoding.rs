//! Reading the file as strictly as kube-apiserver does: unknown fields, fields that stand there twice, and values of
//! another shape are errors (`runtime/serializer/json` with `EnableStrict`).

use kubesso_k8s_types::authentication_configuration::{AuthenticationConfiguration, KIND};
use kubesso_k8s_types::go::{json_kind, quote};
use kubesso_kubeconfig::Reading;
use serde_json::{Map, Value};

use super::{Effect, Finding};

/// The row of all that is about the form of the file.
pub(super) const ROW: u8 = 38;

/// What may stand in a place.
enum Shape {
    /// A text; Go's name of its type.
    Text(&'static str),
    Truth,
    List(&'static Shape),
    /// A mapping; Go's name of its type, and its fields.
    Struct(&'static str, &'static [(&'static str, Shape)]),
}

use Shape::{List, Struct, Text, Truth};

const STRING: Shape = Text("string");

const CLAIM_RULE: Shape = Struct(
    "ClaimValidationRule",
    &[("claim", STRING), ("requiredValue", STRING), ("expression", STRING), ("message", STRING)],
);
const USER_RULE: Shape = Struct("UserValidationRule", &[("expression", STRING), ("message", STRING)]);
const EXTRA: Shape = Struct("ExtraMapping", &[("key", STRING), ("valueExpression", STRING)]);
const ISSUER: Shape = Struct(
    "Issuer",
    &[
        ("url", STRING),
        ("discoveryURL", STRING),
        ("certificateAuthority", STRING),
        ("audiences", List(&STRING)),
        ("audienceMatchPolicy", Text("v1.AudienceMatchPolicyType")),
        ("egressSelectorType", Text("v1.EgressSelectorType")),
    ],
);
const PREFIXED: Shape =
    Struct("PrefixedClaimOrExpression", &[("claim", STRING), ("prefix", STRING), ("expression", STRING)]);
const MAPPINGS: Shape = Struct(
    "ClaimMappings",
    &[
        ("username", PREFIXED),
        ("groups", PREFIXED),
        ("uid", Struct("ClaimOrExpression", &[("claim", STRING), ("expression", STRING)])),
        ("extra", List(&EXTRA)),
    ],
);
const JWT: Shape = Struct(
    "JWTAuthenticator",
    &[
        ("issuer", ISSUER),
        ("claimValidationRules", List(&CLAIM_RULE)),
        ("claimMappings", MAPPINGS),
        ("userValidationRules", List(&USER_RULE)),
    ],
);
const CONDITION: Shape = Struct("AnonymousAuthCondition", &[("path", STRING)]);
const FILE: Shape = Struct(
    "AuthenticationConfiguration",
    &[
        ("apiVersion", STRING),
        ("kind", STRING),
        ("jwt", List(&JWT)),
        ("anonymous", Struct("AnonymousAuthConfig", &[("enabled", Truth), ("conditions", List(&CONDITION))])),
    ],
);

/// The configuration, with the places of its lines; or why it cannot be read.
pub(super) fn decode(text: &str) -> Result<(AuthenticationConfiguration, Reading), Vec<Finding>> {
    if text.is_empty() {
        let instead =
            "jwt: [] for no issuer at all, or the whole file again: an editor may have left it empty";
        return Err(vec![whole("the file is empty", "empty config data", instead)]);
    }
    let reading = read(text)?;
    check_kind(&reading)?;
    let mut decoder = Decoder::default();
    let value = decoder.value(&reading.value, &FILE, &Place::default());
    if let Some(mismatch) = decoder.mismatch {
        return Err(vec![mismatch.finding(&reading)]);
    }
    let findings: Vec<_> = reading
        .twice
        .iter()
        .map(|twice| Finding {
            row: ROW,
            effect: Effect::Refused,
            field: twice.path.clone(),
            line: Some(twice.line),
            what: format!("{} stands there twice", twice.path),
            got: None,
            upstream: Some(if is_json(text) {
                format!("strict decoding error: duplicate field {}", quote(&twice.path))
            } else {
                format!("line {}: key {} already set in map", twice.value_line, quote(&twice.key))
            }),
            instead: format!("one `{}:`; what the two say belongs into one", twice.key),
        })
        .chain(decoder.unknown.into_iter().map(|unknown| unknown.finding(&reading)))
        .collect();
    if !findings.is_empty() {
        return Err(findings);
    }
    let configuration = serde_json::from_value(value);
    // The shape was checked field by field.
    let configuration =
        configuration.map_err(|error| vec![whole(&error.to_string(), "", "a file of this kind")])?;
    Ok((configuration, reading))
}

fn whole(what: &str, upstream: &str, instead: &str) -> Finding {
    Finding {
        row: ROW,
        effect: Effect::Refused,
        field: "the file".to_owned(),
        line: Some(1),
        what: what.to_owned(),
        got: None,
        upstream: (!upstream.is_empty()).then(|| upstream.to_owned()),
        instead: instead.to_owned(),
    }
}

/// Whether it is read as JSON (`IsJSONBuffer`).
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

fn read(text: &str) -> Result<Reading, Vec<Finding>> {
    if is_json(text)
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text)
    {
        let instead = "JSON without mistakes, or YAML that does not begin with a brace";
        let mut finding = whole(&format!("it is no JSON: {error}"), "", instead);
        finding.line = Some(error.line());
        return Err(vec![finding]);
    }
    Reading::of(text).map_err(|error| {
        let text = error.to_string();
        let line = text.strip_prefix("line ").and_then(|rest| rest.split([' ', ':']).next()?.parse().ok());
        let instead = "YAML that can be read: spaces for indentation (no tabs), quotes around what has `: ` or `#` in it";
        vec![Finding { line, ..whole(&format!("the file cannot be read: {text}"), "", instead) }]
    })
}

/// Files of the same group that are for other flags.
const OTHER_KINDS: [&str; 4] = [
    "AdmissionConfiguration",
    "AuthorizationConfiguration",
    "EncryptionConfiguration",
    "TracingConfiguration",
];

/// Kind and version come before everything else.
fn check_kind(reading: &Reading) -> Result<(), Vec<Finding>> {
    const VERSION: &str = "apiVersion: apiserver.config.k8s.io/v1   # v1beta1 before Kubernetes 1.34";
    let kind_line = format!("kind: {KIND}");
    let field = |name: &str, what: String, upstream: String, instead: &str| {
        Err(vec![Finding {
            field: name.to_owned(),
            line: reading.line(name).or(Some(1)),
            ..whole(&what, &upstream, instead)
        }])
    };
    if !matches!(reading.value, Value::Object(_) | Value::Null) {
        return Err(vec![whole("the file is no mapping", "", &format!("{VERSION}\n{kind_line}"))]);
    }
    // Here names are compared without regard to case; what is not exactly a field is refused later.
    let fields = || reading.value.as_object().into_iter().flatten();
    let text = |name: &str| match reading
        .value
        .get(name)
        .or_else(|| fields().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(()),
    };
    let (Ok(version), Ok(kind)) = (text("apiVersion"), text("kind")) else {
        return field("apiVersion", "apiVersion and kind are texts".to_owned(), String::new(), VERSION);
    };
    if version.matches('/').count() > 1 {
        let upstream = format!("unexpected GroupVersion string: {version}");
        return field(
            "apiVersion",
            "the API server does not know this version".to_owned(),
            upstream,
            VERSION,
        );
    }
    if kind.is_empty() {
        return field(
            "kind",
            "it does not say of which kind it is".to_owned(),
            "Object 'Kind' is missing in '…'".to_owned(),
            &kind_line,
        );
    }
    if version.is_empty() || version.ends_with('/') {
        let upstream = "Object 'apiVersion' is missing in '…'".to_owned();
        return field("apiVersion", "it does not say of which version it is".to_owned(), upstream, VERSION);
    }
    let known = version
        .strip_prefix("apiserver.config.k8s.io/")
        .filter(|it| ["v1", "v1beta1", "v1alpha1"].contains(it));
    let shown = version.strip_prefix('/').unwrap_or(version);
    let upstream = || format!("no kind {} is registered for version {}", quote(kind), quote(shown));
    if kind != KIND && version.ends_with("/v1") && known.is_some() && OTHER_KINDS.contains(&kind) {
        let upstream = format!("expected AuthenticationConfiguration, got *apiserver.{kind}");
        return field("kind", format!("it is another kind of file: {kind}"), upstream, &kind_line);
    }
    if kind != KIND {
        return field("kind", format!("it is another kind of file: {kind}"), upstream(), &kind_line);
    }
    if known.is_none() {
        return field(
            "apiVersion",
            format!("the API server does not know the version {version}"),
            upstream(),
            VERSION,
        );
    }
    Ok(())
}

/// Where a value stands: as people write it, and as Go's JSON package names it.
#[derive(Clone, Default)]
struct Place {
    path: String,
    /// Without indexes.
    names: String,
    /// The struct that the last name is a field of.
    of: &'static str,
}

impl Place {
    fn field(&self, name: &str, of: &'static str) -> Self {
        let join =
            |before: &str| if before.is_empty() { name.to_owned() } else { format!("{before}.{name}") };
        Self { path: join(&self.path), names: join(&self.names), of }
    }

    fn element(&self, index: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), ..self.clone() }
    }
}

#[derive(Default)]
struct Decoder {
    unknown: Vec<Unknown>,
    /// The first is the one that is reported, and the only one.
    mismatch: Option<Mismatch>,
}

struct Unknown {
    path: String,
    name: String,
    known: Vec<&'static str>,
}

struct Mismatch {
    place: Place,
    got: &'static str,
    wanted: String,
    shape: &'static str,
}

impl Decoder {
    /// The value with the empty one in place of `null`.
    fn value(&mut self, value: &Value, shape: &Shape, place: &Place) -> Value {
        match (shape, value) {
            (Text(_), Value::Null) => Value::String(String::new()),
            (Text(_), Value::String(_)) | (Truth, Value::Bool(_)) => value.clone(),
            (Truth, Value::Null) => Value::Bool(false),
            (List(_), Value::Null) => Value::Array(Vec::new()),
            (Struct(..), Value::Null) => Value::Object(Map::new()),
            (List(element), Value::Array(list)) => {
                let elements = list.iter().enumerate();
                elements.map(|(index, it)| self.value(it, element, &place.element(index))).collect()
            }
            (Struct(type_name, fields), Value::Object(map)) => {
                Value::Object(self.fields(map, type_name, fields, place))
            }
            _ => {
                self.mismatch.get_or_insert_with(|| Mismatch {
                    place: place.clone(),
                    got: json_kind(value),
                    wanted: go_type(shape),
                    shape: match shape {
                        Text(_) => "a text (in quotes, if it looks like a number or like yes and no)",
                        Truth => "true or false",
                        List(_) => "a list (each element after a dash)",
                        Struct(..) => "a mapping (name: value)",
                    },
                });
                Value::Null
            }
        }
    }

    fn fields(
        &mut self,
        map: &Map<String, Value>,
        type_name: &'static str,
        fields: &[(&'static str, Shape)],
        place: &Place,
    ) -> Map<String, Value> {
        let mut kept = Map::new();
        for (name, value) in map {
            let place = place.field(name, type_name);
            match fields.iter().find(|(known, _)| known == name) {
                // What may be left out is left out: a prefix that is null is none.
                Some(_) if value.is_null() => {}
                Some((_, shape)) => {
                    kept.insert(name.clone(), self.value(value, shape, &place));
                }
                None => self.unknown.push(Unknown {
                    path: place.path,
                    name: name.clone(),
                    known: fields.iter().map(|(known, _)| *known).collect(),
                }),
            }
        }
        kept
    }
}

impl Unknown {
    fn finding(self, reading: &Reading) -> Finding {
        let nearest = self.known.iter().find(|known| is_near(known, &self.name));
        let instead = match (self.name.as_str(), nearest) {
            ("expression", _) if self.known.contains(&"valueExpression") => "valueExpression: …".to_owned(),
            (_, Some(near)) => format!("{near}: …"),
            (_, None) => format!(
                "one of: {} (or see that the line is indented as it should be)",
                self.known.join(", ")
            ),
        };
        Finding {
            row: ROW,
            effect: Effect::Refused,
            line: reading.line(&self.path),
            what: format!("{} is not a field", self.path),
            got: Some(self.name),
            upstream: Some(format!("strict decoding error: unknown field {}", quote(&self.path))),
            field: self.path,
            instead,
        }
    }
}

/// Whether a name was meant to be the other: one that differs in case, or begins like it.
fn is_near(known: &str, name: &str) -> bool {
    let (known, name) = (known.to_ascii_lowercase(), name.to_ascii_lowercase().replace(['_', '-'], ""));
    known == name || (name.len() >= 4 && (known.starts_with(&name) || name.starts_with(&known)))
}

impl Mismatch {
    fn finding(self, reading: &Reading) -> Finding {
        let upstream = format!(
            "json: cannot unmarshal {} into Go struct field {}.{} of type {}",
            self.got, self.place.of, self.place.names, self.wanted
        );
        Finding {
            row: ROW,
            effect: Effect::Refused,
            line: reading.line(&self.place.path),
            what: format!(
                "{} is no {}",
                self.place.path,
                self.shape.split(" (").next().unwrap_or_default().trim_start_matches("a ")
            ),
            got: Some(self.got.to_owned()),
            upstream: Some(upstream),
            field: self.place.path,
            instead: self.shape.to_owned(),
        }
    }
}
fn go_type(shape: &Shape) -> String {
    match shape {
        Text(name) => (*name).to_owned(),
        Truth => "bool".to_owned(),
        List(element) => format!("[]{}", go_type(element)),
        Struct(name, _) => format!("v1.{name}"),
    }
}
