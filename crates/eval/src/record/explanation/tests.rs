//! What explanations say.

use super::*;

fn explanation(needed_pp: Option<f64>, hits: &[(u64, f64)]) -> Explanation {
    let swap = |(number, (top1_hits, mcnemar_p)): (usize, &(u64, f64))| SwapRecord {
        factor: "size".to_owned(),
        swap: format!("number {number}"),
        inputs_changed: 200,
        best_class_changed: 9,
        top1_hits: *top1_hits,
        top5_hits: *top1_hits,
        mcnemar_p: *mcnemar_p,
        recipe: None,
        changes: Vec::new(),
        is_own: false,
        label: None,
    };
    let swaps = hits.iter().enumerate().map(swap).collect();
    Explanation {
        images: 200,
        left_out: 0,
        decoder_warnings: Vec::new(),
        stopped_of: None,
        top1_hits: 140,
        top5_hits: 180,
        needed_pp,
        swaps,
    }
}

#[test]
fn nothing_is_concluded_from_too_little() {
    let few =
        Explanation { images: 2, top1_hits: 0, stopped_of: Some(200), ..explanation(None, &[(2, 1e-9)]) };
    assert_eq!(
        few.conclusion(),
        "no conclusion is drawn from 2 images, at least 30 are needed (stopped after 2 of 200 images)"
    );
    for needed_pp in [None, Some(70.0)] {
        let none = Explanation { top1_hits: 0, ..explanation(needed_pp, &[(0, 1.0), (0, 1.0)]) };
        let words = none.conclusion();
        assert!(
            words.starts_with("no conclusion is drawn, because not one of 200 images is a hit"),
            "{words}"
        );
        // A swap that hits where the recipe never does says much.
        let one = Explanation { top1_hits: 0, ..explanation(needed_pp, &[(140, 1e-9)]) };
        assert!(one.conclusion().contains("size number 0 (+70.0 pp)"), "{}", one.conclusion());
    }
    let stopped =
        Explanation { stopped_of: Some(400), left_out: 3, ..explanation(Some(4.5), &[(150, 0.001)]) };
    let words = stopped.conclusion();
    assert!(words.ends_with(" comes nearest (stopped after 203 of 400 images; 3 images could not be tried)"));
    assert!(!stopped.is_of(203) && Explanation { stopped_of: None, ..stopped }.is_of(203));
}

#[test]
fn the_conclusion_names_the_swap_that_comes_nearest() {
    let hits = [(100, 1e-6), (150, 0.01), (160, 0.001), (147, 0.2)];
    let words = explanation(Some(4.5), &hits).conclusion();
    assert!(words.ends_with("size number 1 (+5.0 pp) comes nearest"), "{words}");
    let words = explanation(Some(-19.0), &hits).conclusion();
    assert!(words.ends_with("size number 0 (-20.0 pp) comes nearest"), "{words}");
    let words = explanation(Some(-1.0), &hits[1..]).conclusion();
    assert!(words.contains("no single swap moves it there"), "{words}");
    let words = explanation(None, &hits).conclusion();
    assert_eq!(
        words,
        "the labels are likeliest with size number 2 (+10.0 pp) instead, beyond chance (p < 0.05 corrected for 4 swaps); not told \
         apart from it: size number 1 (+5.0 pp) / number 3 (+3.5 pp)"
    );
    let words = explanation(None, &hits[..1]).conclusion();
    assert!(
        words.starts_with("not distinguishable from chance: no swap makes the labels likelier"),
        "{words}"
    );
    assert!(explanation(None, &hits[3..]).conclusion().starts_with("not distinguishable from chance"));

    // Of twenty swaps one has such a p by chance.
    let twenty = [(150, 0.01); 20];
    let words = explanation(Some(4.5), &twenty).conclusion();
    assert!(words.contains("no single swap moves it there"), "{words}");
}
/// A swap of 200 images: its factor, by how much labels are likelier, the p of that, and the p of its distance from the likeliest.
fn swap(factor: &str, name: &str, mean_nats: f64, p: f64, p_to_best: f64) -> SwapRecord {
    SwapRecord {
        factor: factor.to_owned(),
        swap: name.to_owned(),
        changes: Vec::new(),
        is_own: false,
        recipe: Some(format!("{factor}={name}")),
        inputs_changed: 200,
        best_class_changed: 9,
        top1_hits: 142,
        top5_hits: 180,
        mcnemar_p: 0.6,
        label: Some(LabelChange {
            mean_nats,
            p,
            mean_p: Some(p),
            p_to_best,
            mean_p_to_best: Some(p_to_best),
        }),
    }
}

fn own(swap: SwapRecord) -> SwapRecord {
    SwapRecord { is_own: true, ..swap }
}

