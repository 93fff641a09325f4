//! Texts that say too little: which rows they can be, and the questions that split those, the likeliest first.

use std::sync::OnceLock;

use regex::Regex;

use crate::check_id::CheckId;

/// A text that many causes have in common.
#[derive(Debug)]
pub struct Ambiguity {
    /// Its name, for scripts.
    pub name: &'static str,
    /// What the text says and does not say.
    pub said: &'static str,
    /// The rows that it can be, likeliest first.
    pub candidates: &'static [u8],
    /// What to look at next, in this order.
    pub questions: &'static [Question],
    /// One of these, in small letters, must be there: looked for first, because it is cheap.
    needles: &'static [&'static str],
    pattern: &'static str,
}

/// Something to look at.
#[derive(Debug)]
pub struct Question {
    /// What is asked.
    pub ask: &'static str,
    /// The command that answers it; empty where it is only a matter of knowing.
    pub command: &'static str,
    /// What can come of it, and which rows that leaves.
    pub answers: &'static [(&'static str, &'static [u8])],
}

impl Ambiguity {
    /// The rows, by name.
    pub fn candidates(&self) -> impl Iterator<Item = CheckId> + use<> {
        self.candidates.iter().copied().map(CheckId::new)
    }

    /// Whether a line may say it; `lower` is the line in small letters.
    pub(crate) fn may_be_said_by(&self, lower: &str) -> bool {
        self.needles.iter().any(|needle| lower.contains(needle))
    }

    pub(crate) fn is_said_by(&self, line: &str) -> bool {
        static REGEXES: OnceLock<Vec<Option<Regex>>> = OnceLock::new();
        if !self.may_be_said_by(&line.to_ascii_lowercase()) {
            return false;
        }
        let regexes = REGEXES.get_or_init(|| ALL.iter().map(|it| Regex::new(it.pattern).ok()).collect());
        let place = ALL.iter().position(|it| it.name == self.name);
        place.and_then(|at| regexes.get(at)?.as_ref()).is_some_and(|regex| regex.is_match(line))
    }
}

const LOG: &str = "kubectl -n kube-system logs -l component=kube-apiserver --tail=5000 | kubesso doctor explain -   # by an \
                   administrator; k3s: journalctl -u k3s | kubesso doctor explain -";

