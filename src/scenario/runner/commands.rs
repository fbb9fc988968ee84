//! What is typed at the terminal: redis-server, cat, and redis-cli, which has a file of its own.

use crate::network::NodeNo;
use crate::scenario::record::{Channel, Job, What};
use crate::scenario::runner::{Outcome, Runner};
use crate::scenario::step::{Command, DocumentFile, ProcessAction};

/// What `redis-server -v` prints.
const VERSION: &str = "Redis server v=6.2.3 sha=00000000:0 malloc=jemalloc-5.1.0 bits=64 \
    build=a0976c4a01bcd8ee\n";

impl Runner<'_> {
    pub(super) fn command(&mut self, command: &Command, text: &str) -> Outcome {
        self.output.clear();
        let line = match command {
            Command::RedisCli(cli) => cli.shown(),
            _ => text.to_owned(),
        };
        self.say(What::Command(line))?;
        match command {
            Command::RedisCli(cli) => self.redis_cli(cli),
            Command::Version => self.print(Channel::Stdout, VERSION),
            Command::Server(node) => {
                self.launch(ProcessAction::Start, *node)?;
                self.wait_for_ports(*node)
            }
            Command::Show(node, file) => self.show_file(*node, *file),
            Command::Nothing => Ok(()),
        }
    }

    fn print(&mut self, channel: Channel, text: &str) -> Outcome {
        self.output.push_str(text);
        self.say(What::Output(Job::Foreground, channel, text.to_owned()))
    }

    fn show_file(&mut self, node: NodeNo, file: DocumentFile) -> Outcome {
        let text: Option<String> = match file {
            DocumentFile::Config => {
                let lines = self.world.config_lines(node);
                Some(lines.iter().map(|line| format!("{line}\n")).collect())
            }
            DocumentFile::Nodes => {
                self.world.disk(node).and_then(|disk| disk.nodes_conf.as_deref().map(str::to_owned))
            }
            DocumentFile::Log => {
                let logs = self.logs.borrow();
                let text: String = logs.all_of(node).map(|line| format!("{line}\n")).collect();
                (!text.is_empty()).then_some(text)
            }
        };
        match text {
            Some(text) => self.print(Channel::Stdout, &text),
            None => {
                let (name, file) = (self.plan.name(node), file.name());
                let message = format!("cat: {name}/{file}: No such file or directory\n");
                self.print(Channel::Stderr, &message)
            }
        }
    }
}
