//! Messages that wait in a sender's kernel: linked lists in one slab, so that holding a message
//! allocates nothing in the long run and an empty list costs eight bytes.

use crate::network::message::Message;
use crate::time::Time;

const NONE: u32 = u32::MAX;

/// The messages that one end of a connection holds, in order.
#[derive(Debug)]
pub(crate) struct HeldList {
    head: u32,
    tail: u32,
}

impl Default for HeldList {
    fn default() -> HeldList {
        HeldList { head: NONE, tail: NONE }
    }
}

impl HeldList {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head == NONE
    }
}

/// All held messages of the network.
#[derive(Debug, Default)]
pub(crate) struct Held {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place {
    message: Option<Message>,
    sent: Time,
    next: u32,
}

impl Held {
    /// Appends a message that was sent at `sent`.
    pub(crate) fn push(&mut self, list: &mut HeldList, sent: Time, message: Message) {
        let place = Place { message: Some(message), sent, next: NONE };
        let at = match self.free.pop() {
            Some(at) => {
                self.places[at as usize] = place;
                at
            }
            None => {
                self.places.push(place);
                self.places.len() as u32 - 1
            }
        };
        match list.tail {
            NONE => list.head = at,
            tail => self.places[tail as usize].next = at,
        }
        list.tail = at;
    }

    /// Takes the first message.
    pub(crate) fn pop(&mut self, list: &mut HeldList) -> Option<Message> {
        if list.is_empty() {
            return None;
        }
        let place = &mut self.places[list.head as usize];
        self.free.push(list.head);
        list.head = place.next;
        if list.is_empty() {
            list.tail = NONE;
        }
        place.message.take()
    }

    /// When the first message was sent.
    pub(crate) fn oldest(&self, list: &HeldList) -> Option<Time> {
        (!list.is_empty()).then(|| self.places[list.head as usize].sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args;

    fn request(word: &str) -> Message {
        Message::Request(args([word]).into())
    }

    fn word(message: Option<Message>) -> Option<Vec<u8>> {
        match message? {
            Message::Request(args) => args.first().cloned(),
            other => panic!("{other:?} was never put in"),
        }
    }

    #[test]
    fn lists_keep_their_order_and_do_not_mix() {
        let (mut held, mut a, mut b) = (Held::default(), HeldList::default(), HeldList::default());
        held.push(&mut a, Time(1), request("a1"));
        held.push(&mut b, Time(2), request("b1"));
        held.push(&mut a, Time(3), request("a2"));
        assert_eq!((held.oldest(&a), held.oldest(&b)), (Some(Time(1)), Some(Time(2))));
        assert_eq!(word(held.pop(&mut a)), Some(b"a1".to_vec()));
        held.push(&mut b, Time(4), request("b2"));
        assert_eq!(held.places.len(), 3, "the place of a1 is used again");
        assert_eq!(word(held.pop(&mut a)), Some(b"a2".to_vec()));
        assert_eq!(word(held.pop(&mut a)), None);
        held.push(&mut a, Time(5), request("a3"));
        assert_eq!(word(held.pop(&mut b)), Some(b"b1".to_vec()));
        assert_eq!(word(held.pop(&mut b)), Some(b"b2".to_vec()));
        assert_eq!(word(held.pop(&mut a)), Some(b"a3".to_vec()));
        assert!(a.is_empty() && b.is_empty());
    }
}
