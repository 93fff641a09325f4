//! The harness of the end-to-end suite: real peers around the real binary.
//!
//! | module | what it starts or does |
//! |---|---|
//! | [`kubesso`] | the binary under test, as a child process, on free ports and a data directory of its own |
//! | [`kubectl`] | the real kubectl, with a home, a kubeconfig and a path of its own |
//! | [`browser`] | the real Chromium, headless, by WebDriver |
//! | [`pages`] | what must hold of every page: names and roles, focus, contrast, size |
//! | [`form`] | signs in through the real pages without a browser: the fast way for tables of cases |
//! | [`apiserver`] | the real kube-apiserver with etcd, trusting our issuer |
//! | [`kubelet`] | a node whose kubelet answers exec, by the server code of container runtimes |
//! | [`static_pod`] | a control-plane node whose manifest is run as kubelet would, with the real kube-apiserver |
//! | [`plugin`] | kubectl with the exec plugin, and somebody who answers when it opens the browser |
//! | [`oidc_login`] | the plugin alone: command lines in; streams, exit codes and files out |
//! | [`oidc_client`] | clients of OpenID Connect that others wrote |
//! | [`oauth2_proxy`] | oauth2-proxy before an application that shows what it was told |
//! | [`administrator`] | somebody who sets access up by the management API |
//! | [`okta_sdk`] | programs that manage kubesso with Okta's own SDKs |
//! | [`installation`] | `kubesso serve` with a configuration, started, killed and started again |
//! | [`soak`] | what is there, once, after kills under load |
//! | [`provider`] | the providers that it is tried against: ours, Keycloak and oidc-provider |
//! | [`visitor`] | a person with a browser at the pages of any provider |
//! | [`token_cache`] | the plugin's cache as it is on disk |
//! | [`application_key`] | the key of an application that has no secret |
//! | [`authority`] | the certificate authority of the servers that tests start |
//! | [`reply`] | calls both clusters and reduces their answers to what must be equal |
//! | [`forge`] | tokens that must be refused |
//! | [`world`] | one running pair, sandbox and real, that tests take turns with |
//!
//! Nothing here sleeps to wait for something: [`deadline::eventually`] asks again until it is so. Everything
//! started here ends with the test process, however that ends.
//!
//! ```
//! use kubesso_e2e::reply::Reply;
//!
//! let table = r#"{"kind":"Table","columnDefinitions":[{"name":"Name"},{"name":"Age"}],
//!                 "rows":[{"cells":["storefront","5m"]}]}"#;
//! let reply = Reply { status: 200, body: table.to_owned() };
//! assert_eq!(reply.essence()["rows"][0], serde_json::json!(["storefront", "<age>"]));
//! ```

pub mod administrator;
pub mod apiserver;
pub mod application_key;
pub mod authority;
pub mod browser;
pub mod deadline;
pub mod environment;
pub mod forge;
pub mod form;
pub mod installation;
pub mod kubectl;
pub mod kubelet;
pub mod kubesso;
pub mod oauth2_proxy;
pub mod oidc_client;
pub mod oidc_login;
pub mod okta_sdk;
pub mod pages;
pub mod plugin;
pub mod process;
pub mod provider;
pub mod reply;
pub mod soak;
pub mod static_pod;
pub mod token_cache;
pub mod visitor;
pub mod world;
