use super::consumer::Consumer;

/// Somebody who produces output by itself, and can be told to stop for a while: Twisted's
/// `IPushProducer`.
///
/// Given to [`Consumer::register_producer`], where an example is. No method is called from inside a
/// write of the producer's own, nor one from inside another (contract C1).
#[doc(alias = "IPushProducer")]
#[doc(alias = "IProducer")]
pub trait PushProducer: 'static {
    /// Output waits above the high mark: write no more. Alternates strictly with
    /// [`resume_producing`](Self::resume_producing), and comes first.
    #[doc(alias = "pauseProducing")]
    fn pause_producing(&mut self, consumer: &Consumer);

    /// Output has drained to the low mark: go on.
    #[doc(alias = "resumeProducing")]
    fn resume_producing(&mut self, consumer: &Consumer);

    /// The connection is gone, or was when it was registered: nobody wants any more. Called once at
    /// most, and last.
    #[doc(alias = "stopProducing")]
    fn stop_producing(&mut self) {}
}

/// Somebody who produces a piece of output each time that it is asked: Twisted's `IPullProducer`.
///
/// Given to [`Consumer::register_pull_producer`]. [`FileSender`](crate::FileSender) is one.
#[doc(alias = "IPullProducer")]
#[doc(alias = "IProducer")]
pub trait PullProducer: 'static {
    /// Everything that was written has been handed to the kernel: write the next piece.
    ///
    /// Who has nothing now may write later; it is asked again when that has drained. Who has nothing
    /// more [unregisters](Consumer::unregister_producer).
    #[doc(alias = "resumeProducing")]
    fn resume_producing(&mut self, consumer: &Consumer);

    /// The connection is gone, or was when it was registered: nobody wants any more. Called once at
    /// most, and last.
    #[doc(alias = "stopProducing")]
    fn stop_producing(&mut self) {}
}

/// One or the other.
pub(super) enum Producer {
    Push(Box<dyn PushProducer>),
    Pull(Box<dyn PullProducer>),
}

impl Producer {
    pub(super) fn is_pull(&self) -> bool {
        matches!(self, Self::Pull(_))
    }

    /// Only producers that push are ever paused.
    pub(super) fn pause(&mut self, consumer: &Consumer) {
        if let Self::Push(producer) = self {
            producer.pause_producing(consumer);
        }
    }

    pub(super) fn resume(&mut self, consumer: &Consumer) {
        match self {
            Self::Push(producer) => producer.resume_producing(consumer),
            Self::Pull(producer) => producer.resume_producing(consumer),
        }
    }

    pub(super) fn stop(&mut self) {
        match self {
            Self::Push(producer) => producer.stop_producing(),
            Self::Pull(producer) => producer.stop_producing(),
        }
    }
}
