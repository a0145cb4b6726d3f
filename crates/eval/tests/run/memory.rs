//! A batch that does not fit into the device's memory.

use super::*;

/// A network whose device computes so many images at once, and says these words of more.
struct Cramped {
    inner: Executable,
    most: usize,
    words: &'static str,
}

impl Forward for Cramped {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        // `resume_unwind` keeps the test's output quiet.
        if images.dims()[0] > self.most {
            std::panic::resume_unwind(Box::new(self.words.to_owned()));
        }
        self.inner.forward(images)
    }
}

/// A run by such a network.
fn run_cramped(most: usize, words: &'static str, path: &Path) -> Result<Outcome, EvalError> {
    let plan = plan(&Options { batch: Some(5), ..Options::default() })?;
    let entry = plan.models[0].model.network();
    let network = entry.build();
    let checkpoint = models::weights::seeded(&network, entry.name).unwrap();
    let mut weights = network.weights(&checkpoint).unwrap();
    let (device, dtype) = (plan.placement.burn_device(), Dtype::F32);
    let graph = network.graph().fold_norms();
    let inner = Executable::load(&graph, &mut weights, device, dtype, Products::AsModules).unwrap();
    let classifier = Classifier::by_burn(Box::new(Cramped { inner, most, words }), &plan.placement);
    let mut networks = Networks::of(&plan);
    networks.insert(0, LoadedModel { classifier, exact: None, weights: WeightsSource::Seeded });
    run_with(&plan, &mut networks, path, usize::MAX)
}

#[test]
fn a_batch_too_large_for_memory_is_retried_smaller_and_recorded() {
    let (whole, small) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(&plan(&Options::default()).unwrap(), whole.path()).unwrap();
    let outcome = run_cramped(2, "out of memory", small.path()).unwrap();
    assert_eq!(results(small.path()), results(whole.path()));
    let smaller = &outcome.record.sessions[0].smaller_batches;
    assert_eq!((smaller.len(), smaller[0].id.as_str(), smaller[0].batch), (1, MODEL, 2));
    let report = fs::read_to_string(small.path().join("report.md")).unwrap();
    assert!(report.contains("did not fit into memory; 2 images at once were computed"), "{report}");

    let none = tempfile::tempdir().unwrap();
    let error = run_cramped(0, "out of memory", none.path()).unwrap_err().to_string();
    assert!(error.contains("failed on a batch of one image: out of memory"), "{error}");
}

/// What has nothing to do with memory is not called so, and smaller batches are not what mends it.
#[test]
fn a_batch_that_fails_for_another_reason_is_computed_image_by_image() {
    let words = "index out of bounds: the len is 3 but the index is 7";
    let (whole, flawed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(&plan(&Options::default()).unwrap(), whole.path()).unwrap();
    let outcome = run_cramped(1, words, flawed.path()).unwrap();
    assert_eq!(results(flawed.path()), results(whole.path()));
    assert!(outcome.record.sessions[0].smaller_batches.is_empty());
    let report = fs::read_to_string(flawed.path().join("report.md")).unwrap();
    assert!(!report.contains("did not fit into memory"), "{report}");

    // Where no image can be computed, the run stops and says of what.
    let none = tempfile::tempdir().unwrap();
    let error = run_cramped(0, words, none.path()).unwrap_err().to_string();
    assert!(
        error.contains(&format!("{MODEL}: the network failed on sample_00000001.JPEG to sample_")),
        "{error}"
    );
    assert!(error.contains(words) && !error.contains("memory"), "{error}");
    let record: RunRecord = serde_json::from_slice(&fs::read(none.path().join("run.json")).unwrap()).unwrap();
    assert!(record.state == RunState::Interrupted && record.sessions[0].smaller_batches.is_empty());
}
