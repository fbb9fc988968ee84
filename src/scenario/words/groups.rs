//! Words that name several nodes: one after another, or all that are in a zone or on a host.

use crate::network::NodeNo;
use crate::scenario::diagnostic::{Diagnostic, Topic};
use crate::scenario::roster::{GroupKind, Roster};
use crate::scenario::source::Bytes;
use crate::scenario::suggest;
use crate::scenario::words::{Cursor, Word};

impl Cursor<'_> {
    /// Takes words that name nodes up to the end of the line or to one of `stops`.
    ///
    /// # Errors
    /// If there is none, one names no node, or one is named twice.
    pub fn nodes(&mut self, stops: &[&str]) -> Result<Vec<NodeNo>, Diagnostic> {
        let mut nodes = self.node_or_group()?;
        while self.peek().is_some_and(|word| !stops.contains(&word.text.as_str())) {
            let more = self.node_or_group()?;
            self.refuse_twice(&nodes, &more)?;
            nodes.extend(more);
        }
        Ok(nodes.into_iter().map(|(node, _)| node).collect())
    }

    /// Takes a word that names a node, or `zone NAME` or `host NAME`, which stand for all nodes that are
    /// there. Each node comes with the place of the word.
    ///
    /// # Errors
    /// If they name nothing.
    pub fn node_or_group(&mut self) -> Result<Vec<(NodeNo, Bytes)>, Diagnostic> {
        let kind = GroupKind::ALL.iter().find(|(word, _)| self.take_if(word).is_some());
        let Some(&(_, kind)) = kind else {
            let node = self.node()?;
            return Ok(vec![(node, self.last_span())]);
        };
        let word = self.take(&format!("the name of a {}", kind.word()))?;
        let nodes = self.roster.group(kind, &word.text);
        if nodes.is_empty() {
            return Err(no_group(kind, word, self.roster));
        }
        Ok(nodes.iter().map(|&node| (node, word.span.clone())).collect())
    }

    /// Complains if nodes are named that were named before. Whether examples are the same says nothing.
    ///
    /// # Errors
    /// With the first of them.
    pub fn refuse_twice(
        &self,
        before: &[(NodeNo, Bytes)],
        now: &[(NodeNo, Bytes)],
    ) -> Result<(), Diagnostic> {
        for (node, again) in now.iter().filter(|_| !self.is_example()) {
            if let Some((_, first)) = before.iter().find(|(other, _)| other == node) {
                let message = format!("node {} is named twice", self.roster.name(*node));
                return Err(Diagnostic::new(message, again.clone(), "again here")
                    .see(first.clone(), "first here"));
            }
        }
        Ok(())
    }
}

fn no_group(kind: GroupKind, word: &Word, roster: &Roster) -> Diagnostic {
    let what = kind.word();
    let message = format!("unknown {what} `{}`", word.text);
    let hint = suggest::hint(&word.text, roster.group_names(kind))
        .unwrap_or_else(|| format!("say where nodes are: `{what} = \"…\"` in their `[[node]]`"));
    Diagnostic::new(message, word.span.clone(), format!("no node is in a {what} of this name"))
        .hint(hint)
        .about(Topic::UnknownNode)
}
