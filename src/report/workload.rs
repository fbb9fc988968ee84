//! What became of a workload's writes, in lines for people.

use crate::network::NodeNo;
use crate::scenario::record::Outcome;
use crate::scenario::units::human;
use crate::time::Span;
use crate::workload::{Cause, Event, Figure, Summary};

/// More events and outages than these are counted, not listed.
const LISTED_MAX: usize = 12;

/// The lines.
pub(super) fn lines(outcome: &Outcome) -> Vec<String> {
    let summary = &outcome.summary;
    let mut lines = vec![begun(summary)];
    lines.extend(refused(summary));
    lines.extend(unanswered(summary));
    lines.push(format!(
        "{} acknowledged: {} kept, {} lost{}",
        summary.acknowledged,
        summary.kept,
        summary.losses.len(),
        some(summary.unknown, "in slots that nobody serves"),
    ));
    lines.push(format!("{} applied without acknowledgement", summary.applied));
    if summary.reads > 0 {
        let Summary { reads, failed_reads, stale_reads, .. } = summary;
        lines.push(format!("{reads} reads: {stale_reads} stale, {failed_reads} failed"));
    }
    if summary.noticed_lost + summary.noticed_applied > 0 {
        lines.push(format!(
            "clients noticed {} lost and {} applied without acknowledgement",
            summary.noticed_lost, summary.noticed_applied
        ));
    }
    if summary.failovers > 0 {
        lines.push(format!("{} failovers meanwhile", summary.failovers));
    }
    lines.extend(losses(outcome));
    lines.extend(outages(summary));
    lines
}

fn some(count: u64, what: &str) -> String {
    if count == 0 { String::new() } else { format!(", {count} {what}") }
}

fn begun(summary: &Summary) -> String {
    format!("{} writes{}", summary.writes, some(summary.redirections, "redirections followed"))
}

fn refused(summary: &Summary) -> Option<String> {
    let total = summary.figure(Figure::Refused);
    let codes: Vec<String> =
        summary.refused.iter().map(|(code, count)| format!("{count} {code}")).collect();
    (total > 0).then(|| format!("{total} refused: {}", codes.join(", ")))
}

fn unanswered(summary: &Summary) -> Option<String> {
    let Summary { unanswered, unreachable, given_up, too_few_replicas, .. } = *summary;
    let sum = unanswered + unreachable + given_up + too_few_replicas;
    (sum > 0).then(|| {
        format!(
            "{unanswered} times no answer{}{}{}",
            some(unreachable, "times nobody reached"),
            some(given_up, "given up"),
            some(too_few_replicas, "on too few replicas"),
        )
    })
}

/// Which event lost how many, those that lost most first.
fn losses(outcome: &Outcome) -> Vec<String> {
    let mut events: Vec<&Event> =
        outcome.summary.events.iter().filter(|event| event.lost > 0).collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.lost));
    let mut lines: Vec<String> =
        events.iter().take(LISTED_MAX).map(|event| lost_by(event, &outcome.nodes)).collect();
    let rest = events.get(LISTED_MAX..).unwrap_or_default();
    if !rest.is_empty() {
        let lost: u64 = rest.iter().map(|event| event.lost).sum();
        lines.push(format!("{lost} lost by {} other events", rest.len()));
    }
    lines
}

fn lost_by(event: &Event, nodes: &[String]) -> String {
    let name = |node: NodeNo| nodes.get(node.index()).map_or("?", String::as_str);
    let how = match event.cause {
        Cause::Failover { heir, master: Some(master), epoch } => format!(
            "the failover of {} to {} at epoch {epoch}: not replicated yet",
            name(master),
            name(heir)
        ),
        Cause::Failover { heir, master: None, epoch } => {
            format!("the failover to {} at epoch {epoch}", name(heir))
        }
        Cause::Merge { master, heir, epoch, over } => format!(
            "{}, replaced by {} at epoch {epoch}: {}",
            name(master),
            name(heir),
            if over { "it dropped its data" } else { "it does not know yet" }
        ),
        Cause::Restart(node) => format!("the restart of {}", name(node)),
        Cause::Flush(node) => format!("a flush of {}", name(node)),
        Cause::Unseen(node) => format!("{}, and nothing was seen that explains it", name(node)),
    };
    format!("{} lost by {how} (+{})", event.lost, human(Span(event.at.0)))
}

fn outages(summary: &Summary) -> Vec<String> {
    let outages = &summary.outages;
    if outages.is_empty() {
        return Vec::new();
    }
    let longest = human(summary.longest_outage());
    let seconds = summary.slot_seconds();
    let mut lines = vec![format!(
        "{} outages, the longest {longest}: {seconds} slot-seconds without a write",
        outages.len()
    )];
    for outage in outages.iter().take(LISTED_MAX).filter(|_| outages.len() <= LISTED_MAX) {
        let lasted = human(outage.to.since(outage.from));
        let begin = human(Span(outage.from.0));
        let end = if outage.recovered { "" } else { ", not over" };
        lines.push(format!("slots {}-{}: {lasted} from +{begin}{end}", outage.first, outage.last));
    }
    lines
}
