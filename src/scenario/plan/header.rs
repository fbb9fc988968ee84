//! What stands above the steps: title, seed, times, network, machine.

use crate::network::NetworkConfig;
use crate::node::process::Host;
use crate::rng::Seed;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::file::{DiskTable, NetworkTable, ScenarioFile};
use crate::scenario::located::Located;
use crate::scenario::plan::{Header, Reader};
use crate::scenario::units::{self, SpanRange};
use crate::time::{Span, Wall};
use crate::world::disk::DiskConfig;

/// 2021-05-27T00:00:00Z
const START: Wall = Wall(1_622_073_600_000_000);
const LIMIT: Span = Span::secs(3_600);
/// Longer than anybody's patience, and safely within what dates and the protocol can count.
const LIMIT_MAX: Span = Span::secs(366 * 86_400);
/// What a crash report takes on common machines.
const CRASH_REPORT: Span = Span::millis(166);
const START_UP: Span = Span::millis(3);
const TYPING: Span = Span::millis(200);

pub(super) fn read(file: &ScenarioFile, reader: &mut Reader<'_>) -> Header {
    let host = file.host.as_ref();
    let session = file.session.as_ref();
    let crash_report = host.and_then(|host| host.crash_report.as_ref());
    let start_up = session.and_then(|session| session.start_up.as_ref());
    let typing = session.and_then(|session| session.typing.as_ref());
    Header {
        title: title(file, reader),
        seed: Seed(file.seed.as_ref().map_or(1, |seed| seed.value)),
        start: reader.unit("a date", file.start.as_ref(), START, units::date),
        limit: limit(file, reader),
        network: network(file, reader),
        disks: disks(file, reader),
        host: machine(file),
        crash_report: reader.unit("a duration", crash_report, CRASH_REPORT, units::duration),
        start_up: reader.unit("a duration", start_up, START_UP, units::duration),
        typing: reader.unit("a duration", typing, TYPING, units::duration),
    }
}

fn title(file: &ScenarioFile, reader: &mut Reader<'_>) -> String {
    let Some(title) = &file.title else { return String::new() };
    if title.value.contains(char::is_control) {
        let message = "a title is one line of text";
        reader.complain(Diagnostic::new(message, title.span.clone(), "more than that"));
    }
    title.value.clone()
}

fn limit(file: &ScenarioFile, reader: &mut Reader<'_>) -> Span {
    let limit = reader.unit("a duration", file.limit.as_ref(), LIMIT, units::duration);
    if limit > LIMIT_MAX || limit == Span::ZERO {
        let span = file.limit.as_ref().map_or(0..0, |limit| reader.inside_quotes(&limit.span));
        let label = format!("not between 1us and {}h", LIMIT_MAX.as_micros() / 3_600_000_000);
        reader.complain(Diagnostic::new("`limit` is out of range", span, label));
    }
    limit
}

fn network(file: &ScenarioFile, reader: &mut Reader<'_>) -> NetworkConfig {
    let config = NetworkConfig::default();
    let default = SpanRange { low: config.latency_low, high: config.latency_high };
    let latency = file.network.as_ref().and_then(|network| network.latency.as_ref());
    let what = "a duration or a range such as `200us..1ms`";
    // Where answers come at once, a client that asks again and again would keep time from passing.
    let latency = reader.unit(what, latency, default, units::some_span_range);
    let truth = |of: fn(&NetworkTable) -> &Option<Located<bool>>| {
        file.network.as_ref().and_then(|table| of(table).as_ref()).is_none_or(|it| it.value)
    };
    NetworkConfig {
        latency_low: latency.low,
        latency_high: latency.high,
        orphans: truth(|table| &table.orphans),
        syn_back_off: truth(|table| &table.syn_back_off),
        back_off: truth(|table| &table.back_off),
        nagle: truth(|table| &table.nagle),
        ..config
    }
}

fn disks(file: &ScenarioFile, reader: &mut Reader<'_>) -> DiskConfig {
    let default = DiskConfig::default();
    let Some(table) = &file.disk else { return default };
    let is = |given: &Option<Located<bool>>, default: bool| {
        given.as_ref().map_or(default, |it| it.value)
    };
    let sync_takes = table.sync_takes.as_ref();
    let disks = DiskConfig {
        syncs: is(&table.syncs, default.syncs),
        loses_unsynced: is(&table.loses_unsynced, default.loses_unsynced),
        tears: is(&table.torn_writes, default.tears),
        save_first: is(&table.save_first, default.save_first),
        sync_takes: reader.unit("a duration", sync_takes, default.sync_takes, units::duration),
    };
    if !disks.loses_unsynced {
        nothing_is_lost(table, disks, reader);
    }
    disks
}

/// Where a failure of the power loses nothing, what it would lose means nothing.
fn nothing_is_lost(table: &DiskTable, disks: DiskConfig, reader: &mut Reader<'_>) {
    let contradictions = [
        (&table.syncs, !disks.syncs, "`syncs = false` means nothing"),
        (&table.torn_writes, disks.tears, "`torn-writes` means nothing"),
    ];
    for (key, is_set, message) in contradictions {
        if let (Some(key), true, Some(keeps)) = (key, is_set, &table.loses_unsynced) {
            let label = "it is about what a failure of the power loses";
            let mistake = Diagnostic::new(message, key.span.clone(), label);
            reader.complain(mistake.see(keeps.span.clone(), "nothing is lost"));
        }
    }
}

fn machine(file: &ScenarioFile) -> Host {
    let default = Host::default();
    let Some(host) = &file.host else { return default };
    let value = |located: &Option<Located<u32>>| located.as_ref().map(|located| located.value);
    Host {
        open_files: value(&host.open_files).or(default.open_files),
        somaxconn: value(&host.somaxconn).unwrap_or(default.somaxconn),
        overcommit_warning: host
            .overcommit_warning
            .as_ref()
            .map_or(default.overcommit_warning, |warning| warning.value),
    }
}
