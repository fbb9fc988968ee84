//! A run in numbers.

use std::fmt;
use std::time::Duration;

use crate::scenario::record::Summary;

/// A table of a run's numbers, for people.
#[derive(Debug)]
pub struct StatsTable<'a> {
    /// How the run went.
    pub summary: &'a Summary,
    /// How long it took on the machine that it ran on.
    pub wall_time: Duration,
}

/// A fingerprint as it is written everywhere: 16 hexadecimal digits.
#[must_use]
pub fn fingerprint(value: u64) -> String {
    format!("{value:016x}")
}

impl fmt::Display for StatsTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = &self.summary.stats;
        let virtual_us = u128::from(stats.time.0);
        let wall_us = self.wall_time.as_micros().max(1);
        let mut row = |name: &str, value: String| writeln!(f, "{name:<16}{value:>18}");
        row("events", grouped(stats.events.into()))?;
        row("ticks", grouped(stats.ticks.into()))?;
        row("packets sent", grouped(stats.packets().into()))?;
        row("packets lost", grouped(stats.lost.into()))?;
        row("bytes on the wire", grouped(stats.bytes.into()))?;
        row("gossip entries", grouped(stats.gossip_entries.into()))?;
        row("connections", grouped(stats.dialled.into()))?;
        row("client commands", grouped(stats.commands.into()))?;
        row("virtual time", seconds(virtual_us))?;
        row("wall time", seconds(wall_us))?;
        row("events/s", grouped(u128::from(stats.events) * 1_000_000 / wall_us))?;
        row("packets/s", grouped(u128::from(stats.packets()) * 1_000_000 / wall_us))?;
        row("speed-up", format!("{} x", grouped(virtual_us / wall_us)))?;
        row("fingerprint", fingerprint(self.summary.fingerprint))
    }
}

/// A number with its thousands set apart.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, rest) = digits.split_at(first);
    let groups = rest.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let parts: Vec<String> =
        (!head.is_empty()).then(|| head.to_owned()).into_iter().chain(groups).collect();
    parts.join(",")
}

fn seconds(us: u128) -> String {
    format!("{}.{:03} s", grouped(us / 1_000_000), us / 1_000 % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(seconds(3_600_001_999), "3,600.001 s");
    }
}
