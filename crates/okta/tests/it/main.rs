//! The management API through its router, as Terraform, SDKs and scripts meet it.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod house;
#[cfg(test)]
mod terraform;
