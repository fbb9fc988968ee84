//! What must be done before the process sleeps again (§0.4).

/// The before-sleep to-do set (§0.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Todo(u8);

impl Todo {
    /// Nothing.
    pub const NOTHING: Todo = Todo(0);
    /// Run the failover step.
    pub const FAILOVER: Todo = Todo(1);
    /// Evaluate the cluster state.
    pub const UPDATE: Todo = Todo(2);
    /// Write nodes.conf.
    pub const SAVE: Todo = Todo(4);
    /// … and have it on disk before going on.
    pub const FSYNC: Todo = Todo(8);
    /// Run the manual failover step.
    pub const MANUAL_FAILOVER: Todo = Todo(16);

    /// Adds to the set.
    pub fn add(&mut self, more: Todo) {
        self.0 |= more.0;
    }

    /// Takes from the set.
    pub fn clear(&mut self, done: Todo) {
        self.0 &= !done.0;
    }

    /// Whether any of `some` is in the set.
    #[must_use]
    pub fn any(self, some: Todo) -> bool {
        self.0 & some.0 != 0
    }
}

impl std::ops::BitOr for Todo {
    type Output = Todo;
    fn bitor(self, other: Todo) -> Todo {
        Todo(self.0 | other.0)
    }
}
