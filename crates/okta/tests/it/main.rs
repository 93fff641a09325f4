//! The management API through its router, as Terraform, SDKs and scripts meet it.

#[cfg(test)]
mod access_policies;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod api_tokens;
#[cfg(test)]
mod apps;
#[cfg(test)]
mod authorization_servers;
#[cfg(test)]
mod consents;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod group_rules;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod house;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod order;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod service_applications;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod terraform;
#[cfg(test)]
mod user_lifecycle;
#[cfg(test)]
mod users;
