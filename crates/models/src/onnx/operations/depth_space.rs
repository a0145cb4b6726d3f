//! Channels made pixels, and pixels made channels.

use super::super::call::{Call, Outputs, one};
use super::super::trouble::Trouble;
use super::transpose::reordered;
use super::{Entry, window};

pub(super) const OPERATIONS: &[Entry] = &[("DepthToSpace", depth_to_space), ("SpaceToDepth", space_to_depth)];

fn block(call: &Call<'_>) -> Result<usize, Trouble> {
    match usize::try_from(call.int("blocksize", 0)?) {
        Ok(block @ 1..=0xffff) => Ok(block),
        _ => Err("its blocksize is no size".into()),
    }
}

fn depth_to_space(call: &mut Call<'_>) -> Outputs {
    let (x, [channels, height, width]) = window::map(call)?;
    let block = block(call)?;
    let out = channels / (block * block);
    if out * block * block != channels {
        return Err(format!("{channels} channels make no blocks of {block} x {block}").into());
    }
    // Where the block's axes lie among the channels.
    let (axes, order) = match call.text("mode", "DCR")? {
        "DCR" => ([1, block, block, out, height, width], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([1, out, block, block, height, width], [0, 1, 4, 2, 5, 3]),
        other => return Err(format!("its mode is `{other}`; DCR and CRD are known").into()),
    };
    let split = call.on.floats(x.value, axes);
    let moved = reordered(call, &split, &order)?;
    one(call.on.floats(moved.value, [1, out, height * block, width * block]))
}

fn space_to_depth(call: &mut Call<'_>) -> Outputs {
    let (x, [channels, height, width]) = window::map(call)?;
    let block = block(call)?;
    let [rows, columns] = [height / block, width / block];
    if [rows * block, columns * block] != [height, width] {
        return Err(format!("{height} x {width} pixels make no blocks of {block} x {block}").into());
    }
    let split = call.on.floats(x.value, [1, channels, rows, block, columns, block]);
    let moved = reordered(call, &split, &[0, 3, 5, 1, 2, 4])?;
    one(call.on.floats(moved.value, [1, channels * block * block, rows, columns]))
}
