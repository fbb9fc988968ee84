//! Starting up, stage by stage, with the lines that the server logs on its way (§13.3).
//!
//! The process does its work at the beginning of a stage and then takes some time until the next, as
//! long as a real one takes: a few milliseconds in all, most of it for the first nodes.conf to reach
//! the disk.

use crate::id::NodeId;
use crate::node::Node;
use crate::node::bus::Bus;
use crate::node::config::Mode;
use crate::node::effect::{Ctx, Effect, Exit, Notice};
use crate::node::log::{Level, Role};
use crate::node::nodes_conf::{NodesConf, NodesConfError};
use crate::node::process::{Boot, Process, Stage};
use crate::node::replication::Replication;
use crate::node::server::Server;
use crate::rng::Purpose;
use crate::time::Span;

/// The greatest port for clients that leaves room for the bus port (§1.2.3).
const MAX_PORT: u16 = 55_535;
/// The backlog that the server asks for (§13.3).
const TCP_BACKLOG: u32 = 511;
/// How many files a server wants open beside those of its clients (§13.3).
const RESERVED_OPEN_FILES: u32 = 32;

const OVERCOMMIT_WARNING: &str = "WARNING overcommit_memory is set to 0! Background save may fail \
    under low memory condition. To fix this issue add 'vm.overcommit_memory = 1' to \
    /etc/sysctl.conf and then reboot or run the command 'sysctl vm.overcommit_memory=1' for this \
    to take effect.";

/// How long the stages take: what recordings of real servers show.
mod pace {
    use crate::time::Span;

    pub(super) const READING_CONFIG: (Span, Span) = (Span::micros(50), Span::micros(700));
    pub(super) const SETTING_UP: (Span, Span) = (Span::micros(1_000), Span::micros(2_000));
    pub(super) const READING_NODES_CONF: (Span, Span) = (Span::micros(100), Span::micros(2_000));
    pub(super) const OPENING_PORTS: (Span, Span) = (Span::micros(50), Span::micros(500));
    pub(super) const FIRST_SAVE: (Span, Span) = (Span::micros(500), Span::micros(6_000));
    pub(super) const LOADING_KEYS: (Span, Span) = (Span::micros(100), Span::micros(900));
}

/// Why a process cannot start.
enum Fatal {
    NodesConf(NodesConfError),
    Port,
}

impl Node {
    /// Executes the program: the first log lines are written and the first
    /// [`BootStep`](crate::node::effect::Input::BootStep) is asked for. The node answers nobody
    /// before it says [`Listen`](Effect::Listen).
    #[must_use]
    pub fn start(mut boot: Boot, ctx: &mut Ctx<'_>) -> Node {
        let stream = |purpose| boot.seed.stream(purpose, boot.subject, boot.incarnation);
        let order_seed = stream(Purpose::TableOrder).bits();
        let bus = Bus::new(
            order_seed,
            stream(Purpose::Gossip),
            stream(Purpose::Identity),
            stream(Purpose::Election),
        );
        let replication = Replication::new(stream(Purpose::Replication));
        let server = Server::new(&boot);
        let process = Process::new(&mut boot, ctx.now.millis());
        let mut node = Node {
            process,
            config: boot.config,
            bus,
            keys: Default::default(),
            clients: Default::default(),
            replication,
            server,
            loading: None,
        };
        let pid = node.process.pid;
        node.log_as_child(ctx, "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo".to_owned());
        node.log_as_child(
            ctx,
            format!(
                "Redis version=6.2.3, bits=64, commit=00000000, modified=0, pid={pid}, just started"
            ),
        );
        node.enter(ctx, Stage::ReadingConfig, pace::READING_CONFIG);
        node
    }

