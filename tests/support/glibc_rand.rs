//! The `srand` and `rand` of the C library that the recordings were made with.

use std::collections::VecDeque;

/// An additive feedback generator over the last 31 numbers.
#[derive(Debug)]
pub struct GlibcRand(VecDeque<u32>);

impl GlibcRand {
    pub fn new(seed: u32) -> GlibcRand {
        let mut numbers = vec![if seed == 0 { 1 } else { seed as i32 }];
        for at in 1..31 {
            let next = (i64::from(numbers[at - 1]) * 16_807) % 2_147_483_647;
            numbers.push(if next < 0 { next + 2_147_483_647 } else { next } as i32);
        }
        let mut state: VecDeque<u32> = numbers.into_iter().map(|number| number as u32).collect();
        for at in 0..3 {
            state.push_back(state[at]);
        }
        // Of the 34 numbers, the first three are never used again.
        state.drain(..3);
        let mut rand = GlibcRand(state);
        (0..310).for_each(|_| {
            rand.step();
        });
        rand
    }

    fn step(&mut self) -> u32 {
        let next = self.0[0].wrapping_add(self.0[28]);
        self.0.pop_front();
        self.0.push_back(next);
        next
    }

    pub fn next(&mut self) -> u32 {
        self.step() >> 1
    }
}

#[test]
fn the_numbers_are_those_of_the_c_library() {
    let mut rand = GlibcRand::new(1);
    assert_eq!([(); 3].map(|()| rand.next()), [1_804_289_383, 846_930_886, 1_681_692_777]);
}
