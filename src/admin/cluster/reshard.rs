//! `reshard`: a plan, a question, and slot after slot (cli §9).

use super::move_slot::{Manner, Move};
use super::plan::Planned;
use super::{Host, Manager, MemberIx, Stop};
use crate::admin::numbers::atoi;
use crate::slot::SLOTS;

const ASK_SOURCES: &str = "Please enter all the source node IDs.\n  \
    Type 'all' to use all the nodes as source nodes for the hash slots.\n  \
    Type 'done' once you entered all the source nodes IDs.\n";

/// What a word in the list of sources stands for.
enum Source {
    Node(MemberIx),
    All,
    /// The target itself: told so, and skipped.
    Skipped,
}

impl<H: Host> Manager<'_, H> {
    /// `reshard host:port`
    pub(super) async fn reshard(&mut self, arguments: &[String]) -> Result<(), Stop> {
        let address = self.address_argument(arguments)?;
        self.load(address).await?;
        // What counts is the number of errors, not the verdict.
        match self.check_cluster(true).await {
            Ok(()) | Err(Stop::Failed) => {}
            Err(stop) => return Err(stop),
        }
        if self.errors > 0 {
            self.complain("*** Please fix your cluster problems before resharding\n");
            return Err(Stop::Failed);
        }
        let count = self.ask_count().await?;
        let target = self.ask_target().await?;
        let sources = self.ask_sources(target).await?;
        if sources.is_empty() {
            self.complain("*** No source nodes given, operation aborted.\n");
            return Err(Stop::Failed);
        }
        let plan = self.show_plan(&sources, target, count);
        if !self.options.yes {
            self.say("Do you want to proceed with the proposed reshard plan (yes/no)? ");
            if !self.read_yes().await {
                return Err(Stop::Failed);
            }
        }
        for Planned { source, slot } in plan {
            self.move_slot(Move { source, target, slot, manner: Manner::Reshard }).await?;
        }
        Ok(())
    }

    async fn ask_count(&mut self) -> Result<i32, Stop> {
        if self.options.slots != 0 {
            return Ok(self.options.slots);
        }
        loop {
            let question = format!("How many slots do you want to move (from 1 to {SLOTS})? ");
            let count = atoi(&self.ask_text(&question, 6).await?);
            if (1..=i32::from(SLOTS)).contains(&count) {
                return Ok(count);
            }
        }
    }

    async fn ask_target(&mut self) -> Result<MemberIx, Stop> {
        let mut name = self.options.to.clone().unwrap_or_default();
        while name.is_empty() && self.options.to.is_none() {
            name = self.ask_text("What is the receiving node ID? ", 255).await?;
        }
        self.master_named(&name)
    }

    /// The master with this id; there is no second try if there is none.
    fn master_named(&mut self, name: &str) -> Result<MemberIx, Stop> {
        match self.by_name(name) {
            Some(node) if !self[node].flags.slave => Ok(node),
            _ => {
                self.error(format_args!(
                    "*** The specified node ({name}) is not known or not a master, please retry.\n"
                ));
                Err(Stop::Failed)
            }
        }
    }

    async fn ask_sources(&mut self, target: MemberIx) -> Result<Vec<MemberIx>, Stop> {
        let mut sources = Vec::new();
        if let Some(list) = &self.options.from {
            // What stands behind the last comma counts only if there is something.
            for word in list.split_inclusive(',') {
                let word = word.strip_suffix(',').unwrap_or(word);
                match self.source_named(word, target)? {
                    Source::Node(node) => sources.push(node),
                    Source::All => return Ok(self.all_sources(target)),
                    Source::Skipped => {}
                }
            }
            return Ok(sources);
        }
        self.say(ASK_SOURCES);
        loop {
            let question = format!("Source node #{}: ", sources.len() + 1);
            let word = self.ask_text(&question, 255).await?;
            if word == "done" {
                return Ok(sources);
            }
            match self.source_named(&word, target)? {
                Source::Node(node) => sources.push(node),
                Source::All => return Ok(self.all_sources(target)),
                Source::Skipped => {}
            }
        }
    }

    fn source_named(&mut self, word: &str, target: MemberIx) -> Result<Source, Stop> {
        if word == "all" {
            return Ok(Source::All);
        }
        let source = self.master_named(word)?;
        if self[source].name != self[target].name {
            return Ok(Source::Node(source));
        }
        self.error("*** It is not possible to use the target node as source node.\n");
        Ok(Source::Skipped)
    }

    fn all_sources(&self, target: MemberIx) -> Vec<MemberIx> {
        let mut sources = self.masters();
        sources.retain(|&node| self[node].master.is_none() && self[node].name != self[target].name);
        sources
    }

    fn show_plan(&mut self, sources: &[MemberIx], target: MemberIx, count: i32) -> Vec<Planned> {
        let mut text = format!("\nReady to move {count} slots.\n  Source nodes:\n");
        for &source in sources {
            text += &format!("{}\n", self[source].describe(4));
        }
        text += &format!("  Destination node:\n{}\n", self[target].describe(4));
        text += "  Resharding plan:\n";
        let plan = self.plan(sources, count);
        for Planned { source, slot } in &plan {
            text += &format!("    Moving slot {slot} from {}\n", self[*source].name);
        }
        self.say(text);
        plan
    }
}
