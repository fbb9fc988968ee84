//! What a directive is: its names, what it accepts, and where its value lives.

use crate::node::config::Config;
use crate::node::config::setting::{Kind, Setting};

/// One directive of redis.conf.
#[derive(Debug)]
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// Its older name.
    pub alias: Option<&'static str>,
    /// What it accepts.
    pub kind: Kind,
    /// Whether CONFIG SET refuses to change it.
    pub fixed: bool,
    /// Whether CONFIG GET does not show it.
    pub hidden: bool,
    pub(super) place: Place,
}

/// Where a directive's value lives.
#[derive(Debug)]
pub(super) enum Place {
    /// As text in [`Config::kept`], with this default.
    Kept(&'static str),
    /// In a field that the node acts on.
    Field {
        /// Its value as CONFIG GET shows it.
        get: fn(&Config) -> String,
        /// Takes a value that was parsed by the directive's [`Kind`].
        set: fn(&mut Config, Setting<'_>),
    },
}

impl Directive {
    /// Whether it goes by this name.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.names().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Its name and its alias.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.alias)
    }

    pub(super) fn get(&self, config: &Config) -> String {
        match self.place {
            Place::Kept(default) => match config.kept.get(self.name) {
                Some(text) => text.clone(),
                None => default.to_owned(),
            },
            Place::Field { get, .. } => get(config),
        }
    }

    pub(super) fn set(&self, config: &mut Config, setting: Setting<'_>) {
        match self.place {
            Place::Kept(_) => {
                config.kept.insert(self.name, setting.to_string());
            }
            Place::Field { set, .. } => set(config, setting),
        }
    }
}