    /// Goes on with starting up.
    pub(crate) fn boot_step(&mut self, ctx: &mut Ctx<'_>) {
        match self.process.stage {
            Stage::ReadingConfig => {
                self.log_as_child(ctx, "Configuration loaded".to_owned());
                self.enter(ctx, Stage::SettingUp, pace::SETTING_UP);
            }
            Stage::SettingUp => {
                self.set_up(ctx);
                match self.config.mode {
                    Mode::Cluster => {
                        self.enter(ctx, Stage::ReadingNodesConf, pace::READING_NODES_CONF);
                    }
                    Mode::Standalone => self.enter(ctx, Stage::OpeningPorts, pace::OPENING_PORTS),
                }
            }
            Stage::ReadingNodesConf => match self.read_nodes_conf(ctx) {
                Ok(pace) => self.enter(ctx, Stage::OpeningPorts, pace),
                Err(fatal) => self.give_up(ctx, &fatal),
            },
            Stage::OpeningPorts => {
                self.open_ports(ctx);
                self.enter(ctx, Stage::LoadingKeys, pace::LOADING_KEYS);
            }
            Stage::LoadingKeys => {
                self.load_dataset(ctx);
            }
            Stage::Running | Stage::Ended => {}
        }
    }

    /// All keys are there: clients are served.
    pub(crate) fn serve(&mut self, ctx: &mut Ctx<'_>) {
        if self.in_cluster_mode() {
            self.verify_keys(ctx);
        }
        self.log(ctx, Level::Notice, format_args!("Ready to accept connections"));
        self.process.stage = Stage::Running;
        if !self.process.listens {
            ctx.out.effects.push(Effect::Listen);
        }
        ctx.out.notice(Notice::Serving);
    }

    fn enter(&mut self, ctx: &mut Ctx<'_>, stage: Stage, (low, high): (Span, Span)) {
        self.process.stage = stage;
        let pause = self.process.loop_draws.span(low, high);
        ctx.out.effects.push(Effect::BootStepIn(pause));
    }

    /// The first lines are written before the process knows its own id (§13.1).
    fn log_as_child(&self, ctx: &mut Ctx<'_>, text: String) {
        if self.logs(ctx, Level::Warning) {
            let (level, role) = (Level::Warning, Role::Child);
            ctx.out.effects.push(Effect::Log { level, role, text });
        }
    }

    fn set_up(&mut self, ctx: &mut Ctx<'_>) {
        self.raise_open_files(ctx);
        self.log(ctx, Level::Notice, format_args!("monotonic clock: POSIX clock_gettime"));
    }

    /// Raises the limit of open files if it is too low for `maxclients` (§13.3).
    pub(crate) fn raise_open_files(&mut self, ctx: &mut Ctx<'_>) {
        let wanted = self.config.maxclients.saturating_add(RESERVED_OPEN_FILES);
        let Some(limit) = self.process.host.open_files.filter(|&limit| limit < wanted) else {
            return;
        };
        let text = format_args!(
            "Increased maximum number of open files to {wanted} (it was originally set to {limit})."
        );
        self.log(ctx, Level::Notice, text);
        self.process.host.open_files = Some(wanted);
    }

    /// Finds out who I am (§12.3). Returns how long it takes.
    fn read_nodes_conf(&mut self, ctx: &mut Ctx<'_>) -> Result<(Span, Span), Fatal> {
        let now = ctx.now.millis();
        let text = self.process.disk.nodes_conf.take().filter(|text| !text.is_empty());
        let formed = self.process.disk.formed.take();
        let pace = match (text, formed) {
            (Some(text), _) => {
                let conf = NodesConf::parse(&text).map_err(Fatal::NodesConf)?;
                self.bus.load(ctx.ids, &conf, now).map_err(Fatal::NodesConf)?;
                self.report_loaded(ctx, &conf.unknown_vars);
                pace::OPENING_PORTS
            }
            (None, Some(cluster)) => {
                let me = self.process.given_id;
                self.bus.join_formed(ctx.ids, &cluster, me, now).map_err(Fatal::NodesConf)?;
                self.report_loaded(ctx, &[]);
                pace::OPENING_PORTS
            }
            (None, None) => {
                self.begin_alone(ctx);
                pace::FIRST_SAVE
            }
        };
        if self.config.port > MAX_PORT {
            return Err(Fatal::Port);
        }
        self.bus.announce_all(ctx);
        self.take_configured_ports(ctx);
        Ok(pace)
    }

