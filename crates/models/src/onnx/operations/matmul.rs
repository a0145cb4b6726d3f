//! Products of matrices.

use graph::operations::{Binary, Linear, MatMul, Operation, Product, Scale, Transpose};
use graph::{Parameter, Role, Shape};

use super::super::call::{Call, Outputs, one};
use super::super::known::Floats;
use super::super::trouble::Trouble;
use super::binary::of_floats;
use super::transpose::reordered;
use super::{Entry, integer};

pub(super) const OPERATIONS: &[Entry] = &[("MatMul", matmul), ("Gemm", gemm), ("Einsum", einsum)];

fn matmul(call: &mut Call<'_>) -> Outputs {
    if let Some(result) = integer::product_of_dequantised(call, false, None)? {
        return one(result);
    }
    let (a, b) = (call.floats(0)?, call.floats(1)?);
    one(product(call, &a, &b, plain)?)
}

/// The product of floating-point numbers.
fn plain(product: Product) -> Operation {
    match product {
        Product::Convolution(convolution) => convolution.into(),
        Product::Linear(linear) => linear.into(),
        Product::MatMul(matmul) => matmul.into(),
    }
}

/// The product of the matrices in the last two axes. That with a constant matrix is a fully connected layer.
pub(super) fn product(
    call: &mut Call<'_>,
    a: &Floats,
    b: &Floats,
    as_operation: impl FnOnce(Product) -> Operation,
) -> Result<Floats, Trouble> {
    let (&[ref before_a @ .., rows, depth], &[ref before_b @ .., depth_b, columns]) =
        (&a.axes[..], &b.axes[..])
    else {
        return Err(
            format!("{:?} and {:?} are multiplied; only matrices are supported", a.axes, b.axes).into()
        );
    };
    if depth != depth_b {
        return Err(format!("{:?} and {:?} cannot be multiplied", a.axes, b.axes).into());
    }
    let before = Shape::new(before_a).repeated_with(&Shape::new(before_b))?;
    let axes = [before.axes(), &[rows, columns]].concat();
    if let (Some(weight), true) = (call.on.constant(b.value), before_b.iter().all(|&size| size == 1))
        && call.on.constant(a.value).is_none()
        && axes[..axes.len() - 2] == *before_a
    {
        let weight = Parameter::new(weight.key.clone(), Role::Linear { fan_in: depth }, [depth, columns]);
        let linear = Product::Linear(Linear { weight, bias: None });
        return call.push(as_operation(linear), &[a.value], axes);
    }
    let matrices = [a, b].map(|x| match call.on.shape(x.value).axes().len() {
        0 | 1 => call.on.whole(x),
        _ => x.value,
    });
    call.push(as_operation(Product::MatMul(MatMul)), &matrices, axes)
}

/// `alpha * a * b + beta * c`, either transposed first.
fn gemm(call: &mut Call<'_>) -> Outputs {
    let (mut a, mut b) = (call.floats(0)?, call.floats(1)?);
    if a.axes.len() != 2 || b.axes.len() != 2 {
        return Err(format!("{:?} and {:?} are multiplied; it is of matrices", a.axes, b.axes).into());
    }
    let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
    call.ignore(&["broadcast"]);
    if [alpha, beta] == [1.0; 2] && !call.flag("transA", false)? {
        let is_transposed = call.flag("transB", false)?;
        if let Some(result) = integer::product_of_dequantised(call, is_transposed, Some(2))? {
            return one(result);
        }
    }
    if call.flag("transA", false)? {
        a = reordered(call, &a, &[1, 0])?;
    }
    if call.flag("transB", false)? {
        // A matrix of one row has lost it in the graph.
        let whole = call.on.whole(&b);
        let axes = [b.axes[1], b.axes[0]];
        b = call.push(Transpose { axes: vec![1, 0] }, &[whole], axes)?;
    }
    let mut result = product(call, &a, &b, plain)?;
    if alpha != 1.0 {
        result = call.push(Scale { factor: f64::from(alpha) }, &[result.value], result.axes.clone())?;
    }
    if call.has(2) && beta != 0.0 {
        let mut c = call.floats(2)?;
        if beta != 1.0 {
            let factor = call.on.values(vec![beta], [1]);
            c = of_floats(call.on, Binary::Mul, &c, &factor)?;
        }
        result = of_floats(call.on, Binary::Add, &result, &c)?;
    }
    one(result)
}

