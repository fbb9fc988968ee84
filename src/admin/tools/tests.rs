//! Tools on a world of servers that answer as they are told.

use std::net::Ipv4Addr;

use super::*;
use crate::network::NodeNo;
use crate::node::config::Config;
use crate::node::effect::{Ctx, Effect, Input};
use crate::node::keyspace::Keyspace;
use crate::node::process::{Boot, Death};
use crate::resp::Reply;
use crate::time::Span;
use crate::world::{NodeSetup, Setup};

/// Replies with what it is sent; `moved …` redirects, `hang-up` hangs up, `silence` is not
/// answered.
struct Parrot;

impl Program for Parrot {
    fn start(_: Boot, ctx: &mut Ctx<'_>) -> Parrot {
        ctx.out.effects.push(Effect::Listen);
        Parrot
    }

    fn handle(&mut self, input: Input<'_>, ctx: &mut Ctx<'_>) {
        let Input::Command(client, words) = input else { return };
        let text = String::from_utf8(words.join(&b' ')).unwrap();
        match text.split(' ').next() {
            Some("moved") => {
                let error = text.replacen("moved", "MOVED", 1);
                ctx.out.effects.push(Effect::Reply(client, Reply::Error(error)));
            }
            Some("hang-up") => ctx.out.effects.push(Effect::CloseClient(client)),
            Some("silence") => {}
            _ => ctx.out.effects.push(Effect::Reply(client, Reply::bulk(text))),
        }
    }

    fn tick_period(&self) -> Span {
        Span::millis(100)
    }

    fn surviving_keys(self, _: Death) -> Option<Keyspace> {
        None
    }
}

struct Stage {
    world: World<Parrot>,
    tools: Tools,
}

const TERMINAL: Shell = Shell {
    stdin_is_terminal: true,
    stdout_is_terminal: true,
    colours: false,
    password: None,
    cluster_yes: false,
};

impl Stage {
    /// Servers on ports 7000 and 7001.
    fn new() -> Stage {
        let node =
            |port| NodeSetup::new(Ipv4Addr::LOCALHOST.into(), Config { port, ..Config::default() });
        let mut world = World::new(Setup::new(Seed(1), vec![node(7000), node(7001)]));
        world.start(NodeNo(0)).unwrap();
        world.start(NodeNo(1)).unwrap();
        world.run_until(Time::ZERO + Span::secs(1)).unwrap();
        Stage { world, tools: Tools::new(Seed(1)) }
    }

    fn start(&mut self, words: &str, typed: &[&str], dies_after: Option<u32>) -> ToolNo {
        let words = words.split(' ').map(str::to_owned).collect();
        let typed = typed.iter().map(|&line| line.to_owned()).collect();
        let shell = TERMINAL;
        let dies_after = dies_after.and_then(NonZeroU32::new);
        self.tools.start(&mut self.world, Invocation { words, shell, typed, dies_after })
    }

    /// Lets a tool run for at most a minute.
    fn run(&mut self, tool: ToolNo) -> Status {
        let limit = self.world.now() + Span::secs(60);
        self.tools.run_tool(&mut self.world, tool, limit).unwrap()
    }

    fn text(&self, tool: ToolNo) -> String {
        self.tools.printed(tool, |printed| {
            printed.iter().map(|piece| String::from_utf8_lossy(&piece.text)).collect()
        })
    }
}

#[test]
fn a_command_is_answered_and_the_tool_ends_18_1() {
    let mut stage = Stage::new();
    let tool = stage.start("-p 7000 hello you", &[], None);
    assert_eq!(stage.tools.status(tool), Status::Running);
    assert_eq!(stage.run(tool), Status::Ended(ExitCode(0)));
    assert_eq!(stage.text(tool), "\"hello you\"\n");
}

#[test]
fn nobody_listens_where_no_server_is_18_5() {
    let mut stage = Stage::new();
    let tool = stage.start("-p 7002 hello", &[], None);
    assert_eq!(stage.run(tool), Status::Ended(ExitCode(1)));
    let complaint = "Could not connect to Redis at 127.0.0.1:7002: Connection refused\n";
    assert_eq!(stage.text(tool), complaint);
}

#[test]
fn an_unknown_host_name_is_not_found_3_1() {
    let mut stage = Stage::new();
    let tool = stage.start("-h nosuch -p 7000 hello", &[], None);
    assert_eq!(stage.run(tool), Status::Ended(ExitCode(1)));
    assert!(stage.text(tool).ends_with("nosuch:7000: Name or service not known\n"));
}

#[test]
fn a_dialogue_shows_what_is_typed_and_waits_for_more_18_4() {
    let mut stage = Stage::new();
    let tool = stage.start("-c -p 7000", &["moved 1 127.0.0.1:7001"], None);
    let question = "127.0.0.1:7000> ".to_owned();
    // The server at the new place redirects to itself for ever, which takes time but no typing.
    assert_eq!(stage.run(tool), Status::Running);
    stage.tools.interrupt(&mut stage.world, tool);
    assert_eq!(stage.tools.status(tool), Status::Interrupted);

    let tool = stage.start("-p 7000", &["hello"], None);
    assert_eq!(stage.run(tool), Status::Asks { question: question.clone() });
    stage.tools.type_line(&mut stage.world, tool, "hang-up");
    assert_eq!(stage.run(tool), Status::Asks { question });
    stage.tools.end_input(&mut stage.world, tool);
    assert_eq!(stage.run(tool), Status::Ended(ExitCode(0)));
    // A command that is never answered is sent once more, and then the client gives up.
    assert_eq!(
        stage.text(tool),
        "127.0.0.1:7000> hello\n\"hello\"\n127.0.0.1:7000> hang-up\n\
         Error: Server closed the connection\n127.0.0.1:7000> "
    );
}

