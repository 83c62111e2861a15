//! A whole network in one thread, from a seed.
//!
//! FRONT
mod diagram;
mod end;
mod fault;
mod host;
mod kernel;
mod links;
mod machine;
mod node;
mod pcap;
mod random;
mod raw;
mod run;
mod seeds;
mod simulation;
mod slab;
mod socket;
mod swarm;
mod tcp;
mod trace;
mod weather;

pub use self::fault::{Fault, ToHosts};
pub use self::host::Host;
pub(crate) use self::raw::Raw;
pub use self::links::{Cuts, Links};
pub use self::seeds::{Replay, Seeds, Tried};
pub use self::simulation::Sim;
pub use self::swarm::{FaultKind, Faults};
pub use self::trace::Trace;
