/// The turns, one behind the other, each of which left events over.
#[derive(Debug, Default)]
pub(super) struct Crowded {
    first: u32,
    last: u32,
}

/// So many turns timers wait for events that were left over. A load that fills every turn must not
/// hold them for ever.
const MOST: u32 = 100;

impl Crowded {
    /// This turn leaves events over. Returns whether timers wait for them.
    pub(super) fn at(&mut self, turn: u32) -> bool {
        if turn.wrapping_sub(self.last) > 1 {
            self.first = turn;
        }
        self.last = turn;
        turn.wrapping_sub(self.first) < MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_wait_for_crowded_turns_but_not_for_ever() {
        let mut crowded = Crowded::default();
        let begun = u32::MAX - 10;
        assert!((0..MOST).all(|turn| crowded.at(begun.wrapping_add(turn))));
        let later = begun.wrapping_add(MOST);
        assert!(!crowded.at(later) && !crowded.at(later), "for ever");
        assert!(!crowded.at(later.wrapping_add(1)));
        // A turn that left nothing over, and then another crowd.
        assert!(crowded.at(later.wrapping_add(3)));
    }
}
