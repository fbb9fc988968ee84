//! `sim`: the command line of the simulator.

use std::process::ExitCode;

fn main() -> ExitCode {
    redis_cluster_sim::cli::main()
}