fn said(swaps: Vec<SwapRecord>) -> String {
    let count = swaps.len();
    let found = Explanation { swaps, ..explanation(None, &[]) };
    // Where the tests' sentences are the same.
    found.conclusion().replace(&format!(", beyond chance (p < 0.05 corrected for {count} swaps)"), "").replace(
        &format!("not distinguishable: some swaps make the labels likelier beyond chance (p < 0.05 corrected for {count} swaps), but 200 images do not tell which of these is right"),
        "NOT TOLD",
    )
}

#[test]
fn a_factor_is_named_that_is_told_from_the_others() {
    let far = || {
        vec![
            swap("crop", "160", -0.4, 0.9, 1e-9),
            swap("resize", "256", 0.1, 1e-9, 1e-7),
            swap("decoder", "zune", 0.0, 0.4, 1e-9),
        ]
    };
    let with = |swaps: Vec<SwapRecord>| said(swaps.into_iter().chain(far()).collect());
    let half = || swap("normalisation", "half", 0.3, 1e-9, 1.0);
    let named = "the labels are likeliest with normalisation half (+1.0 pp) instead; try the recipe normalisation=half";
    assert_eq!(with(vec![half()]), named);
    assert_eq!(with(vec![own(half())]), named);
    // Several values of it.
    let other = swap("normalisation", "0.5", 0.29, 1e-9, 0.4);
    assert_eq!(
        with(vec![half(), other.clone()]),
        "the labels are likeliest with normalisation half (+1.0 pp) instead; not told apart from it: normalisation 0.5 (+1.0 pp); try \
         the recipe normalisation=half"
    );
    // The source's own comes first, though another is likelier.
    assert_eq!(
        with(vec![half(), own(other)]),
        "the labels are likelier with normalisation 0.5 (+1.0 pp) instead; not told apart from it: normalisation half (+1.0 pp); try \
         the recipe normalisation=0.5"
    );
    // What makes something worse mends nothing, however far it scatters; what changes no input is the recipe as it is.
    let crop = swap("crop", "192", -0.2, 0.01, 0.7);
    let none = SwapRecord { inputs_changed: 0, ..swap("offset", "floor", 0.0, 1.0, 0.9) };
    let lost = SwapRecord { mcnemar_p: 0.01, top1_hits: 120, ..swap("crop", "128", 0.1, 0.3, 0.7) };
    assert_eq!(with(vec![half(), crop, none, lost]), named);
}

#[test]
fn a_recipe_that_changes_more_is_judged_by_what_candidates_have_in_common() {
    let changes = vec!["crop".to_owned(), "normalisation".to_owned()];
    let recipe = |p_to_best| {
        let swap = swap("recipe", "the model's own, x", 0.28, 1e-9, p_to_best);
        own(SwapRecord { changes: changes.clone(), ..swap })
    };
    let half = swap("normalisation", "half", 0.3, 1e-9, 1.0);
    assert_eq!(
        said(vec![half.clone(), recipe(0.3)]),
        "the labels are likelier with recipe the model's own, x (+1.0 pp) instead; it changes the crop and the normalisation, of which \
         only the normalisation is told from chance; not told apart from it: normalisation half (+1.0 pp); try the recipe \
         recipe=the model's own, x"
    );
    // Told apart, it is still said what it has.
    assert_eq!(
        said(vec![half, recipe(1e-9)]),
        "the labels are likeliest with normalisation half (+1.0 pp) instead; the model's own recipe has another crop and another \
         normalisation, with which top-1 is +1.0 pp, beyond chance; try the recipe normalisation=half"
    );
    // Alone, it is the mend, and all that it changes with it.
    let words = said(vec![recipe(1.0), swap("normalisation", "half", 0.1, 1e-9, 1e-9)]);
    assert!(words.contains("it changes the crop and the normalisation; try"), "{words}");
}

/// `resize=pct:1` of square photographs, by trained weights: filters are told from the recipe as it is, and not from other sizes.
#[test]
fn no_factor_is_named_that_is_not_told_from_another() {
    let filter = swap("filter", "PIL box", 0.036, 3e-5, 1.0);
    let size = swap("resize", "short side 256", 0.030, 0.11, 0.74);
    assert_eq!(
        said(vec![filter.clone(), own(size.clone())]),
        "NOT TOLD: resize short side 256 (+1.0 pp), filter PIL box (+1.0 pp); the model's own recipe, which has \
         another resize, is among them, so begin there; try the recipe resize=short side 256"
    );
    // Nor one that is no likelier by the mean, where the images scatter.
    let scattered = swap("resize", "short side 256", -0.01, 0.8, 0.2);
    assert_eq!(
        said(vec![filter.clone(), scattered]),
        "NOT TOLD: filter PIL box (+1.0 pp), resize short side 256 (+1.0 pp); hold these keys of the recipe against what the weights' source says, or try more images"
    );
    // The likeliest is not told from the recipe as it is, others of its factor are.
    let nearest = swap("filter", "nearest", 0.043, 0.022, 1.0);
    let lanczos = swap("filter", "lanczos", 0.030, 1e-5, 0.4);
    let words = said(vec![nearest, SwapRecord { label: filter.label, ..filter }, lanczos, own(size)]);
    assert!(
        words.starts_with(
            "NOT TOLD: resize short side 256 (+1.0 pp), filter nearest (+1.0 pp) / 2 more, or the recipe as it is; the model's own \
             recipe, which has another resize, is among them"
        ),
        "{words}"
    );
}

