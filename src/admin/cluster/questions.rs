//! Questions to the person, and how their answers are read (cli §2.9).

use super::{Host, Manager, Stop};
use crate::admin::host::Echo;

impl<H: Host> Manager<'_, H> {
    /// Asks for a `yes`. Anything else declines.
    pub(super) async fn confirm(&mut self, question: &str) -> bool {
        self.say(format!("{question} (type 'yes' to accept): "));
        self.read_yes().await
    }

    /// Reads at most four bytes, of which the first three must be `yes`.
    pub(super) async fn read_yes(&mut self) -> bool {
        self.host.read(4, Echo::Plain).await.starts_with(b"yes")
    }

    /// Asks for a line of text with a single read of at most `limit` bytes. The last byte read is
    /// taken for the newline. If it was none, the rest of the line is thrown away, together with
    /// whatever else was there to be read.
    pub(super) async fn ask_text(&mut self, question: &str, limit: usize) -> Result<String, Stop> {
        self.say(question);
        let mut answer = self.host.read(limit, Echo::Plain).await;
        match answer.pop() {
            // The real tool asks again at once, without end.
            None => return Err(Stop::AsksForEver(question.trim_end().to_owned())),
            Some(b'\n') => {}
            Some(_) => self.skip_line().await,
        }
        // What stands behind a NUL byte is no part of a C string.
        let end = answer.iter().position(|&byte| byte == 0).unwrap_or(answer.len());
        Ok(String::from_utf8_lossy(&answer[..end]).into_owned())
    }

    async fn skip_line(&mut self) {
        loop {
            let skipped = self.host.read(4096, Echo::Plain).await;
            if skipped.is_empty() || skipped.contains(&b'\n') {
                return;
            }
        }
    }
}