/// An equation of two values, each of whose letters is summed over or comes out, is a product of matrices: the letters of both
/// that come out are its batch.
fn einsum(call: &mut Call<'_>) -> Outputs {
    let equation: String = call.text("equation", "")?.chars().filter(|c| !c.is_whitespace()).collect();
    let unsupported = || {
        Trouble::from(format!(
            "its equation is `{equation}`; products of two values, such as `bhid,bhjd->bhij`, are supported"
        ))
    };
    let (terms, out) = equation.split_once("->").ok_or_else(unsupported)?;
    let (of_a, of_b) = terms.split_once(',').ok_or_else(unsupported)?;
    let is_plain = |term: &str| {
        let letters: Vec<char> = term.chars().collect();
        letters
            .iter()
            .enumerate()
            .all(|(at, letter)| letter.is_ascii_alphabetic() && !letters[..at].contains(letter))
    };
    let (a, b) = (call.floats(0)?, call.floats(1)?);
    if call.inputs.len() != 2 || ![of_a, of_b, out].into_iter().all(is_plain) {
        return Err(unsupported());
    }
    if of_a.len() != a.axes.len() || of_b.len() != b.axes.len() {
        return Err(unsupported());
    }
    let letters =
        |term: &str, wanted: &dyn Fn(char) -> bool| term.chars().filter(|&c| wanted(c)).collect::<String>();
    let batch = letters(out, &|c| of_a.contains(c) && of_b.contains(c));
    let rows = letters(of_a, &|c| out.contains(c) && !of_b.contains(c));
    let columns = letters(of_b, &|c| out.contains(c) && !of_a.contains(c));
    let summed = letters(of_a, &|c| of_b.contains(c) && !out.contains(c));
    let is_all =
        |term: &str, parts: [&str; 3]| parts.iter().map(|part| part.len()).sum::<usize>() == term.len();
    if !is_all(of_a, [&batch, &rows, &summed])
        || !is_all(of_b, [&batch, &columns, &summed])
        || !is_all(out, [&batch, &rows, &columns])
    {
        return Err(unsupported());
    }
    let size = |letter: char| {
        let at = |term: &str, axes: &[usize]| term.find(letter).map(|place| axes[place]);
        at(of_a, &a.axes).or_else(|| at(of_b, &b.axes)).unwrap_or(1)
    };
    let sizes = |letters: &str| letters.chars().map(size).collect::<Vec<usize>>();
    let count = |letters: &str| sizes(letters).iter().product::<usize>();
    let mut as_matrices = |x: &Floats, term: &str, order: [&str; 3]| -> Result<Floats, Trouble> {
        let order_of: Vec<usize> = order.concat().chars().filter_map(|letter| term.find(letter)).collect();
        let moved = reordered(call, x, &order_of)?;
        Ok(call.on.floats(moved.value, order.map(count)))
    };
    let a = as_matrices(&a, of_a, [&batch, &rows, &summed])?;
    let b = as_matrices(&b, of_b, [&batch, &summed, &columns])?;
    let result = product(call, &a, &b, plain)?;
    let order = [batch.as_str(), rows.as_str(), columns.as_str()].concat();
    let whole = call.on.floats(result.value, sizes(&order));
    let out_order: Vec<usize> = out.chars().filter_map(|letter| order.find(letter)).collect();
    one(reordered(call, &whole, &out_order)?)
}
