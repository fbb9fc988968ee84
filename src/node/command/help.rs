//! What HELP answers.
//!
//! The texts beside this file are replies of Redis (§9.1): data, not documentation of this program.

use crate::resp::Reply;

macro_rules! help {
    ($name:ident, $upper:literal, $file:literal) => {
        #[doc = concat!($upper, " HELP")]
        pub(super) fn $name() -> Reply {
            help($upper, include_str!($file))
        }
    };
}

help!(client, "CLIENT", "help/client.txt");
help!(cluster, "CLUSTER", "help/cluster.txt");
help!(command, "COMMAND", "help/command.txt");
help!(config, "CONFIG", "help/config.txt");
help!(debug, "DEBUG", "help/debug.txt");
help!(object, "OBJECT", "help/object.txt");
help!(pubsub, "PUBSUB", "help/pubsub.txt");
help!(slowlog, "SLOWLOG", "help/slowlog.txt");

fn help(name: &str, text: &str) -> Reply {
    let header = format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let footer = ["HELP", "    Prints this help."];
    let lines = std::iter::once(header.as_str()).chain(text.lines()).chain(footer);
    Reply::Array(lines.map(|line| Reply::Status(line.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_help_has_47_lines_9_1() {
        let Reply::Array(lines) = cluster() else { panic!("help is an array") };
        assert_eq!(lines.len(), 47);
        assert_eq!(lines[46].text(), Some("    Prints this help."));
    }
}