#[test]
fn slow_commands_have_their_time_printed_18_4() {
    let mut stage = Stage::new();
    let tool = stage.start("-p 7000", &["silence"], None);
    let later = stage.world.now() + Span::millis(1_234);
    stage.tools.run_until(&mut stage.world, later).unwrap();
    assert_eq!(stage.tools.status(tool), Status::Running);
    stage.world.kill(NodeNo(0)).unwrap();
    let question = "not connected> ".to_owned();
    assert_eq!(stage.run(tool), Status::Asks { question });
    let text = stage.text(tool);
    assert!(text.ends_with("Connection refused\n(1.23s)\nnot connected> "), "{text}");
}

#[test]
fn a_killed_tool_reads_no_reply_to_its_last_request_but_the_server_gets_it() {
    let mut stage = Stage::new();
    let tool = stage.start("-r 5 -p 7000 hello", &[], Some(3));
    assert_eq!(stage.run(tool), Status::Interrupted);
    assert_eq!(stage.text(tool), "\"hello\"\n".repeat(2));
    assert_eq!(stage.tools.requests(tool), 3);
    let last = stage.tools.last_sent(tool).unwrap().to_string();
    assert_eq!(last, "127.0.0.1:7000 <- hello");
    // It is dead at the moment of sending; the request is still under way.
    assert_eq!(stage.world.stats().commands, 2);
    stage.world.run_until(stage.world.now() + Span::secs(1)).unwrap();
    assert_eq!(stage.world.stats().commands, 3);
}

#[test]
fn a_tool_that_sends_too_few_requests_to_be_killed_ends_by_itself() {
    let mut stage = Stage::new();
    let tool = stage.start("-r 2 -p 7000 hello", &[], Some(3));
    assert_eq!(stage.run(tool), Status::Ended(ExitCode(0)));
    assert_eq!(stage.tools.requests(tool), 2);
}

#[test]
fn tools_work_side_by_side() {
    let mut stage = Stage::new();
    let slow = stage.start("-r 3 -i 1 -p 7000 slow", &[], None);
    let fast = stage.start("-r 2 -i 0.25 -p 7001 fast", &[], None);
    assert_eq!(stage.run(fast), Status::Ended(ExitCode(0)));
    assert_eq!(stage.tools.status(slow), Status::Running);
    let times = |tool| {
        stage.tools.printed(tool, |printed| {
            printed
                .iter()
                .map(|piece| piece.at.since(Time::ZERO).as_millis() / 100)
                .collect::<Vec<_>>()
        })
    };
    assert_eq!((times(fast), times(slow)), (vec![10, 12], vec![10]));
    assert_eq!(stage.run(slow), Status::Ended(ExitCode(0)));
}

#[test]
fn answers_arrive_when_their_questions_are_asked_2_9() {
    let mut stage = Stage::new();
    let tool = stage.start("--askpass -p 7000 hello", &[], None);
    let question = "Please input password: ".to_owned();
    assert_eq!(stage.tools.status(tool), Status::Asks { question });
    stage.tools.type_line(&mut stage.world, tool, "secret");
    assert_eq!(stage.run(tool), Status::Ended(ExitCode(0)));
    assert_eq!(stage.text(tool), "Please input password: ******\n\"hello\"\n");
}

#[test]
fn what_is_not_simulated_is_said_so() {
    let mut stage = Stage::new();
    let tool = stage.start("-p 7000 --latency", &[], None);
    let stuck = Stuck::Unsupported("--latency".to_owned());
    assert_eq!(stage.tools.status(tool), Status::Stuck(stuck));
}

#[test]
fn addresses_have_ports_of_sixteen_bits_3_1() {
    let mut stage = Stage::new();
    let tool = stage.start("-p 70000 hello", &[], None);
    assert_eq!(stage.run(tool), Status::Ended(ExitCode(1)));
    assert!(
        stage.text(tool).ends_with("127.0.0.1:70000: Servname not supported for ai_socktype\n")
    );
}

#[test]
fn mistakes_and_lost_servers_go_to_stderr_and_findings_to_stdout_2_7() {
    let mut stage = Stage::new();
    for (words, on_stderr, on_stdout) in [
        ("--cluster check 127.0.0.1:7009", "Could not connect to Redis at 127.0.0.1:7009", ""),
        ("--cluster nonsense 127.0.0.1:7000", "Unknown --cluster subcommand", ""),
        ("--cluster set-timeout 127.0.0.1:7000 99", "Setting a node timeout of less than", ""),
        ("--cluster check 127.0.0.1:7000", "", "[ERR] Node 127.0.0.1:7000 is not configured"),
    ] {
        let tool = stage.start(words, &[], None);
        assert_eq!(stage.run(tool), Status::Ended(ExitCode(1)), "{words}");
        let printed = |source: Source| {
            stage.tools.printed(tool, |printed| {
                let own = printed.iter().filter(|piece| piece.source == source);
                own.map(|piece| String::from_utf8_lossy(&piece.text)).collect::<String>()
            })
        };
        for (source, expected) in [(Source::Stderr, on_stderr), (Source::Stdout, on_stdout)] {
            let text = printed(source);
            assert!(text.starts_with(expected), "{words}: {text}");
            assert_eq!(text.is_empty(), expected.is_empty(), "{words}: {text}");
        }
    }
}
