//! Failovers of whole virtual clusters (§8, Appendix A, §15).

mod virtual_cluster;

use redis_cluster_sim::time::{Span, Time};
use redis_cluster_sim::world::NodeNo;
use virtual_cluster::Plan;

#[test]
fn a_dead_master_is_replaced_by_its_replica() {
    let mut cluster = Plan::default().form();
    cluster.run(Span::secs(20));
    cluster.print(Time::ZERO);
    println!("----");
    let killed = cluster.world.now();
    cluster.world.kill(NodeNo(1)).unwrap();
    cluster.run(Span::secs(8));
    cluster.world.start(NodeNo(1)).unwrap();
    cluster.run(Span::secs(8));
    cluster.print(killed);
    assert!(cluster.said(4, killed, "Failover election won").is_some());
}
