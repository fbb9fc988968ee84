//! Listpacks: what streams are made of.

/// Bytes before the elements: the size of all, and how many elements there are.
const HEADER_BYTES: usize = 6;
const END: u8 = 0xff;

/// A listpack that is being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    body: Vec<u8>,
    count: usize,
}

impl Writer {
    /// How many bytes it will have.
    pub(super) fn bytes(&self) -> usize {
        HEADER_BYTES + self.body.len() + 1
    }

    /// Adds a number.
    pub(super) fn number(&mut self, number: i64) {
        let start = self.body.len();
        match number {
            0..=127 => self.body.push(number as u8),
            -4_096..=4_095 => {
                let bits = (number & 0x1fff) as u16;
                self.body.extend((0xc000 | bits).to_be_bytes());
            }
            -32_768..=32_767 => self.wide(0xf1, &number.to_le_bytes()[..2]),
            -8_388_608..=8_388_607 => self.wide(0xf2, &number.to_le_bytes()[..3]),
            -2_147_483_648..=2_147_483_647 => self.wide(0xf3, &number.to_le_bytes()[..4]),
            _ => self.wide(0xf4, &number.to_le_bytes()),
        }
        self.end_element(start);
    }

    fn wide(&mut self, kind: u8, bytes: &[u8]) {
        self.body.push(kind);
        self.body.extend(bytes);
    }

    /// Adds a string, or the number that it spells.
    pub(super) fn word(&mut self, word: &[u8]) {
        if let Some(number) = crate::node::number::parse(word) {
            return self.number(number);
        }
        let start = self.body.len();
        match word.len() {
            len @ 0..64 => self.body.push(0x80 | len as u8),
            len @ 64..4_096 => self.body.extend((0xe000 | len as u16).to_be_bytes()),
            len => self.wide(0xf0, &(len as u32).to_le_bytes()),
        }
        self.body.extend(word);
        self.end_element(start);
    }

    /// Behind an element stands how long it is, to be read backwards.
    fn end_element(&mut self, start: usize) {
        let len = self.body.len() - start;
        let groups = back_len_bytes(len);
        for group in (0..groups).rev() {
            let more = if group + 1 < groups { 0x80 } else { 0 };
            self.body.push((len >> (7 * group) & 0x7f) as u8 | more);
        }
        self.count += 1;
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut out = (self.bytes() as u32).to_le_bytes().to_vec();
        out.extend(u16::try_from(self.count).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(self.body);
        out.push(END);
        out
    }
}

fn back_len_bytes(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        2_097_152..=268_435_455 => 4,
        _ => 5,
    }
}

/// The elements of a listpack.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let size = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    if size != bytes.len() || bytes.last() != Some(&END) || size <= HEADER_BYTES {
        return None;
    }
    let mut rest = &bytes[HEADER_BYTES..size - 1];
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (element, len) = element(rest)?;
        elements.push(element);
        rest = rest.get(len + back_len_bytes(len)..)?;
    }
    Some(elements)
}

/// The first element, and how many bytes it has.
fn element(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let first = bytes[0];
    let integer = |len: usize| {
        let bytes = bytes.get(1..=len)?;
        let mut wide = [if bytes[len - 1] & 0x80 == 0 { 0 } else { 0xff }; 8];
        wide[..len].copy_from_slice(bytes);
        Some((i64::from_le_bytes(wide).to_string().into_bytes(), len + 1))
    };
    let string = |head: usize, len: usize| {
        let end = head.checked_add(len)?;
        Some((bytes.get(head..end)?.to_vec(), end))
    };
    match first {
        0..0x80 => Some((first.to_string().into_bytes(), 1)),
        0x80..0xc0 => string(1, usize::from(first & 0x3f)),
        0xc0..0xe0 => {
            let bits = i64::from(first & 0x1f) << 8 | i64::from(*bytes.get(1)?);
            let number = if bits < 4_096 { bits } else { bits - 8_192 };
            Some((number.to_string().into_bytes(), 2))
        }
        0xe0..0xf0 => string(2, usize::from(first & 0xf) << 8 | usize::from(*bytes.get(1)?)),
        0xf0 => string(5, u32::from_le_bytes(bytes.get(1..5)?.try_into().ok()?) as usize),
        0xf1 => integer(2),
        0xf2 => integer(3),
        0xf3 => integer(4),
        0xf4 => integer(8),
        _ => None,
    }
}