    fn report_loaded(&self, ctx: &mut Ctx<'_>, unknown_vars: &[String]) {
        for name in unknown_vars {
            let text = format_args!("Skipping unknown cluster config variable '{name}'");
            self.log(ctx, Level::Warning, text);
        }
        let id = self.bus.id_of(ctx.ids, self.bus.myself);
        self.log(ctx, Level::Notice, format_args!("Node configuration loaded, I'm {id}"));
    }

    /// There is no nodes.conf: I am new. The file is written before the ports are known (§12.1).
    fn begin_alone(&mut self, ctx: &mut Ctx<'_>) {
        let given = self.process.given_id;
        let id = given.unwrap_or_else(|| NodeId::random(&mut self.bus.identity_draws));
        self.bus.begin_alone(ctx.ids, id, ctx.now.millis());
        self.log(ctx, Level::Notice, format_args!("No cluster configuration found, I'm {id}"));
        self.save_config(ctx, true);
    }

    fn give_up(&mut self, ctx: &mut Ctx<'_>, fatal: &Fatal) {
        self.process.stage = Stage::Ended;
        let exit = match fatal {
            Fatal::Port => {
                let text = format_args!(
                    "Redis port number too high. Cluster communication port is 10,000 port numbers \
                     higher than your Redis port. Your Redis port number must be 55535 or less."
                );
                self.log(ctx, Level::Warning, text);
                Exit::Fatal
            }
            Fatal::NodesConf(error @ NodesConfError::Corrupted) => {
                self.log(ctx, Level::Warning, format_args!("{error}"));
                Exit::Fatal
            }
            Fatal::NodesConf(error @ NodesConfError::UnknownFlag) => {
                self.panic_lines(ctx, *error);
                Exit::Crash
            }
        };
        ctx.out.effects.push(Effect::Exit(exit));
    }

    /// What the server says when it panics.
    fn panic_lines(&self, ctx: &mut Ctx<'_>, error: NodesConfError) {
        let line = "------------------------------------------------";
        self.log(ctx, Level::Warning, format_args!("{line}"));
        let text = format_args!("!!! Software Failure. Press left mouse button to continue");
        self.log(ctx, Level::Warning, text);
        self.log(ctx, Level::Warning, format_args!("Guru Meditation: {error} #cluster.c:223"));
        self.log(ctx, Level::Warning, format_args!("{line}"));
    }

