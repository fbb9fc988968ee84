//! Log lines in the server's own format (§13.1).

use std::fmt;

use crate::time::Wall;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// `.`
    Debug,
    /// `-`
    Verbose,
    /// `*`
    Notice,
    /// `#`
    Warning,
}

impl Level {
    /// The character between date and message.
    #[must_use]
    pub const fn mark(self) -> char {
        match self {
            Level::Debug => '.',
            Level::Verbose => '-',
            Level::Notice => '*',
            Level::Warning => '#',
        }
    }
}

/// Who writes a line: the letter after the process id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `C`: a child, or the process before it knows its own id.
    Child,
    /// `M`
    Master,
    /// `S`: a replica (a master's address is configured).
    Replica,
    /// `C`: a child with this process id, which stands in the line instead of its parent's.
    Fork(u32),
}

impl Role {
    /// The letter.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Role::Child | Role::Fork(_) => 'C',
            Role::Master => 'M',
            Role::Replica => 'S',
        }
    }

    /// The process id in the line, where it is not the server's.
    #[must_use]
    pub const fn own_pid(self) -> Option<u32> {
        match self {
            Role::Fork(pid) => Some(pid),
            Role::Child | Role::Master | Role::Replica => None,
        }
    }
}

/// A date as the server's log prints it: `27 May 2021 04:44:38.997`, in UTC.
#[derive(Debug, Clone, Copy)]
pub struct LogDate(pub Wall);

impl fmt::Display for LogDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = jiff::Timestamp::from_microsecond(self.0.0 as i64).map_err(|_| fmt::Error)?;
        write!(f, "{}", date.strftime("%d %b %Y %H:%M:%S.%3f"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_look_like_the_servers_13_1() {
        let wall = Wall(1_622_090_678_997_321);
        assert_eq!(LogDate(wall).to_string(), "27 May 2021 04:44:38.997");
        assert_eq!(LogDate(Wall(0)).to_string(), "01 Jan 1970 00:00:00.000");
    }
}
