//! What is typed at the terminal: redis-cli, redis-server, cat.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::admin::{self, Address, Channel as ToolChannel, Connection, Echo, Lost, Stuck};
use crate::network::NodeNo;
use crate::resp::{Args, Reply};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::record::{Channel, Ending, What};
use crate::scenario::runner::tool::{Answer, Request, Tool};
use crate::scenario::runner::{FOREVER, Halt, Outcome, Runner};
use crate::scenario::step::{Command, DocumentFile, ProcessAction, RedisCli, TypedLine};
use crate::world::{ClientEvent, ClientNo};

/// What `redis-server -v` prints.
const VERSION: &str = "Redis server v=6.2.3 sha=00000000:0 malloc=jemalloc-5.1.0 bits=64 \
    build=a0976c4a01bcd8ee\n";

impl Runner<'_> {
    pub(super) fn command(&mut self, command: &Command, text: &str) -> Outcome {
        self.say(What::Command(text.to_owned()))?;
        self.output.clear();
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
        self.say(What::Output(channel, text.to_owned()))
    }

    fn show_file(&mut self, node: NodeNo, file: DocumentFile) -> Outcome {
        let text: Option<String> = match file {
            DocumentFile::Config => {
                let lines = self.plan.nodes[node.index()].directives.iter();
                Some(lines.map(|(name, value)| format!("{name} {value}\n")).collect())
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

    fn redis_cli(&mut self, cli: &RedisCli) -> Outcome {
        self.pass(self.plan.header.start_up)?;
        let mut run = ToolRun {
            tool: Tool::new(cli.words.clone(), self.plan.header.seed),
            clients: Vec::new(),
            typed: cli.typed.iter().collect(),
            in_session: !cli.words.iter().any(|word| word == "--cluster"),
        };
        let result = self.attend(&mut run);
        for client in run.clients {
            self.world.client_close(client);
        }
        let code = result?;
        self.say(What::Exited(code))?;
        match run.typed.front() {
            None => Ok(()),
            Some(line) => {
                Err(self.wrong_answer(line, "redis-cli has ended without reading this line"))
            }
        }
    }

    /// Gives a tool what it asks for until it ends.
    fn attend(&mut self, run: &mut ToolRun<'_>) -> Outcome<u8> {
        loop {
            let ended = run.tool.run(self.world.wall());
            while let Some((channel, text)) = run.tool.take_printed() {
                let channel = match channel {
                    ToolChannel::Stdout => Channel::Stdout,
                    ToolChannel::Stderr => Channel::Stderr,
                };
                self.print(channel, &String::from_utf8_lossy(&text))?;
            }
            for connection in run.tool.take_closed() {
                self.world.client_close(run.client(connection));
            }
            match ended {
                Some(Ok(admin::ExitCode(code))) => return Ok(code),
                Some(Err(Stuck::AsksForEver(question))) => return self.unanswered(&question),
                Some(Err(stuck)) => {
                    return self.fail(
                        Ending::Impossible,
                        "redis-cli cannot go on",
                        stuck.to_string(),
                    );
                }
                None => {}
            }
            let answer = match run.tool.take_request() {
                Some(request) => self.answer(run, request)?,
                None => unreachable!("a tool that waits has said for what"),
            };
            run.tool.answer(answer);
        }
    }

    fn answer(&mut self, run: &mut ToolRun<'_>, request: Request) -> Outcome<Answer> {
        match request {
            Request::Connect(address) => Ok(Answer::Connected(self.connect(run, &address)?)),
            Request::Call(connection, command) => {
                Ok(Answer::Replied(self.call(run.client(connection), command)?))
            }
            Request::Sleep(span) => {
                self.pass(span)?;
                Ok(Answer::Awake)
            }
            Request::Read(echo) => self.type_line(run, echo),
        }
    }

    fn connect(
        &mut self,
        run: &mut ToolRun<'_>,
        address: &Address,
    ) -> Outcome<Result<Connection, String>> {
        let ip = match address.host.as_str() {
            "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
            text => text.parse().ok(),
        };
        let Some(ip) = ip else { return Ok(Err("Name or service not known".to_owned())) };
        let port = u16::try_from(address.port).unwrap_or(0);
        let client = self.world.client_connect(ip, port);
        match self.client_event(client)? {
            ClientEvent::Connected => {
                run.clients.push(client);
                Ok(Ok(Connection(run.clients.len() as u32 - 1)))
            }
            _ => Ok(Err("Connection refused".to_owned())),
        }
    }

    fn call(&mut self, client: ClientNo, command: Args) -> Outcome<Result<Reply, Lost>> {
        if let Some(ClientEvent::Closed) = self.world.client_take(client) {
            return Ok(Err(Lost));
        }
        self.world.client_send(client, command);
        match self.client_event(client)? {
            ClientEvent::Reply(reply) => Ok(Ok(reply)),
            _ => Ok(Err(Lost)),
        }
    }

    /// Lets time pass until a client experiences something.
    fn client_event(&mut self, client: ClientNo) -> Outcome<ClientEvent> {
        let mut event = None;
        self.advance_until(FOREVER, |world| {
            event = world.client_take(client);
            event.is_some()
        })?;
        event.ok_or(Halt::TimeUp)
    }

    fn type_line(&mut self, run: &mut ToolRun<'_>, echo: Echo) -> Outcome<Answer> {
        let Some(line) = run.typed.pop_front() else {
            // The end of input ends a session; a question without an answer is a mistake.
            if run.in_session {
                return Ok(Answer::Typed(Vec::new()));
            }
            let question = self.output.lines().last().unwrap_or_default().trim_end().to_owned();
            return self.unanswered(&question);
        };
        self.pass(self.plan.header.typing)?;
        let shown = match echo {
            Echo::Plain => line.text.clone(),
            Echo::Masked => "*".repeat(line.text.chars().count()),
        };
        self.say(What::Typed(shown))?;
        self.output.push('\n');
        Ok(Answer::Typed(format!("{}\n", line.text).into_bytes()))
    }

    fn unanswered<T>(&self, question: &str) -> Outcome<T> {
        let label = format!("it asks `{question}`");
        let mistake = Diagnostic::new("an answer is missing", self.span.clone(), label);
        let hint = "answer with a step such as \"> yes\" behind this one";
        Err(Halt::Failed(Ending::Impossible, mistake.hint(hint)))
    }

    fn wrong_answer(&self, line: &TypedLine, label: &str) -> Halt {
        let mistake = Diagnostic::new("nobody reads this line", line.span.clone(), label);
        Halt::Failed(Ending::Impossible, mistake.see(self.span.clone(), "typed into this"))
    }
}

/// A run of redis-cli and what belongs to it.
struct ToolRun<'a> {
    tool: Tool,
    /// Its connections, by their number.
    clients: Vec<ClientNo>,
    /// What is typed into it and was not read yet.
    typed: VecDeque<&'a TypedLine>,
    /// Whether the end of input is no mistake.
    in_session: bool,
}

impl ToolRun<'_> {
    fn client(&self, connection: Connection) -> ClientNo {
        self.clients[connection.0 as usize]
    }
}
