//! torsade's results that come later.

use std::io;

use torsade_deferred::Deferred;

/// Makes a Deferred, puts two `map`s behind it and resolves it.
pub(super) fn through_two_maps(times: usize) -> io::Result<usize> {
    let right = |number: &usize| {
        let (resolver, deferred) = Deferred::<usize, ()>::new();
        let later = deferred.map(|value| value + 1).map(|value| value * 2);
        resolver.resolve(*number);
        let came = later.try_take().ok().and_then(Result::ok);
        came == Some((number + 1) * 2)
    };
    Ok((0..times).filter(right).count())
}
