//! What a network counts by every rule, at every size that somebody claims something of: all that a claim of FLOPs or parameters
//! is held against, and what a run keeps, so that it can be judged by other cards later.

use models::complexity::{Cost, FlopsRule, ParamsRule};
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
        let of_size = counts_of(&network.costs(size)?, Some(size));
        // Parameters are the same at every size.
        let is_first = Some(&size) == sizes.first();
        counts.extend(of_size.into_iter().filter(|count| count.input_size.is_some() || is_first));
    }
    Ok(counts)
}

/// The counts of a network's `costs` by all rules, those of operations at `input_size`.
pub fn counts_of(costs: &[Cost], input_size: Option<usize>) -> Vec<CountRecord> {
    let of = |rule: &str, input_size, count| CountRecord { rule: rule.to_owned(), input_size, count };
    let flops = FlopsRule::ALL.map(|rule| of(rule.name(), input_size, rule.count(costs)));
    let params = ParamsRule::ALL.map(|rule| of(rule.name(), None, rule.count(costs)));
    flops.into_iter().chain(params).collect()
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
