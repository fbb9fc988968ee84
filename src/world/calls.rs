//! Calls that a node makes to another server as its client while it does nothing else (MIGRATE,
//! §11.16).

use std::net::IpAddr;

use crate::id::Endpoint;
use crate::network::message::{Kind, Message};
use crate::network::{Dial, NodeNo, Site};
use crate::node::effect::{CallError, CallResult, LinkId};
use crate::resp::Args;
use crate::time::Span;
use crate::world::event::Due;
use crate::world::fingerprint::EventTag;
use crate::world::machine::{Arrived, Busy, Call, Pending};
use crate::world::{Program, World};

impl<P: Program> World<P> {
    /// A process calls another server and waits.
    pub(super) fn call(&mut self, node: NodeNo, to: Endpoint, requests: Vec<Args>, timeout: Span) {
        let link = self.out.new_link();
        let to_ip = to.ip.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let call = Call {
            link,
            connected: false,
            written_blindly: false,
            timeout,
            limit: 0,
            expected: requests.len(),
            replies: Vec::new(),
        };
        self.make_busy(node, Busy::Calling(call));
        let (kind, from) = (Kind::Call, Site::Node(node));
        self.dial(Dial { link, kind, tag: node.0, from, to_ip, to_port: to.port });
        for request in requests {
            self.transmit(link, Message::Request(request.into()));
        }
        self.set_time_limit(node);
    }

    /// Starts the clock for the next step of a call.
    fn set_time_limit(&mut self, node: NodeNo) {
        let Some(running) = &mut self.machines[node.index()].running else { return };
        let Busy::Calling(call) = &mut running.busy else { return };
        running.call_timeouts += 1;
        call.limit = running.call_timeouts;
        let (timeout, limit) = (call.timeout, call.limit);
        self.due_in(node, timeout, Due::CallTimeout(limit));
    }

    fn calling(&mut self, node: NodeNo) -> Option<&mut Call> {
        match &mut self.machines[node.index()].running.as_mut()?.busy {
            Busy::Calling(call) => Some(call),
            _ => None,
        }
    }

    pub(super) fn call_connected(&mut self, node: NodeNo) {
        let Some(call) = self.calling(node) else { return };
        call.connected = true;
        self.set_time_limit(node);
    }

    /// Something comes back to a node that calls.
    pub(super) fn answer(&mut self, node: NodeNo, link: LinkId, message: Message) {
        self.fingerprint.absorb_event(EventTag::CallAnswer, link.0);
        let Some(call) = self.calling(node) else { return };
        match message {
            Message::Reply(reply) => {
                call.replies.push(*reply);
                if call.replies.len() == call.expected {
                    self.close(link);
                    self.end_call(node, None);
                } else {
                    self.set_time_limit(node);
                }
            }
            _ => {
                self.forget_end(link);
                self.end_call(node, Some(CallError::Lost));
            }
        }
    }

    pub(super) fn call_timeout(&mut self, node: NodeNo, limit: u32) {
        self.fingerprint.absorb_event(EventTag::CallTimeout, node.0);
        let Some(call) = self.calling(node) else { return };
        if call.limit != limit {
            return;
        }
        if !call.connected && !call.written_blindly {
            // A connection that is not open in time is not noticed: the write waits once more.
            call.written_blindly = true;
            return self.set_time_limit(node);
        }
        let error = if call.connected { CallError::Timeout } else { CallError::Connect };
        let link = call.link;
        self.close(link);
        self.end_call(node, Some(error));
    }

    /// The process gets the result of its call and goes on.
    pub(super) fn end_call(&mut self, node: NodeNo, error: Option<CallError>) {
        let Some(running) = &mut self.machines[node.index()].running else { return };
        let replies = match std::mem::replace(&mut running.busy, Busy::No) {
            Busy::Calling(call) => call.replies,
            _ => Vec::new(),
        };
        let arrived = Arrived::CallDone(CallResult { replies, error });
        running.inbox.push_front(Pending { id: self.current, cause: self.cause, arrived });
        self.wake(node);
    }
}
