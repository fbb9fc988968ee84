//! What is wrong with a scenario, and where: shown as a compiler shows it.
//!
//! A [`Diagnostic`] is plain data about spans; only [`render`] knows how it looks.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::scenario::source::{Bytes, Source, char_start};

/// More mistakes than this in one file are counted, not shown.
const SHOWN_MAX: usize = 20;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The words to underline.
    pub span: Bytes,
    /// What stands under the underlined words: mostly what was expected.
    pub label: String,
    /// Other words that matter: "first used here".
    pub context: Vec<(Bytes, String)>,
    /// What would be accepted.
    pub hint: Option<String>,
    /// What the mistake is about, where that decides whether it is worth showing.
    pub topic: Topic,
}

/// What a mistake is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Topic {
    /// Itself.
    #[default]
    Own,
    /// A node that is not there: nothing new if the list of nodes itself is wrong.
    UnknownNode,
}

/// A scenario that cannot be run: its text and everything that is wrong with it.
#[derive(Debug)]
pub struct Rejected {
    /// The text.
    pub source: Source,
    /// The mistakes, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Diagnostic {
    /// A mistake at `span`; `label` says there what was expected.
    pub fn new(message: impl Into<String>, span: Bytes, label: impl Into<String>) -> Diagnostic {
        Diagnostic {
            message: message.into(),
            span,
            label: label.into(),
            context: Vec::new(),
            hint: None,
            topic: Topic::Own,
        }
    }

    /// Adds what would be accepted.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what would be accepted, if anything is known to be.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Diagnostic {
        self.hint = hint.or(self.hint);
        self
    }

    /// Underlines other words, too.
    #[must_use]
    pub fn see(mut self, span: Bytes, label: impl Into<String>) -> Diagnostic {
        self.context.push((span, label.into()));
        self
    }

    /// Says what the mistake is about.
    #[must_use]
    pub fn about(mut self, topic: Topic) -> Diagnostic {
        self.topic = topic;
        self
    }
}

impl Rejected {
    /// The mistakes as text, with colours as escape sequences.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for diagnostic in self.diagnostics.iter().take(SHOWN_MAX) {
            text.push_str(&render(&self.source, diagnostic));
            text.push_str("\n\n");
        }
        let rest = self.diagnostics.len().saturating_sub(SHOWN_MAX);
        if rest > 0 {
            text.push_str(&format!("error: {rest} more mistakes are not shown\n\n"));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

/// One mistake as text, with colours as escape sequences.
#[must_use]
pub fn render(source: &Source, diagnostic: &Diagnostic) -> String {
    let mut group = Group::with_title(Level::ERROR.primary_title(&diagnostic.message));
    let home = source.piece(diagnostic.span.start);
    let mut snippet = Snippet::source(&home.text).path(&home.name).annotation(
        AnnotationKind::Primary
            .span(within(&diagnostic.span, home.start, &home.text))
            .label(&diagnostic.label),
    );
    let mut elsewhere = Vec::new();
    for (span, label) in &diagnostic.context {
        let piece = source.piece(span.start);
        let annotation =
            AnnotationKind::Context.span(within(span, piece.start, &piece.text)).label(label);
        if piece.start == home.start {
            snippet = snippet.annotation(annotation);
        } else {
            elsewhere.push(Snippet::source(&piece.text).path(&piece.name).annotation(annotation));
        }
    }
    group = group.element(snippet).elements(elsewhere);
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.with_name("hint").message(hint));
    }
    Renderer::styled().render(&[group])
}

/// A span as the bytes of one piece of text: in bounds, on character boundaries.
fn within(span: &Bytes, start: usize, text: &str) -> Bytes {
    let from = char_start(text, span.start.saturating_sub(start));
    let to = char_start(text, span.end.saturating_sub(start));
    from..to.max(from)
}
