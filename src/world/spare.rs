//! Emptied boxes: what travels does so in boxes, and hardly any of them has to be a new one.

/// Boxes to be used again.
#[derive(Debug)]
pub(super) struct Spare<T> {
    #[allow(clippy::vec_box, reason = "the boxes are what is kept")]
    boxes: Vec<Box<T>>,
}

impl<T> Default for Spare<T> {
    fn default() -> Spare<T> {
        Spare { boxes: Vec::new() }
    }
}

impl<T> Spare<T> {
    /// Puts something into a box.
    #[inline]
    pub(super) fn pack(&mut self, content: T) -> Box<T> {
        match self.boxes.pop() {
            Some(mut spare) => {
                *spare = content;
                spare
            }
            None => Box::new(content),
        }
    }

    /// Takes something out of its box, which keeps a filling in its place.
    #[inline]
    pub(super) fn unpack(&mut self, mut full: Box<T>, filling: T) -> T {
        let content = std::mem::replace(&mut *full, filling);
        self.boxes.push(full);
        content
    }
}
