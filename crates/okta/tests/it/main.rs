//! The management API through its router, as Terraform, SDKs and scripts meet it.

#[cfg(test)]
mod access_policies;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod apps;
#[cfg(test)]
mod authorization_servers;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod house;
#[cfg(test)]
mod terraform;
