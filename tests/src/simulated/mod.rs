//! Programs on the simulated network, under faults.

pub mod chat;
pub mod exchange;
