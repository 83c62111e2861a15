//! What a group can be made of: few of different types.

use std::convert::Infallible;
use std::panic::Location;
use std::rc::Rc;

use crate::deferred::Deferred;
use crate::failure::Failure;

use super::joint::{Joining, Kept, Put};
use super::members::{Alike, Members, to_result, wrapped};
use super::{Ending, Late, Rest};

macro_rules! tuple {
    ($($T:ident $E:ident $index:tt),+) => {
        impl<$($T: 'static, $E: 'static),+> Members for ($(Deferred<$T, $E>,)+) {
            type Results = ($(Result<$T, Failure<$E>>,)+);

            fn listed(
                self,
                site: &'static Location<'static>,
            ) -> Deferred<Self::Results, Infallible> {
                let slots = Rc::new(($(Kept::<$T, $E>::default(),)+));
                let all = Rc::clone(&slots);
                let complete = move || Ok(($(to_result(all.$index.take(site)),)+));
                let ending = Ending { rest: Rest::LetRun, late: Late::Report };
                let joining = Joining::new(complete, ending, site);
                $({
                    let slots = Rc::clone(&slots);
                    joining.join(self.$index, move |outcome| {
                        slots.$index.keep(outcome);
                        Put::Kept
                    });
                })+
                joining.done()
            }
        }

        impl<$($T: 'static,)+ Error: 'static> Alike for ($(Deferred<$T, Error>,)+) {
            type Values = ($($T,)+);
            type Error = Error;

            fn gathered<F: 'static>(
                self,
                ending: Ending,
                site: &'static Location<'static>,
                wrap: fn(usize, Failure<Error>) -> Failure<F>,
            ) -> Deferred<Self::Values, F> {
                let slots = Rc::new(($(Kept::<$T, Error>::default(),)+));
                let all = Rc::clone(&slots);
                let complete = move || Ok(($(
                    all.$index.take(site).map_err(|failed| wrapped(failed, $index, wrap))?,
                )+));
                let joining = Joining::new(complete, ending, site);
                $({
                    let slots = Rc::clone(&slots);
                    joining.join(self.$index, move |outcome| match outcome {
                        Ok(value) => {
                            slots.$index.keep(Ok(value));
                            Put::Kept
                        }
                        Err(failed) => Put::Ends(Err(wrapped(failed, $index, wrap))),
                    });
                })+
                joining.done()
            }
        }
    };
}

tuple!(A EA 0, B EB 1);
tuple!(A EA 0, B EB 1, C EC 2);
tuple!(A EA 0, B EB 1, C EC 2, D ED 3);
tuple!(A EA 0, B EB 1, C EC 2, D ED 3, G EG 4);
tuple!(A EA 0, B EB 1, C EC 2, D ED 3, G EG 4, H EH 5);
tuple!(A EA 0, B EB 1, C EC 2, D ED 3, G EG 4, H EH 5, I EI 6);
tuple!(A EA 0, B EB 1, C EC 2, D ED 3, G EG 4, H EH 5, I EI 6, J EJ 7);
