use crate::ConnectionId;

/// The connections that were changed by others than their own callbacks, in the order in which
/// that happened.
///
/// What a room says lists each of its members. So the room that was needed once is kept, filled
/// with what was listed last, and to list one more is to write over that.
#[derive(Default)]
pub(crate) struct Touched {
    ids: Vec<ConnectionId>,
    /// How many of them are listed.
    count: usize,
}

impl Touched {
    pub(crate) fn push(&mut self, id: ConnectionId) {
        match self.ids.get_mut(self.count) {
            Some(place) => *place = id,
            None => self.ids.push(id),
        }
        self.count += 1;
    }

    /// The place behind the last one, if there is a last one and room for another, and what counts
    /// them: for who has more to do before it is known that one is listed.
    #[inline(always)]
    pub(crate) fn behind(&mut self) -> Option<(&mut ConnectionId, &mut usize)> {
        let place = self.ids.get_mut(self.count)?;
        (self.count > 0).then_some((place, &mut self.count))
    }

    pub(crate) fn as_slice(&self) -> &[ConnectionId] {
        &self.ids[..self.count]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_listed_is_written_over_and_not_listed_again() {
        let ids: Vec<ConnectionId> = (1..=3).map(ConnectionId::from_bits).collect();
        let mut touched = Touched::default();
        assert!(touched.is_empty() && touched.behind().is_none());
        touched.push(ids[0]);
        assert!(touched.behind().is_none(), "there is no room");
        touched.push(ids[1]);
        assert_eq!(touched.as_slice(), &ids[..2]);
        touched.clear();
        assert!(touched.behind().is_none(), "the first one is for `push`");
        touched.push(ids[2]);
        let (place, count) = touched.behind().unwrap();
        *place = ids[0];
        *count += 1;
        assert_eq!(touched.as_slice(), [ids[2], ids[0]]);
        assert!(touched.behind().is_none());
    }
}
