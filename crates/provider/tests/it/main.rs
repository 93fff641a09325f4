//! The provider through its router, as browsers, clients and kube-apiserver meet it.

#[cfg(test)]
mod authorize;
#[cfg(test)]
mod choose_password;
#[cfg(test)]
mod client_credentials;
#[cfg(test)]
mod device;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod expired_password;
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
mod password;
#[cfg(test)]
mod private_key_jwt;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod token;
#[cfg(test)]
mod userinfo;
