//! The smallest executor that can run a tool: one thread, no wakers, no queue.
//!
//! Whoever drives a [`Task`] knows what it waits for (the host that it was given told them), so it
//! is polled exactly when the answer is there. Wakers carry no information here.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// A tool under way.
pub struct Task<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
}

impl<'a, T> Task<'a, T> {
    /// A task that has not begun yet.
    pub fn new(future: impl Future<Output = T> + 'a) -> Task<'a, T> {
        Task { future: Box::pin(future) }
    }

    /// Runs the task until it ends or waits for something.
    pub fn run(&mut self) -> Option<T> {
        match self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

/// Runs a future whose host answers everything at once.
///
/// # Panics
/// If it waits for something after all.
pub fn run_at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a host that answers at once left a request open"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::poll_fn;

    #[test]
    fn a_task_goes_on_where_it_waited() {
        let open = Cell::new(false);
        let mut task = Task::new(async {
            poll_fn(|_| if open.get() { Poll::Ready(()) } else { Poll::Pending }).await;
            7
        });
        assert_eq!(task.run(), None);
        open.set(true);
        assert_eq!(task.run(), Some(7));
    }

    #[test]
    fn a_future_that_never_waits_is_done_at_once() {
        assert_eq!(run_at_once(async { 1 + 1 }), 2);
    }
}
