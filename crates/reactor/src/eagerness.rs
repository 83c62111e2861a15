/// How often a listener is asked for a connection in one turn.
///
/// Being ready it has one, and whether it has more is known only by asking: in vain, where
/// connections come one by one. So it is asked once; where it is ready in turn after turn, twice as
/// often each time, until it has no more.
#[derive(Debug)]
pub(crate) struct Eagerness {
    asks: usize,
    most: usize,
    /// The turn after the one in which a listener was ready last.
    next: u64,
}

impl Eagerness {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            asks: 1,
            most: most.max(1),
            next: 0,
        }
    }

    /// A listener is ready in that turn: how often it is to be asked.
    pub(crate) fn begin(&mut self, turn: u64) -> usize {
        if turn == self.next {
            self.asks = (2 * self.asks).min(self.most);
        } else if turn > self.next {
            self.asks = 1;
        }
        self.next = turn + 1;
        self.asks
    }

    /// It had so many, and no more.
    pub(crate) fn found_the_end(&mut self, had: usize) {
        self.asks = had.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_ready_again_and_again_is_asked_more_often() {
        let mut eagerness = Eagerness::new(7);
        assert_eq!(eagerness.begin(1), 1);
        assert_eq!(eagerness.begin(3), 1);
        assert_eq!([4, 5, 6, 7].map(|turn| eagerness.begin(turn)), [2, 4, 7, 7]);
        eagerness.found_the_end(3);
        assert_eq!(eagerness.begin(7), 3); // of another listener
        assert_eq!(eagerness.begin(8), 6);
        eagerness.found_the_end(0);
        assert_eq!(eagerness.begin(9), 2);
        assert_eq!(eagerness.begin(11), 1);
    }
}
