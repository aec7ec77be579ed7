//! How long requests took, apart from swaps and beside them.

use std::time::Duration;

/// One challenge and release.
pub(crate) struct Sample {
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
}

/// One swap, from its request to its answer.
pub(crate) struct Span {
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
}

/// Prints counts and quantiles before the first swap, while one was under way, and after the last.
pub(crate) fn report(samples: &[Sample], swaps: &[Span]) {
    let (first, last) = (swaps[0].began, swaps[swaps.len() - 1].ended);
    let beside = |sample: &Sample| {
        swaps.iter().any(|swap| sample.began < swap.ended && swap.began < sample.ended)
    };
    let print = |name: &str, taken: Vec<&Sample>| {
        let mut taken: Vec<_> = taken.iter().map(|sample| sample.ended - sample.began).collect();
        taken.sort();
        assert!(!taken.is_empty(), "{name}: no sample");
        let at = |per_mille: usize| taken[(taken.len() - 1) * per_mille / 1000];
        println!(
            "{name:<14} {:>6} requests, median {:>8.2?}, p99 {:>8.2?}, longest {:>8.2?}",
            taken.len(),
            at(500),
            at(990),
            at(1000)
        );
    };
    print("before", samples.iter().filter(|sample| sample.ended < first).collect());
    print("during a swap", samples.iter().filter(|sample| beside(sample)).collect());
    print("between", samples.iter().filter(|sample| !beside(sample)).collect());
    print("after", samples.iter().filter(|sample| sample.began > last).collect());
    let mut swaps: Vec<_> = swaps.iter().map(|swap| swap.ended - swap.began).collect();
    swaps.sort();
    println!("{} swaps, the longest {:.2?}", swaps.len(), swaps[swaps.len() - 1]);
}
