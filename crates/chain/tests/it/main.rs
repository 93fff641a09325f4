//! Plans and their steps against the real management API, in this process.

#[cfg(test)]
mod clusters;
#[cfg(test)]
mod file;
#[cfg(test)]
mod house;
#[cfg(test)]
mod import;
#[cfg(test)]
mod interruption;
#[cfg(test)]
mod printed;
#[cfg(test)]
mod provider_side;
#[cfg(test)]
mod reference;
