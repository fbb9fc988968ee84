//! When each client of a workload is to be looked at.

use std::collections::BTreeSet;

use crate::time::Time;

/// An alarm for each client, or none. What a client waits for moves on with each command; its alarm
/// may stay where it is and is then too early, which costs less than to set it anew each time.
#[derive(Debug)]
pub(crate) struct Alarms {
    queue: BTreeSet<(Time, u32)>,
    /// What stands in the queue for each client.
    set: Vec<Option<Time>>,
    /// What stands first in the queue: that is asked for whenever anything happens.
    first: Option<(Time, u32)>,
}

impl Alarms {
    /// None for any of so many clients.
    pub(crate) fn new(clients: u32) -> Alarms {
        Alarms { queue: BTreeSet::new(), set: vec![None; clients as usize], first: None }
    }

    /// The next alarm, and whose it is.
    #[inline]
    pub(crate) fn first(&self) -> Option<(Time, u32)> {
        self.first
    }

    /// A client is to be looked at then, at the latest.
    #[inline]
    pub(crate) fn bring_forward(&mut self, client: usize, alarm: Option<Time>) {
        match (alarm, self.set[client]) {
            (Some(wanted), Some(stands)) if wanted >= stands => {}
            _ => self.set(client, alarm),
        }
    }

    /// A client is to be looked at then and not before.
    pub(crate) fn set(&mut self, client: usize, alarm: Option<Time>) {
        let old = std::mem::replace(&mut self.set[client], alarm);
        if alarm == old {
            return;
        }
        if let Some(old) = old {
            self.queue.remove(&(old, client as u32));
        }
        self.queue.extend(alarm.map(|new| (new, client as u32)));
        self.first = self.queue.first().copied();
    }

    /// No client is to be looked at any more.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.set.fill(None);
        self.first = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_brought_forward_at_once_and_put_off_only_when_it_is_set() {
        let mut alarms = Alarms::new(2);
        alarms.set(0, Some(Time(30)));
        alarms.set(1, Some(Time(20)));
        assert_eq!(alarms.first(), Some((Time(20), 1)));
        alarms.bring_forward(0, Some(Time(10)));
        assert_eq!(alarms.first(), Some((Time(10), 0)));
        alarms.bring_forward(0, Some(Time(40)));
        assert_eq!(alarms.first(), Some((Time(10), 0)));
        alarms.set(0, Some(Time(40)));
        assert_eq!(alarms.first(), Some((Time(20), 1)));
        alarms.bring_forward(1, None);
        assert_eq!(alarms.first(), Some((Time(40), 0)), "it waits for nothing");
        alarms.clear();
        assert_eq!(alarms.first(), None);
        alarms.bring_forward(1, Some(Time(50)));
        assert_eq!(alarms.first(), Some((Time(50), 1)));
    }
}
