//! What can be observed in a run, and how people call it: `crash`, `fail last`, `ok by 7001`.

use crate::network::NodeNo;
use crate::scenario::roster::Roster;
use crate::sweep::measure::BadMeasure;

/// Something that happens at one point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Something is done to the cluster.
    Deed(Deed),
    /// A node changes its mind or its role.
    Turn(Turn, Who),
    /// Every live node knows every other one, and greets nobody any more.
    Known,
}

/// What is done to a cluster. Those that end or stop a process choose the victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A process dies without a word: by SIGKILL, SIGSEGV or for want of power.
    Crash,
    /// SIGKILL.
    Kill,
    /// SIGSEGV, or DEBUG SEGFAULT.
    Segfault,
    /// SIGTERM.
    Stop,
    /// SIGSTOP.
    Pause,
    /// SIGCONT for the victim.
    Resume,
    /// The victim's next process is started.
    Restart,
    /// The network is partitioned, or one direction is cut.
    Partition,
    /// The network is mended.
    Heal,
    /// A node reads a CLUSTER MEET: the latest one counts.
    Meet,
}

/// A turn in the life of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It begins to doubt the victim: PFAIL, or at once FAIL if it hears of that first.
    Pfail,
    /// It has the victim in FAIL.
    Fail,
    /// It has the victim in FAIL no more.
    Cleared,
    /// Its cluster state becomes ok.
    Ok,
    /// Its cluster state becomes fail.
    Down,
    /// It asks for votes.
    Election,
    /// It was a replica and becomes a master.
    Promotion,
}

/// Whose turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The first node's.
    First,
    /// The last live node's: now it is so for all of them.
    Last,
    /// The victim's own.
    Victim,
    /// This node's.
    Node(NodeNo),
}

/// Every deed and its word.
pub const DEEDS: [(&str, Deed); 10] = [
    ("crash", Deed::Crash),
    ("kill", Deed::Kill),
    ("segfault", Deed::Segfault),
    ("stop", Deed::Stop),
    ("pause", Deed::Pause),
    ("resume", Deed::Resume),
    ("restart", Deed::Restart),
    ("partition", Deed::Partition),
    ("heal", Deed::Heal),
    ("meet", Deed::Meet),
];

/// Every turn, its word, and whose is meant if that is not said.
pub const TURNS: [(&str, Turn, Who); 7] = [
    ("pfail", Turn::Pfail, Who::First),
    ("fail", Turn::Fail, Who::First),
    ("cleared", Turn::Cleared, Who::Last),
    ("ok", Turn::Ok, Who::Last),
    ("down", Turn::Down, Who::First),
    ("election", Turn::Election, Who::First),
    ("promotion", Turn::Promotion, Who::First),
];

/// The word for [`Event::Known`].
pub const KNOWN: &str = "known";

/// The words that an event can begin with.
pub fn words() -> impl Iterator<Item = &'static str> + Clone {
    let turns = TURNS.iter().map(|(word, ..)| *word);
    DEEDS.iter().map(|(word, _)| *word).chain(turns).chain([KNOWN])
}

impl Event {
    /// Reads `crash`, `fail last` or `ok by 7001`.
    pub(crate) fn parse(text: &str, roster: &Roster) -> Result<Event, BadMeasure> {
        let mut words = text.split_whitespace();
        let first = words.next().unwrap_or_default();
        let rest: Vec<&str> = words.collect();
        if let Some(&(_, turn, usual)) = TURNS.iter().find(|(word, ..)| *word == first) {
            let who = if rest.is_empty() { usual } else { who(text, &rest, roster)? };
            return turn.allows(who).then_some(Event::Turn(turn, who)).ok_or_else(|| {
                let message = format!("`{text}`: `{first}` is not seen that way");
                BadMeasure { message, hint: turn.choices(first) }
            });
        }
        let deed = DEEDS.iter().find(|(word, _)| *word == first);
        let event = match (deed, first) {
            (Some(&(_, deed)), _) => Event::Deed(deed),
            (None, KNOWN) => Event::Known,
            (None, _) => return Err(BadMeasure::unknown_event(first)),
        };
        if rest.is_empty() {
            return Ok(event);
        }
        let message = format!("`{text}`: nothing can stand behind `{first}`");
        Err(BadMeasure { message, hint: format!("only `{first}`") })
    }
}

/// `first`, `last`, `self`, `by 7001`
fn who(text: &str, words: &[&str], roster: &Roster) -> Result<Who, BadMeasure> {
    match words {
        ["first"] => Ok(Who::First),
        ["last"] => Ok(Who::Last),
        ["self"] => Ok(Who::Victim),
        ["by", name] => roster.find(name).map(Who::Node).map_err(|_| {
            let message = format!("`{text}`: no node is called `{name}`");
            let names = roster.names();
            let names = names.iter().map(String::as_str).collect::<Vec<_>>();
            let hint = crate::scenario::suggest::hint(name, names).unwrap_or_default();
            BadMeasure { message, hint }
        }),
        _ => {
            let message = format!("`{text}`: whose is meant?");
            let hint = "one of: `first`, `last`, `self`, `by NODE`".to_owned();
            Err(BadMeasure { message, hint })
        }
    }
}

impl Turn {
    /// Whether it can be asked of such a node. Who asks for votes or wins is one node; the victim
    /// thinks nothing of itself.
    fn allows(self, who: Who) -> bool {
        match who {
            Who::First | Who::Node(_) => true,
            Who::Last => !matches!(self, Turn::Election | Turn::Promotion),
            Who::Victim => matches!(self, Turn::Ok | Turn::Down),
        }
    }

    fn choices(self, word: &str) -> String {
        let all = [("first", Who::First), ("last", Who::Last), ("self", Who::Victim)];
        let allowed = all.iter().filter(|(_, who)| self.allows(*who));
        let listed: Vec<String> = allowed.map(|(name, _)| format!("`{word} {name}`")).collect();
        format!("one of: {}, `{word} by NODE`", listed.join(", "))
    }

    /// Whether it is about the victim.
    pub(crate) fn is_about_victim(self) -> bool {
        matches!(self, Turn::Pfail | Turn::Fail | Turn::Cleared)
    }
}
