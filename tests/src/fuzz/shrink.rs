use std::rc::Rc;

use super::counts::Counts;
use super::run::{Step, run};
use super::world::Violation;

/// The fewest steps, and the fewest actions in them, that still break the same contract.
pub(super) fn shrink(seed: u64, steps: &[Step], found: &Violation) -> Vec<Step> {
    let counts = Rc::new(Counts::default());
    let fails = |steps: &[Step]| {
        let (violation, _) = run(seed, steps, &counts, false);
        violation.is_some_and(|violation| violation.contract == found.contract)
    };
    let mut steps = steps.to_vec();
    loop {
        let before = steps.clone();
        drop_steps(&mut steps, &fails);
        drop_actions(&mut steps, &fails);
        if steps == before {
            return steps;
        }
    }
}

/// Leave out ever smaller pieces of the list.
fn drop_steps(steps: &mut Vec<Step>, fails: &impl Fn(&[Step]) -> bool) {
    let mut piece = steps.len().div_ceil(2);
    while piece > 0 {
        let mut start = 0;
        while start < steps.len() {
            let end = (start + piece).min(steps.len());
            let mut fewer = steps.clone();
            fewer.drain(start..end);
            if fails(&fewer) {
                *steps = fewer;
            } else {
                start = end;
            }
        }
        piece /= 2;
    }
}

fn drop_actions(steps: &mut [Step], fails: &impl Fn(&[Step]) -> bool) {
    for index in 0..steps.len() {
        let masks = std::iter::once(0).chain((0..32).rev().map(|bit| !(1 << bit)));
        for mask in masks {
            let before = steps[index];
            let fewer = before.allowed & mask;
            if fewer != before.allowed {
                steps[index].allowed = fewer;
                if !fails(steps) {
                    steps[index] = before;
                }
            }
        }
    }
}
