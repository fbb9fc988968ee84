//! A deterministic simulator of Redis Cluster.
//!
//! Many virtual Redis nodes run in one process over a simulated network on virtual time. The same
//! scenario and seed give the same bytes, always.
//!
//! The modules are layers; each may use the ones before it, never the ones after it:
//! [`time`], [`rng`], [`id`], [`slot`], [`resp`] → [`node`] → [`network`] → [`world`] → [`workload`], [`admin`] →
//! [`scenario`] → [`sweep`] → [`report`] → [`cli`].

pub mod admin;
pub mod cli;
pub mod id;
pub mod network;
pub mod node;
pub mod report;
pub mod resp;
pub mod rng;
pub mod scenario;
pub mod slot;
pub mod sweep;
pub mod time;
pub mod workload;
pub mod world;