    fn open_ports(&mut self, ctx: &mut Ctx<'_>) {
        let (mode, port) = (self.config.mode.word(), self.config.port);
        self.log(ctx, Level::Notice, format_args!("Running mode={mode}, port={port}."));
        let somaxconn = self.process.host.somaxconn;
        if somaxconn < TCP_BACKLOG {
            let text = format_args!(
                "WARNING: The TCP backlog setting of {TCP_BACKLOG} cannot be enforced because \
                 /proc/sys/net/core/somaxconn is set to the lower value of {somaxconn}."
            );
            self.log(ctx, Level::Warning, text);
        }
        self.log(ctx, Level::Warning, format_args!("Server initialized"));
        if self.process.host.overcommit_warning {
            self.log(ctx, Level::Warning, format_args!("{OVERCOMMIT_WARNING}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::node::config::{Config, Mode};
    use crate::node::effect::{Exit, Notice};
    use crate::node::flags::Flags;
    use crate::node::lab::{Lab, id};
    use crate::node::log::{Level, Role};
    use crate::node::packet::MessageType;
    use crate::node::process::{Disk, Stage};

    fn texts(lab: &Lab) -> Vec<String> {
        let notable = lab.lines.iter().filter(|line| line.level >= Level::Notice);
        notable.map(|line| line.text.clone()).collect()
    }

    fn with_nodes_conf(text: &str) -> Lab {
        let text: Arc<str> = text.into();
        let disk = |_| Disk { nodes_conf: Some(Arc::clone(&text)), ..Disk::default() };
        Lab::start(1, disk, Config::default())
    }

    #[test]
    fn a_new_node_logs_what_the_server_logs_13_3() {
        let lab = Lab::alone(1);
        let mine = format!("No cluster configuration found, I'm {}", id(0));
        assert_eq!(
            texts(&lab),
            [
                "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo",
                "Redis version=6.2.3, bits=64, commit=00000000, modified=0, pid=1000, just started",
                "Configuration loaded",
                "monotonic clock: POSIX clock_gettime",
                mine.as_str(),
                "Running mode=cluster, port=7000.",
                "Server initialized",
                super::OVERCOMMIT_WARNING,
                "Ready to accept connections",
            ]
        );
        let roles: Vec<Role> = lab.lines.iter().map(|line| line.role).collect();
        assert!(roles[..3].iter().all(|role| *role == Role::Child));
        assert!(roles[3..].iter().all(|role| *role == Role::Master));
    }

    #[test]
    fn a_plain_server_has_no_nodes_conf_and_says_what_it_is_13_3() {
        let config = Config { mode: Mode::Standalone, ..Config::default() };
        let mut lab = Lab::start(1, |_| Disk::default(), config);
        assert_eq!(
            texts(&lab)[2..],
            [
                "Configuration loaded",
                "monotonic clock: POSIX clock_gettime",
                "Running mode=standalone, port=7000.",
                "Server initialized",
                super::OVERCOMMIT_WARNING,
                "Ready to accept connections",
            ]
        );
        lab.run(5_000);
        assert!(lab.saves.is_empty() && lab.node(0).cluster().is_none());
        assert_eq!(lab.notices, [(0, Notice::Serving)], "it has no name and no state");
    }

    #[test]
    fn a_plain_server_may_have_a_port_without_room_for_a_bus_port_1_2_3() {
        let config = Config { mode: Mode::Standalone, ..Config::default() };
        let mut lab = Lab::start(1, |_| Disk::default(), config.clone());
        lab.kill(0);
        lab.reconfigure(0, Config { port: 60_000, ..config });
        lab.boot(0);
        assert!(lab.exits.is_empty() && lab.logged(0, "Running mode=standalone, port=60000."));
    }

    #[test]
    fn a_small_machine_is_complained_about_13_3() {
        let mut lab = Lab::alone(1);
        lab.lines.clear();
        lab.act(0, |node, ctx| {
            node.process.host.open_files = Some(1_024);
            node.process.host.somaxconn = 128;
            node.set_up(ctx);
            node.open_ports(ctx);
        });
        assert!(lab.logged(
            0,
            "Increased maximum number of open files to 10032 (it was originally set to 1024)."
        ));
        assert!(lab.logged(
            0,
            "WARNING: The TCP backlog setting of 511 cannot be enforced because \
             /proc/sys/net/core/somaxconn is set to the lower value of 128."
        ));
    }

    #[test]
    fn the_first_nodes_conf_has_no_ports_yet_12_1() {
        let lab = Lab::alone(1);
        let expected = format!(
            "{} :0@0 myself,master - 0 0 0 connected\nvars currentEpoch 0 lastVoteEpoch 0\n",
            id(0)
        );
        assert_eq!(lab.saved[0], Some(expected));
        assert_eq!(lab.saves, [(0, true)]);
    }

    #[test]
    fn the_ports_are_those_of_the_running_configuration_12_3_11() {
        let mut lab = with_nodes_conf(&format!(
            "{} 10.9.9.9:1234@5678 myself,master - 0 0 0 connected\n",
            id(0)
        ));
        let me = lab.peer(0, 0);
        let line = lab.nodes[0].as_ref().unwrap().bus.node_line(&lab.ids, me);
        assert!(line.contains(" 10.9.9.9:7000@17000 "), "{line}");
        assert!(lab.logged(0, &format!("Node configuration loaded, I'm {}", id(0))));
        assert!(lab.saves.is_empty());
    }

    #[test]
    fn a_corrupted_nodes_conf_is_fatal_12_3_9() {
        for text in ["nonsense\n", "vars currentEpoch 0 lastVoteEpoch 0\n", "vars currentEpoch\n"] {
            let mut lab = with_nodes_conf(text);
            assert!(lab.logged(0, "Unrecoverable error: corrupted cluster config file."), "{text}");
            assert_eq!(lab.exits, [(0, Exit::Fatal)]);
            assert_eq!(lab.node(0).process.stage, Stage::Ended);
        }
    }

    #[test]
    fn an_unknown_flag_makes_the_server_panic_12_3_4() {
        let text = format!("{} :0@0 myself,mistress - 0 0 0 connected\n", id(0));
        let lab = with_nodes_conf(&text);
        assert_eq!(lab.exits, [(0, Exit::Crash)]);
        assert!(lab.logged(
            0,
            "Guru Meditation: Unknown flag in redis cluster config file #cluster.c:223"
        ));
    }

    #[test]
    fn an_unknown_variable_is_skipped_12_3_2() {
        let text = format!("{} :0@0 myself,master - 0 0 0 connected\nvars color 7\n", id(0));
        let lab = with_nodes_conf(&text);
        assert!(lab.logged(0, "Skipping unknown cluster config variable 'color'"));
        assert!(lab.exits.is_empty());
    }

    #[test]
    fn an_empty_nodes_conf_is_like_none_12_3_1() {
        let lab = with_nodes_conf("");
        assert!(lab.logged(0, &format!("No cluster configuration found, I'm {}", id(0))));
    }

    #[test]
    fn a_port_without_room_for_the_bus_port_is_fatal_1_2_3() {
        let mut lab = Lab::alone(1);
        let mut config = lab.node(0).config.clone();
        config.port = 55_536;
        lab.kill(0);
        lab.reconfigure(0, config);
        lab.boot(0);
        assert_eq!(lab.exits, [(0, Exit::Fatal)]);
    }

    #[test]
    fn a_restart_forgets_what_is_not_in_nodes_conf_b_5() {
        let mut lab = Lab::formed(4, 1, 15_000);
        lab.run(3_000);
        lab.ask(0, &format!("CLUSTER FORGET {}", id(3)));
        let (peer, replica) = (lab.peer(0, 1), lab.peer(0, 4));
        let node = lab.node(0);
        assert!(node.bus.sent[0] > 0 && node.bus.blacklist.len() == 1);
        node.bus.table.peer_mut(replica).repl_offset = 77;
        node.bus.table.history_mut(peer).voted_time = crate::time::Millis(1);
        let mut accusation = lab.message(2, MessageType::Ping);
        accusation.gossip.push(lab.gossip(1, Flags::MASTER | Flags::PFAIL));
        lab.hear(0, 2, &accusation);
        assert_eq!(lab.node(0).bus.table.fail_reports(peer).len(), 1);
        lab.act(0, |node, ctx| {
            node.bus.start_handshake(ctx, crate::node::lab::endpoint(9));
            node.save_config(ctx, true);
        });
        let before = lab.node(0).bus.table.order().len();
        lab.kill(0);
        lab.boot(0);
        let (peer, replica) = (lab.peer(0, 1), lab.peer(0, 4));
        let bus = &lab.node(0).bus;
        assert_eq!((bus.sent, bus.received), ([0; 10], [0; 10]));
        assert!(bus.blacklist.is_empty());
        assert_eq!(bus.table.order().len(), before - 1, "without the handshake");
        assert!(bus.table.fail_reports(peer).is_empty());
        assert!(bus.table.history(peer).voted_time.is_never());
        assert_eq!(bus.table.peer(replica).repl_offset, 0);
    }
}
