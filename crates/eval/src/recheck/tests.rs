//! Margins and errors that are drawn at random: which images are computed again, and whether no more hits are missed than is said.

use super::*;

/// Numbers from 0 to 1 (D. E. Knuth's constants for a linear congruential generator).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal, with deviation 1: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// Margins in f32 and in the reduced type, of logits that vary by 3 and errors of a deviation of `error`; one error in `outlier` is
/// thirty times as large.
fn images(seed: u64, count: usize, error: f64, outlier: usize) -> Vec<(Margins, Margins)> {
    let mut random = Random(seed);
    let image = |index: usize| {
        let top1 = 2.0 + 3.0 * random.normal();
        let exact = Margins { top1: top1 as f32, top5: (top1 + 3.0 + random.next()) as f32 };
        let times = if index % outlier == outlier - 1 { 30.0 * error } else { error };
        let mut off = |margin: f32| (f64::from(margin) + times * random.normal()) as f32;
        (Margins { top1: off(exact.top1), top5: off(exact.top5) }, exact)
    };
    (0..count).map(image).collect()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("ILSVRC2012_val_{index:08}.JPEG")).collect()
}

/// Computes the images in the order of `order`, and again until none is left. Gives the rechecking and how many are computed in the
/// reduced type.
fn run(images: &[(Margins, Margins)], audit_pct: f64, seed: u64, order: &[usize]) -> (Rechecking, usize) {
    let names: Vec<String> = names(images.len()).into_iter().map(|name| format!("{seed}-{name}")).collect();
    let first: Vec<usize> = (0..images.len()).collect();
    let mut rechecking = Rechecking::new(Recheck { audit_pct }, names.iter().map(String::as_str), &first);
    let mut todo = order.to_vec();
    let mut reduced_count = 0;
    while !todo.is_empty() {
        for index in todo {
            let (reduced, exact) = images[index];
            if rechecking.is_all_again() {
                rechecking.note(index, Known { reduced: None, exact: Some(exact) });
                continue;
            }
            reduced_count += 1;
            let exact = rechecking.wants(index, Some(reduced), true).then_some(exact);
            rechecking.note(index, Known { reduced: Some(reduced), exact });
        }
        todo = rechecking.left();
    }
    (rechecking, reduced_count)
}

/// Images whose hit is another than in f32, after all.
fn missed(rechecking: &Rechecking, images: &[(Margins, Margins)]) -> u64 {
    let is_missed = |(index, (reduced, exact)): (usize, &(Margins, Margins))| {
        let known = rechecking.known(index).unwrap();
        known.exact.is_none() && reduced.hits() != exact.hits()
    };
    images.iter().enumerate().map(is_missed).map(u64::from).sum()
}

#[test]
fn every_flip_is_found_where_errors_are_alike_and_few_images_are_computed_again() {
    let images = images(1, 20_000, 0.1, usize::MAX);
    let order: Vec<usize> = (0..images.len()).collect();
    let (rechecking, reduced) = run(&images, 2.0, 0, &order);
    let record = rechecking.record();
    let flips = images.iter().filter(|(reduced, exact)| reduced.hits() != exact.hits()).count() as u64;
    assert!(flips > 50, "{flips}");
    assert_eq!(missed(&rechecking, &images), 0);
    assert!(record.top1_flips + record.top5_flips >= flips && record.audit_flips == 0);
    assert_eq!((record.images, record.all_again), (20_000, None));
    assert!(record.again < 20_000 / 4 && record.audited > 200, "{record:?}");
    // Few are computed in the reduced type a second time.
    assert!(reduced < 20_000 + 1000, "{reduced}");
    assert!(record.threshold > 0.3 && (record.threshold - 1.5 * record.largest_error).abs() < 1e-6);
}

/// The images that are computed again, the threshold and the counts follow from the images alone.
#[test]
fn the_order_changes_nothing() {
    let images = images(2, 3000, 0.15, 700);
    let there: Vec<usize> = (0..images.len()).collect();
    let (one, _) = run(&images, 5.0, 0, &there);
    let mut back = there.clone();
    back.reverse();
    let mut shuffled = there.clone();
    let mut random = Random(9);
    shuffled.sort_by_cached_key(|_| (random.next() * 1e9) as u64);
    for order in [back, shuffled] {
        let (other, _) = run(&images, 5.0, 0, &order);
        assert_eq!(one.record(), other.record());
        assert!(there.iter().all(|&index| one.known(index) == other.known(index)));
    }
}

