//! What clients and nodes say to each other: argument vectors in, typed replies out.
//!
//! These are the data types of RESP without its bytes, so that a real socket can be put in front of
//! a virtual node.

/// A command as a client sends it: its words, the first of which is the command's name.
pub type Args = Vec<Vec<u8>>;

/// Builds a command from words of text.
#[must_use]
pub fn args<S: AsRef<[u8]>>(words: impl IntoIterator<Item = S>) -> Args {
    words.into_iter().map(|word| word.as_ref().to_vec()).collect()
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`
    Status(String),
    /// `-ERR …`, with its code, without the dash.
    Error(String),
    /// `:1`
    Int(i64),
    /// A string of bytes.
    Bulk(Vec<u8>),
    /// The null bulk string.
    Nil,
    /// An array of replies.
    Array(Vec<Reply>),
    /// The null array (a transaction aborted by WATCH, a blocked pop that timed out).
    NilArray,
}

impl Reply {
    /// `+OK`
    #[must_use]
    pub fn ok() -> Reply {
        Reply::Status("OK".to_owned())
    }

    /// An error with the generic code `ERR`.
    #[must_use]
    pub fn err(text: impl AsRef<str>) -> Reply {
        Reply::Error(format!("ERR {}", text.as_ref()))
    }

    /// A bulk string of text.
    #[must_use]
    pub fn bulk(text: impl AsRef<[u8]>) -> Reply {
        Reply::Bulk(text.as_ref().to_vec())
    }

    /// The error's text, if this is an error.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Reply::Error(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a status or of a bulk string that is valid UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Reply::Status(text) => Some(text),
            Reply::Bulk(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}
