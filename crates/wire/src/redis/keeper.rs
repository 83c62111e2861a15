use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Endpoint, Net, ToEndpoint};

use super::client::Client;
use super::{Redis, RedisError, RedisSettings};

/// How long to wait before a server is connected to again.
///
/// ```
/// use std::time::Duration;
/// use torsade_wire::redis::Retry;
///
/// let retry = Retry::default();
/// assert_eq!((retry.first, retry.longest), (Duration::from_millis(100), Duration::from_secs(10)));
/// ```
#[derive(Clone, Debug)]
pub struct Retry {
    /// Before the first attempt after a loss. 100 ms. Each attempt that fails doubles it.
    pub first: Duration,
    /// And so on up to this. 10 s.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
        }
    }
}

impl Redis {
    /// A client that connects by itself, again and again, until it is [`close`](Redis::close)d.
    ///
    /// Calls made before the first connection wait for it. When a connection is lost, what waits
    /// is rejected, and so are calls until there is another: whether to repeat something is known
    /// to the caller alone. Subscriptions stay and are made again; what was published in between
    /// is missed, and [`connections`](Redis::connections) tells that there was an in-between.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_testing::MemoryReactor;
    /// use torsade_wire::redis::{Redis, RedisSettings, Retry};
    ///
    /// let mut reactor = MemoryReactor::new();
    /// let net = reactor.net().clone();
    /// let settings = RedisSettings::new();
    /// let redis = Redis::keep_connected(&net, "127.0.0.1:6379", settings, Retry::default());
    /// let redis = redis.unwrap();
    /// let mut server = reactor.next_connect().succeed();
    /// server.feed(b"%0\r\n");
    /// assert_eq!(redis.connections(), 1);
    ///
    /// server.reset();
    /// assert!(redis.get("a").try_take().unwrap().is_err());
    /// reactor.advance(Duration::from_millis(100));
    /// let mut server = reactor.next_connect().succeed();
    /// server.feed(b"%0\r\n");
    /// assert_eq!(redis.connections(), 2);
    /// # redis.close();
    /// # reactor.settle();
    /// ```
    ///
    /// # Errors
    /// If `to` names no address.
    #[doc(alias = "lazyConnectionPool")]
    pub fn keep_connected(
        net: &Net,
        to: impl ToEndpoint,
        settings: RedisSettings,
        retry: Retry,
    ) -> Result<Self, RedisError> {
        let endpoint = to
            .to_endpoint()
            .map_err(|error| RedisError::from(torsade_core::ConnectError::from(error)))?;
        let redis = Self::over(Client::new(settings.resubscribe(true)));
        let keeper = Rc::new(Keeper {
            redis: redis.clone(),
            net: net.clone(),
            endpoint,
            retry,
        });
        keeper.attempt(Duration::ZERO);
        Ok(redis)
    }
}

/// Connects a client again.
struct Keeper {
    redis: Redis,
    net: Net,
    endpoint: Endpoint,
    retry: Retry,
}

impl Keeper {
    /// Connect, after a failure that was followed by a wait of this long.
    fn attempt(self: Rc<Self>, waited: Duration) {
        if self.redis.is_closed() {
            return;
        }
        let before = self.redis.connections();
        let connecting = self
            .net
            .connect(&self.endpoint, self.redis.expected_protocol());
        connecting.finish(move |result| {
            if let Err(failure) = result {
                // What is no error of the attempt is the end of everything.
                let gone = RedisError::Lost(Disconnect::ReactorGone);
                let error = failure.error().map_or(gone, RedisError::from);
                self.redis.client().away(error);
            }
            let closed = self.redis.closed();
            closed.finish(move |_| {
                if self.redis.is_closed() {
                    return;
                }
                let next = if self.redis.connections() > before {
                    self.retry.first
                } else {
                    (waited * 2).clamp(self.retry.first, self.retry.longest)
                };
                let net = self.net.clone();
                net.call_later(next, move |_| self.attempt(next));
            });
        });
    }
}