/// All of them. Where several fit, the first says the most.
pub(crate) const ALL: &[Ambiguity] = &[
    Ambiguity {
        name: "not-initialized",
        said: "The API server has not reached the provider yet. Why not stands in its log, in a line with `initializing plugin`.",
        needles: &["authenticator not initialized"],
        pattern: r"authenticator not initialized",
        candidates: &[3, 6, 5, 2, 8, 4, 7],
        questions: &[Question {
            ask: "What does the API server's log say behind `initializing plugin`?",
            command: LOG,
            answers: &[
                ("certificate signed by unknown authority", &[3]),
                ("timeout, connection refused", &[6]),
                ("no such host", &[5]),
                ("issuer did not match", &[2]),
                ("404, or text/html", &[8]),
                ("certificate is valid for …, expired", &[4]),
                ("Forbidden", &[7]),
            ],
        }],
    },
    Ambiguity {
        name: "invalid-bearer-token",
        said: "The API server did not take the token for one of an issuer that it knows, so it did not even look at it.",
        needles: &["invalid bearer token"],
        pattern: r#"(?:err|error)"?[=:] ?"?\[?invalid bearer token\]?(?:"|$)|^\W*invalid bearer token\W*$"#,
        candidates: &[1, 10, 63, 60, 45],
        questions: &[
            Question {
                ask: "Is `iss` of the token, letter by letter, the issuer in the API server's settings?",
                command: "kubectl oidc-login setup --oidc-issuer-url=… --oidc-client-id=…   # shows iss; compare with --oidc-issuer-url \
                          of the API server",
                answers: &[("no", &[1]), ("yes", &[60, 45, 63])],
            },
            Question {
                ask: "Is an ID token sent at all?",
                command: "kubectl config view --minify   # --oidc-use-access-token, or a `token:` that somebody copied",
                answers: &[
                    ("an access token, or an opaque one", &[10]),
                    ("a copied one, with quotes or a line end", &[63]),
                ],
            },
            Question {
                ask: "Does the kubeconfig lead to the API server that knows the issuer, and does each API server know it?",
                command: "kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}'",
                answers: &[("to a gateway, or past it", &[60]), ("only some know it", &[45])],
            },
        ],
    },
    Ambiguity {
        name: "unauthorized",
        said: "Unauthorized is all that the API server tells anybody; the cause is in its log.",
        needles: &["unauthorized", "must be logged in", "provide credentials", "unable to authenticate"],
        pattern: r#"(?i)must be logged in to the server|asked for the client to provide credentials|^\W*(?:error: )?unauthorized\W*$|"?reason"?: ?"?unauthorized|\b401\b.{0,3}unauthorized|unable to authenticate the request"#,
        candidates: &[
            17, 9, 1, 11, 3, 18, 6, 5, 2, 12, 15, 10, 13, 8, 20, 16, 4, 14, 22, 23, 21, 19, 7, 63, 45, 60,
        ],
        questions: &[
            Question {
                ask: "What does the API server's log say at that moment?",
                command: LOG,
                answers: &[
                    ("oidc: and a sentence: this command names the row", &[17, 9, 11, 18, 15, 20, 22, 21]),
                    ("only `invalid bearer token`", &[1, 10, 63, 60]),
                    ("`authenticator not initialized`", &[3, 6, 5, 2, 8]),
                    ("nothing at all", &[60, 45]),
                ],
            },
            Question {
                ask: "No way to the log: what is in the ID token?",
                command: "kubectl oidc-login setup --oidc-issuer-url=… --oidc-client-id=…   # with what the kubeconfig has",
                answers: &[
                    ("no claim of the name in --oidc-username-claim (email)", &[17]),
                    ("another aud than --oidc-client-id of the API server", &[9]),
                    ("another iss than --oidc-issuer-url of the API server", &[1]),
                    ("email_verified: false, or a text", &[18, 19]),
                    ("groups that are no list of texts; _claim_names", &[22, 23]),
                ],
            },
            Question {
                ask: "Does the control plane reach the provider?",
                command: "curl -sS ISSUER/.well-known/openid-configuration   # on a control-plane node",
                answers: &[
                    ("a certificate is not trusted", &[3, 4]),
                    ("no such host", &[5]),
                    ("timeout, refused", &[6]),
                    ("no JSON", &[8]),
                    ("another `issuer` in it", &[2]),
                ],
            },
            Question {
                ask: "When does it fail?",
                command: "",
                answers: &[
                    ("always", &[17, 9, 1, 3]),
                    ("an hour or so after signing in", &[11]),
                    ("in the moments after signing in", &[12]),
                    ("after the provider changed its key", &[13]),
                    ("every second or third time", &[45]),
                    ("for some people only", &[18, 20, 23]),
                ],
            },
        ],
    },
    Ambiguity {
        name: "forbidden",
        said: "Forbidden: the API server knows who asks, by the name in the message, and no binding allows it.",
        needles: &["forbidden"],
        pattern: r#"(?i)forbidden: User |\(Forbidden\)|"?reason"?: ?"?forbidden"#,
        candidates: &[30, 24, 27, 28, 29, 25, 32, 26, 31, 65],
        questions: &[
            Question {
                ask: "Which name and groups does the cluster see?",
                command: "kubectl auth whoami",
                answers: &[
                    ("no group of yours", &[24, 25]),
                    ("the issuer and # before the name", &[27]),
                    ("groups with a prefix that the bindings lack, or without one that they have", &[28]),
                    ("ids, paths, another case", &[29]),
                    ("kubernetes-admin, or somebody that you are not", &[32]),
                    ("name and groups are right", &[30]),
                ],
            },
            Question {
                ask: "What do the bindings say?",
                command: "kubectl get clusterrolebindings,rolebindings -A -o wide   # by an administrator",
                answers: &[("no subject is you or a group of yours", &[28, 29, 27]), ("one is", &[30, 31])],
            },
            Question {
                ask: "Did it work before?",
                command: "",
                answers: &[
                    ("until the token was refreshed", &[26]),
                    ("until the groups were changed", &[65]),
                    ("never", &[30, 24]),
                ],
            },
        ],
    },
    Ambiguity {
        name: "refused",
        said: "Nothing listens there. If the API server's settings were just changed, it did not start with them.",
        needles: &["refused"],
        pattern: r"The connection to the server \S+ was refused|dial tcp \S+:\d+: connect: connection refused",
        candidates: &[34, 33, 41, 36, 38, 39, 37, 35, 40, 61],
        questions: &[
            Question {
                ask: "Why did the API server end?",
                command: "crictl logs $(crictl ps -aq --name kube-apiserver | head -1) 2>&1 | kubesso doctor explain -   # on a \
                          control-plane node; k3s: journalctl -u k3s",
                answers: &[(
                    "it says what is wrong with the settings",
                    &[34, 33, 41, 36, 38, 39, 37, 35, 40, 61],
                )],
            },
            Question {
                ask: "Was nothing changed?",
                command: "kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}'",
                answers: &[("the address is another one's", &[60])],
            },
        ],
    },
    Ambiguity {
        name: "plugin-failed",
        said: "The plugin ended with an error. It said why on its standard error, which a dashboard does not show.",
        needles: &["failed with exit code"],
        pattern: r"exec: executable \S+ failed with exit code \d+",
        candidates: &[64, 51, 66, 3, 50, 11],
        questions: &[Question {
            ask: "What does the plugin say?",
            command: "kubectl auth whoami 2>&1 | kubesso doctor explain -   # in a terminal",
            answers: &[
                ("invalid_grant", &[64]),
                ("redirect_uri, invalid_client", &[51]),
                ("unsupported_grant_type, invalid_request", &[66]),
                ("x509", &[3, 4]),
                ("address already in use", &[50]),
            ],
        }],
    },
    Ambiguity {
        name: "unknown-authority",
        said: "A certificate is not trusted; the text does not say whose.",
        needles: &["unknown authority"],
        pattern: r"x509: certificate signed by unknown authority",
        candidates: &[59, 3],
        questions: &[Question {
            ask: "Who says it, and of which host?",
            command: "kubectl -v=6 auth whoami 2>&1 | kubesso doctor explain -",
            answers: &[
                ("kubectl, of the cluster's address", &[59]),
                ("the plugin, of the provider", &[3]),
                ("the API server's log, of the provider", &[3]),
            ],
        }],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn every_pattern_is_a_regular_expression_and_every_row_is_one() {
        for it in ALL {
            assert!(Regex::new(it.pattern).is_ok(), "{}", it.name);
            let answered =
                it.questions.iter().flat_map(|question| question.answers).flat_map(|(_, rows)| rows.iter());
            for number in it.candidates.iter().chain(answered) {
                assert!(catalogue::row(CheckId::new(*number)).is_some(), "{}: {number}", it.name);
            }
        }
    }

    #[test]
    fn the_questions_split_the_candidates() {
        for it in ALL {
            let all: Vec<_> = it.questions.iter().flat_map(|question| question.answers).collect();
            assert!(all.iter().any(|(_, rows)| rows.len() < it.candidates.len()), "{}", it.name);
        }
    }
}
