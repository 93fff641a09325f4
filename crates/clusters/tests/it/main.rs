//! What every target is told, as people read it; and what must hold of all of them.

#[cfg(test)]
mod every_target;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod house;
#[cfg(test)]
mod parsers;
#[cfg(test)]
mod same_verdict_as_upstream;
