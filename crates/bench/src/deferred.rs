//! Results that come later, without any connection.

use torsade_deferred::Deferred;

/// Makes a Deferred, puts two `map`s behind it and resolves it, as often as
/// said; gives the sum of what came out.
#[must_use]
pub fn through_two_maps(times: usize) -> usize {
    (0..times)
        .map(|number| {
            let (resolver, deferred) = Deferred::<usize, ()>::new();
            let later = deferred.map(|value| value + 1).map(|value| value * 2);
            resolver.resolve(number);
            later.try_take().ok().and_then(Result::ok).unwrap_or(0)
        })
        .sum()
}