#[test]
fn what_is_interrupted_and_read_back_goes_on_the_same() {
    let images = images(3, 2000, 0.1, usize::MAX);
    let order: Vec<usize> = (0..images.len()).collect();
    let (whole, _) = run(&images, 5.0, 0, &order);
    let names: Vec<String> = names(images.len()).into_iter().map(|name| format!("0-{name}")).collect();
    let mut again = Rechecking::new(Recheck { audit_pct: 5.0 }, names.iter().map(String::as_str), &order);
    for &index in order.iter().rev() {
        again.note(index, whole.known(index).unwrap());
    }
    assert!(again.left().is_empty());
    assert_eq!(again.record(), whole.record());
    // A larger audit has all images of the smaller one, and leaves some to do.
    let mut larger = Rechecking::new(Recheck { audit_pct: 50.0 }, names.iter().map(String::as_str), &order);
    order.iter().for_each(|&index| larger.note(index, whole.known(index).unwrap()));
    let left = larger.left();
    assert!(left.len() > 500 && left.iter().all(|&index| whole.known(index).unwrap().exact.is_none()));
}

#[test]
fn where_most_images_are_near_all_are_computed_in_f32_alone() {
    let images = images(4, 2000, 5.0, usize::MAX);
    let order: Vec<usize> = (0..images.len()).collect();
    let (rechecking, reduced) = run(&images, 2.0, 0, &order);
    let record = rechecking.record();
    assert_eq!((record.all_again, record.again), (Some(AllAgain::MostAreNear), 2000));
    assert_eq!((record.missed(), missed(&rechecking, &images)), (0, 0));
    assert!(reduced < 200, "{reduced}");
}

/// With errors of which few are very large, the threshold misses hits. Either the audit finds one, and all are computed again, or no more are
/// missed than it says, but for one run in twenty.
#[test]
fn no_more_hits_are_missed_than_is_said() {
    let (mut beyond, mut all_again, mut some_missed) = (0, 0, 0);
    const RUNS: u64 = 400;
    for seed in 0..RUNS {
        let images = images(seed, 4000, 0.05, 800);
        let order: Vec<usize> = (0..images.len()).collect();
        let (rechecking, _) = run(&images, 5.0, seed, &order);
        let record = rechecking.record();
        let missed = missed(&rechecking, &images);
        all_again += u64::from(record.all_again == Some(AllAgain::AuditFoundAFlip));
        some_missed += u64::from(missed > 0);
        beyond += u64::from(missed > record.missed());
    }
    assert!(some_missed > RUNS / 20, "some hits are missed, or nothing is tested: {some_missed}");
    assert!(all_again > 0, "the audit finds some");
    assert!(beyond <= RUNS / 20, "{beyond} of {RUNS}");
}

#[test]
fn the_bound_is_that_of_independent_draws() {
    let record =
        |audit_pct, images, again| RecheckRecord { audit_pct, images, again, ..RecheckRecord::default() };
    // 0.98^148 is 0.0503, 0.98^149 is 0.0493.
    assert_eq!(record(2.0, 50_000, 8000).missed(), 148);
    assert_eq!(record(2.0, 650, 600).missed(), 50);
    assert_eq!(record(100.0, 50_000, 49_000).missed(), 0);
    assert_eq!(record(0.0, 50_000, 8000).missed(), 42_000);
    assert_eq!(record(2.0, 50_000, 50_000).missed(), 0);
    assert!((record(2.0, 50_000, 8000).missed_pp(50_000) - 0.296).abs() < 1e-9);
    // 0.05 points of 50,000 are 25 hits: 0.89^26 is 0.048, 0.90^26 is 0.065.
    assert_eq!(RecheckRecord::audit_for(50_000, 0.05), Some(11));
    assert_eq!(RecheckRecord::audit_for(50_000, 0.0), Some(96));
}

#[test]
fn the_audit_is_a_random_part_by_the_images_own_names() {
    let names = names(50_000);
    let audited = |audit_pct| {
        let recheck = Recheck { audit_pct };
        names.iter().filter(|name| recheck.audits(name)).count()
    };
    assert!((900..1100).contains(&audited(2.0)), "{}", audited(2.0));
    assert_eq!((audited(0.0), audited(100.0)), (0, 50_000));
    let (small, large) = (Recheck { audit_pct: 1.0 }, Recheck { audit_pct: 7.5 });
    assert!(names.iter().all(|name| !small.audits(name) || large.audits(name)));
    assert!(names.iter().all(|name| small.audits(name) == small.audits(&format!("n01440764/{name}"))));
}

#[test]
fn parts_are_counted_together() {
    let part = |audit_pct, images, again, all_again| RecheckRecord {
        audit_pct,
        images,
        again,
        all_again,
        threshold: 0.5,
        ..RecheckRecord::default()
    };
    let parts = [part(2.0, 100, 10, None), part(4.0, 50, 50, Some(AllAgain::AuditFoundAFlip))];
    let together = RecheckRecord::together(parts.iter()).unwrap();
    assert_eq!((together.images, together.again, together.audit_pct), (150, 60, 2.0));
    assert_eq!((together.missed(), together.all_again), (90, None));
    let found = RecheckRecord { audit_flips: 1, ..together };
    assert!(found.words(models::Dtype::Bf16, 150).contains("found 1 other hits, and their parts"));
    assert!(together.words(models::Dtype::Bf16, 150).contains("found no other hit: at most 60.000 points"));
    assert_eq!(RecheckRecord::together([].iter()), None);
}
