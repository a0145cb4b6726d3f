//! Places in one buffer that maps take one after the other. Threads that share an image compute the same part of every map, the first of two
//! its first half; so the middle of all maps that a place holds is at one address. What a thread writes it has mostly written before: a cache
//! line that changes hands takes as long as a hundred vectors of arithmetic, and seven times as long where processors are far apart (two of a
//! Zen 4).

/// A place: as much memory before its middle and behind it as the largest of its maps takes.
#[derive(Debug)]
struct Slot {
    halves: [usize; 2],
    /// The last step that reads what it holds.
    until: usize,
}

/// All places.
#[derive(Debug, Default)]
pub(super) struct Slots(Vec<Slot>);

/// A map's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    slot: usize,
    /// Elements before the middle.
    before: usize,
}

impl Slots {
    /// Takes a place for a map of these halves that step `step` writes and step `until` is the last to read. What that step still reads is
    /// not given away.
    pub(super) fn take(&mut self, halves: [usize; 2], step: usize, until: usize) -> Taken {
        let grown = |slot: &Slot| [0, 1].map(|half| halves[half].max(slot.halves[half]));
        let size = |halves: [usize; 2]| halves[0].saturating_add(halves[1]);
        let free = self.0.iter().enumerate().filter(|(_, slot)| slot.until < step);
        // That which grows least, and of those the smallest.
        let best = free.min_by_key(|(_, slot)| (size(grown(slot)) - size(slot.halves), size(slot.halves)));
        let slot = match best.map(|(index, _)| index) {
            Some(index) => {
                self.0[index].halves = grown(&self.0[index]);
                self.0[index].until = until;
                index
            }
            None => {
                self.0.push(Slot { halves, until });
                self.0.len() - 1
            }
        };
        Taken { slot, before: halves[0] }
    }

    /// Where the middle of each place lies, one place behind the other, and where the last ends; `None` where no address does.
    pub(super) fn middles(&self) -> Option<(Vec<usize>, usize)> {
        let mut end = 0_usize;
        let middles = self.0.iter().map(|slot| {
            let middle = end.checked_add(slot.halves[0])?;
            end = middle.checked_add(slot.halves[1])?;
            Some(middle)
        });
        let middles = middles.collect::<Option<_>>()?;
        Some((middles, end))
    }
}

impl Taken {
    /// Where the map begins, with the middles of all places.
    pub(super) fn start(self, middles: &[usize]) -> usize {
        middles[self.slot] - self.before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_that_are_there_at_once_lie_apart_and_others_around_the_same_middle() {
        let mut slots = Slots::default();
        // Step 0 writes what steps 1 and 2 read, and so on; the last is as large as none before.
        let maps = [([48, 64], 2), ([16, 16], 2), ([32, 48], 3), ([16, 16], 4), ([80, 16], 9)];
        let taken: Vec<Taken> = maps
            .iter()
            .enumerate()
            .map(|(index, &(halves, until))| slots.take(halves, index, until))
            .collect();
        let (middles, end) = slots.middles().unwrap();
        let range = |index: usize| {
            let start = taken[index].start(&middles);
            start..start + maps[index].0[0] + maps[index].0[1]
        };
        for a in 0..maps.len() {
            assert!(range(a).end <= end);
            for b in a + 1..maps.len() {
                let are_apart = range(a).end <= range(b).start || range(b).end <= range(a).start;
                // The step that writes `b` still reads what is read until then.
                assert!(are_apart || maps[a].1 < b, "{a} and {b}");
            }
        }
        assert_eq!(middles.len(), 3);
        // The smallest that is free, and the one that grows least.
        assert_eq!(range(3), range(1));
        assert_eq!(range(4).start + 80, range(0).start + 48);
        assert_eq!(Slots(vec![Slot { halves: [usize::MAX, 1], until: 0 }]).middles(), None);
    }
}
