//! Requests as recordings of the wire show them: `127.0.0.1:7000 <- CLUSTER NODES`.

use std::fmt;

use crate::admin::host::Address;
use crate::resp::Args;

/// A request that a tool has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// To whom.
    pub to: Address,
    /// What.
    pub command: Args,
}

/// A command of more words than this is cut off if it is too long.
const WORDS_MAX: usize = 16;
/// A command of more characters than this is too long.
const CHARS_MAX: usize = 110;

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sent { to, command } = self;
        let text = String::from_utf8_lossy(&command.join(&b' ')).into_owned();
        match text.char_indices().nth(CHARS_MAX) {
            Some((end, _)) if command.len() > WORDS_MAX => {
                write!(f, "{to} <- {} ... ({} args)", &text[..end], command.len())
            }
            _ => write!(f, "{to} <- {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args;

    fn shown(command: &str) -> String {
        let words: Vec<&str> = command.split(' ').collect();
        Sent { to: Address::new("127.0.0.1", 7000), command: args(words) }.to_string()
    }

    #[test]
    fn a_request_is_shown_with_its_receiver() {
        assert_eq!(shown("CLUSTER NODES"), "127.0.0.1:7000 <- CLUSTER NODES");
    }

    #[test]
    fn a_request_of_very_many_words_is_cut_off() {
        let slots = (0..5461).map(|slot| format!(" {slot}")).collect::<String>();
        let text = shown(&format!("CLUSTER ADDSLOTS{slots}"));
        assert!(text.starts_with("127.0.0.1:7000 <- CLUSTER ADDSLOTS 0 1 2 3 "), "{text}");
        assert!(text.ends_with(" 33 3 ... (5463 args)"), "{text}");
    }
}
