//! The provider through its router, as browsers, clients and kube-apiserver meet it.

#[cfg(test)]
mod account;
#[cfg(test)]
mod authorize;
#[cfg(test)]
mod back_channel_logout;
#[cfg(test)]
mod change_password;
#[cfg(test)]
mod choose_password;
#[cfg(test)]
mod claims_parameter;
#[cfg(test)]
mod client_credentials;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod consent;
#[cfg(test)]
mod device;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod dpop;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod expired_password;
#[cfg(test)]
mod guessing;
#[cfg(test)]
mod house;
#[cfg(test)]
mod introspect;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lifetimes;
#[cfg(test)]
mod logout;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod management;
#[cfg(test)]
mod mutual_tls;
mod password;
#[cfg(test)]
mod preview;
#[cfg(test)]
mod private_key_jwt;
#[cfg(test)]
mod pushed_request;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod request_object;
#[cfg(test)]
mod resource;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod token;
#[cfg(test)]
mod userinfo;
