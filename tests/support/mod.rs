//! What the integration tests share. Each of them uses its part of it.
#![allow(dead_code, unreachable_pub)]

pub mod glibc_rand;
pub mod masking;
pub mod real;
pub mod resp_client;
pub mod tcp_host;
pub mod toy_cluster;
pub mod transcript;
pub mod virtual_cluster;
