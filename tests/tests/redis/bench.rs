use torsade_deferred::{Deferred, Failure};
use torsade_reactor::Reactor;
use torsade_wire::redis::{Redis, RedisError, RedisSettings, Resp};

use crate::server::Server;

/// A reactor and its server.
pub(crate) struct Bench {
    pub(crate) reactor: Reactor,
    pub(crate) server: Server,
}

impl Bench {
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[])
    }

    pub(crate) fn with(options: &[&str]) -> Option<Self> {
        Some(Self {
            server: Server::start(options)?,
            reactor: Reactor::new().unwrap(),
        })
    }

    /// Logged in.
    #[track_caller]
    pub(crate) fn connect(&mut self, settings: RedisSettings) -> Redis {
        let redis = Redis::connect(self.reactor.net(), self.server.address, settings);
        self.get(redis)
    }

    /// The result, when it is there.
    #[track_caller]
    pub(crate) fn get<T>(&mut self, deferred: Deferred<T, RedisError>) -> T {
        self.end(deferred).unwrap()
    }

    /// The end, whatever it is.
    #[track_caller]
    pub(crate) fn end<T>(&mut self, deferred: Deferred<T, RedisError>) -> Result<T, RedisError> {
        let result = self.reactor.run_until(deferred).unwrap();
        result.map_err(|failure| match failure {
            Failure::Error(error) => error,
            other => panic!("{other:?}"),
        })
    }
}

/// Both versions of the protocol, for tests that hold in either.
pub(crate) fn versions() -> [RedisSettings; 2] {
    [Resp::Two, Resp::Three].map(|version| RedisSettings::new().resp(version))
}
