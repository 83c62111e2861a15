use std::any::Any;
use std::rc::Rc;

use super::{Child, ExitStatus, ProcessEnd, ProcessProtocol, ProcessTransport};
use crate::Disconnect;

/// A process protocol whose type is forgotten.
pub(crate) trait Talk {
    fn made(&mut self, child: &Rc<Child>);
    fn data(&mut self, child: &Rc<Child>, fd: u32, data: &[u8]);
    fn lost(&mut self, child: &Rc<Child>, fd: u32, reason: &Disconnect);
    fn paused(&mut self, child: &Rc<Child>, fd: u32);
    fn resumed(&mut self, child: &Rc<Child>, fd: u32);
    fn stopping(&mut self, child: &Rc<Child>);
    fn exited(&mut self, child: &Rc<Child>, status: ExitStatus);
    fn ended(&mut self, child: &Rc<Child>, end: ProcessEnd);

    /// The protocol itself.
    fn protocol(&mut self) -> &mut dyn Any;
}

pub(super) struct Talking<P>(pub(super) P);

fn transport<P>(child: &Rc<Child>) -> ProcessTransport<P> {
    ProcessTransport::new(Rc::clone(child))
}

impl<P: ProcessProtocol> Talk for Talking<P> {
    fn made(&mut self, child: &Rc<Child>) {
        self.0.connection_made(&transport(child));
    }

    fn data(&mut self, child: &Rc<Child>, fd: u32, data: &[u8]) {
        self.0.child_data_received(&transport(child), fd, data);
    }

    fn lost(&mut self, child: &Rc<Child>, fd: u32, reason: &Disconnect) {
        self.0.child_connection_lost(&transport(child), fd, reason);
    }

    fn paused(&mut self, child: &Rc<Child>, fd: u32) {
        self.0.pause_writing(&transport(child), fd);
    }

    fn resumed(&mut self, child: &Rc<Child>, fd: u32) {
        self.0.resume_writing(&transport(child), fd);
    }

    fn stopping(&mut self, child: &Rc<Child>) {
        self.0.stopping(&transport(child));
    }

    fn exited(&mut self, child: &Rc<Child>, status: ExitStatus) {
        self.0.process_exited(&transport(child), status);
    }

    fn ended(&mut self, child: &Rc<Child>, end: ProcessEnd) {
        self.0.process_ended(&transport(child), end);
    }

    fn protocol(&mut self) -> &mut dyn Any {
        &mut self.0
    }
}
