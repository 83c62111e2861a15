use std::io;
use std::time::Duration;

use super::RingLoop;

/// For how long turns were quiet. Unless they never were, the last one is still to be ended.
pub(super) enum Quiet {
    Never,
    /// What the last wait brought is still to be told.
    UntilWoken,
    /// It is told, but not what follows from it.
    UntilDisturbed,
}

impl RingLoop {
    /// Take turns without ending them, for as long as nothing happens but that messages come and
    /// are answered.
    pub(super) fn quiet_turns(&mut self) -> io::Result<Quiet> {
        let deadline = self.deadline();
        // Who waits on the door is told by whole turns.
        if self.has_host.get() || !self.system.is_quiet() || !self.engine.begin_quiet() {
            return Ok(Quiet::Never);
        }
        self.in_turn = true;
        loop {
            // What came while something was submitted is here already.
            let timeout = match self.system.ring.ready() {
                0 => deadline.map(|deadline| deadline - self.system.host.clock.now()),
                _ => Some(Duration::ZERO),
            };
            let swift = self.system.streams.take_swift();
            if let Err(error) = self.system.ring.wait(timeout, swift) {
                self.engine.end(&mut self.system);
                self.in_turn = false;
                return Err(error);
            }
            self.turns += 1;
            self.system.streams.begin();
            if !self.engine.is_still_quiet()
                || deadline.is_some_and(|it| it <= self.engine.net().now())
            {
                return Ok(Quiet::UntilWoken);
            }
            self.left = self.turn_bytes.max(1);
            self.tell_new();
            if !self.engine.was_undisturbed() || self.system.has_work() {
                return Ok(Quiet::UntilDisturbed);
            }
        }
    }
}
