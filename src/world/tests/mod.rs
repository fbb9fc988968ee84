//! The engine on its own, with programs that do exactly what a test tells them.

mod clients;
mod determinism;
mod faults;
mod kernel;
mod links;
mod loading;
mod nagle;
mod processes;
mod puppet;
mod replication;