#[test]
fn a_size_is_no_proof() {
    let crop = swap("crop", "260", 0.3, 1e-9, 1.0);
    let words = said(vec![crop.clone(), swap("filter", "box", 0.1, 1e-9, 1e-9)]);
    assert_eq!(
        words,
        "the labels are likeliest with crop 260 (+1.0 pp) instead; more pixels often help where nothing is wrong, so that this is no \
         proof; try the recipe crop=260"
    );
    // But that of the source is one.
    assert!(!said(vec![own(crop.clone())]).contains("no proof"));
    // Colours that help come before a size.
    assert_eq!(
        said(vec![crop, swap("channels", "RGB", 0.1, 1e-9, 1e-9)]),
        "the labels are likelier with channels RGB (+1.0 pp) instead; they are likeliest with crop 260 (+1.0 pp), but more pixels often \
         help where nothing is wrong; try the recipe channels=RGB"
    );
}

#[test]
fn chance_is_said_to_be_chance_and_what_the_source_has_is_said() {
    let words = said(vec![swap("filter", "box", 0.3, 0.03, 1.0), own(swap("resize", "256", 0.01, 0.4, 0.5))]);
    assert!(
        words.starts_with("not distinguishable from chance: no swap makes the labels likelier"),
        "{words}"
    );
    assert!(
        words.contains("; the model's own recipe has another resize, with which top-1 is +1.0 pp, no more than chance; more images"),
        "{words}"
    );
    let same = SwapRecord { inputs_changed: 0, ..own(swap("decoder", "PIL", 0.0, 1.0, 0.03)) };
    let words = said(vec![swap("filter", "box", 0.3, 0.03, 1.0), same]);
    assert!(words.contains("another decoder, which changes the input of none of these images"), "{words}");
}

#[test]
fn labels_say_more_than_flips_of_a_documented_figure() {
    let mut found = explanation(Some(3.5), &[]);
    let to = |top1_hits, swap| SwapRecord { top1_hits, ..swap };
    found.swaps = vec![
        to(146, swap("filter", "box", 0.28, 1e-8, 0.4)),
        to(148, swap("crop", "260", 0.3, 1e-9, 1.0)),
        to(145, swap("crop", "240", 0.1, 0.4, 0.1)),
    ];
    let words = found.conclusion();
    assert!(
        words.ends_with("filter box (+3.0 pp) comes nearest; so do, less near, crop 260 (+4.0 pp); try the recipe filter=box"),
        "{words}"
    );
    found.needed_pp = Some(-3.5);
    assert!(found.conclusion().contains("no single swap moves it there"), "{}", found.conclusion());
}

/// ImageNet's normalisation, by trained weights: ranks find it, and the mean at the best temperatures confirms it.
#[test]
fn what_ranks_find_the_mean_confirms_without_a_correction() {
    let mut right = own(swap("normalisation", "to [-1, 1]", 0.155, 1e-6, 1.0));
    right.label.as_mut().unwrap().mean_p = Some(0.008);
    let mut filter = swap("filter", "box", 0.02, 0.3, 1e-7);
    filter.label.as_mut().unwrap().mean_p_to_best = Some(0.02);
    let words = said(vec![right, filter]);
    assert!(words.starts_with("the labels are likeliest with normalisation to [-1, 1]"), "{words}");
}

/// Nearest-neighbour sampling, by trained weights: a smaller crop makes the network more certain of nearly all images.
#[test]
fn what_only_makes_a_network_more_certain_is_no_mend() {
    let mut crop = swap("crop", "192", 0.016, 3e-8, 1.0);
    crop.label.as_mut().unwrap().mean_p = Some(0.6);
    let words = said(vec![crop.clone(), own(swap("filter", "PIL bicubic", -0.004, 0.4, 1e-10))]);
    assert!(words.starts_with("not distinguishable from chance"), "{words}");
    assert!(
        words.contains(
            "the model's own recipe has another filter, with which top-1 is +1.0 pp, no more than chance"
        ),
        "{words}"
    );
    // Nor does it tell others from what is likeliest.
    let mut filter = swap("filter", "box", 0.3, 1e-9, 1.0);
    filter.label.as_mut().unwrap().mean_p_to_best = Some(1.0);
    crop.label.as_mut().unwrap().p_to_best = 1e-9;
    crop.label.as_mut().unwrap().mean_p_to_best = Some(0.2);
    let words = said(vec![crop, filter]);
    assert!(words.starts_with("NOT TOLD: filter box (+1.0 pp), crop 192 (+1.0 pp)"), "{words}");
}
