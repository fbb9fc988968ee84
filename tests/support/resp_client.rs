//! A blocking client that speaks RESP2 over a real socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use redis_cluster_sim::resp::{Args, Reply};

/// No reply takes longer in a healthy test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a real server.
#[derive(Debug)]
pub struct RespClient {
    reader: BufReader<TcpStream>,
}

impl RespClient {
    pub fn connect(host: &str, port: u16) -> io::Result<RespClient> {
        let stream = TcpStream::connect((host, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(RespClient { reader: BufReader::new(stream) })
    }

    /// Sends a command and waits for its reply.
    pub fn call(&mut self, command: &Args) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", command.len()).into_bytes();
        for word in command {
            request.extend(format!("${}\r\n", word.len()).bytes());
            request.extend(word);
            request.extend(b"\r\n");
        }
        self.reader.get_mut().write_all(&request)?;
        if command[0].eq_ignore_ascii_case(b"sync") {
            return self.read_snapshot();
        }
        self.read_reply()
    }

    fn read_reply(&mut self) -> io::Result<Reply> {
        let line = self.read_line()?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| bad("an empty line"))?;
        Ok(match kind {
            "+" => Reply::Status(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Int(number(rest)?),
            "$" => match usize::try_from(number(rest)?) {
                Ok(len) => Reply::Bulk(self.read_bytes(len + 2)?[..len].to_vec()),
                Err(_) => Reply::Nil,
            },
            "*" => match usize::try_from(number(rest)?) {
                Ok(len) => {
                    Reply::Array((0..len).map(|_| self.read_reply()).collect::<Result<_, _>>()?)
                }
                Err(_) => Reply::NilArray,
            },
            _ => return Err(bad(&line)),
        })
    }

    /// The answer to SYNC: newlines while the server is busy, then a string without an end.
    fn read_snapshot(&mut self) -> io::Result<Reply> {
        loop {
            let line = self.read_line()?;
            match line.split_at_checked(1) {
                None => {}
                Some(("$", len)) => {
                    let len = usize::try_from(number(len)?).map_err(|_| bad(&line))?;
                    return Ok(Reply::Bulk(self.read_bytes(len)?));
                }
                Some(("-", error)) => return Ok(Reply::Error(error.to_owned())),
                Some(_) => return Err(bad(&line)),
            }
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(line)
    }

    fn read_bytes(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| bad(text))
}

fn bad(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not RESP: {line:?}"))
}
