//! What a network counts by every rule, at every size that somebody claims something of: all that a claim of FLOPs or parameters
//! is held against, and what a run keeps, so that it can be judged by other cards later.

use models::complexity::{FlopsRule, ParamsRule};
use models::{Network, ShapeError};
use serde::{Deserialize, Serialize};

use crate::definitions::Claim;

/// A count by one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountRecord {
    /// The rule's name.
    pub rule: String,
    /// Side of the square input that was counted, in pixels; none for parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_size: Option<usize>,
    /// The count, in operations or parameters.
    pub count: u64,
}

/// The counts of `network` at `sizes`, by all rules.
///
/// # Errors
/// [`ShapeError`] when the network takes no image of one of the sizes.
pub fn counts(network: &Network, sizes: &[usize]) -> Result<Vec<CountRecord>, ShapeError> {
    let mut counts = Vec::new();
    for &size in sizes {
        let costs = network.costs(size)?;
        counts.extend(FlopsRule::ALL.map(|rule| CountRecord {
            rule: rule.name().to_owned(),
            input_size: Some(size),
            count: rule.count(&costs),
        }));
        if Some(&size) == sizes.first() {
            counts.extend(ParamsRule::ALL.map(|rule| CountRecord {
                rule: rule.name().to_owned(),
                input_size: None,
                count: rule.count(&costs),
            }));
        }
    }
    Ok(counts)
}

/// The sizes at which counts are needed: the model's own first, then those that are claimed.
pub(crate) fn sizes(input_size: usize, claims: &[Claim<'_>]) -> Vec<usize> {
    let mut sizes = vec![input_size];
    for size in claims.iter().filter_map(|claim| claim.row.flops_g.as_ref()?.input_size) {
        if !sizes.contains(&size) {
            sizes.push(size);
        }
    }
    sizes
}

/// The count by the rule called `rule`, if it is there.
pub(crate) fn find(counts: &[CountRecord], rule: &str, input_size: Option<usize>) -> Option<u64> {
    counts.iter().find(|it| it.rule == rule && it.input_size == input_size).map(|it| it.count)
}
