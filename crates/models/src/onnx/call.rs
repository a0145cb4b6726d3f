//! A node as its operation sees it: inputs that are known, attributes by name and type, and the graph to add to.

use std::cell::RefCell;
use std::collections::HashSet;

use graph::operations::Operation;
use graph::{Parameter, Role, Value};

use super::emitter::Emitter;
use super::file::{AttributeValue, ElementType, NodeProto, TensorProto};
use super::known::{Floats, Ints, Known, Quantised};
use super::trouble::Trouble;

/// What a node puts out, or why it is not imported.
pub(super) type Outputs = Result<Vec<Known>, Trouble>;

/// A node of an operation.
pub(super) struct Call<'a> {
    pub(super) on: &'a mut Emitter,
    pub(super) node: &'a NodeProto,
    pub(super) opset: i64,
    pub(super) inputs: Vec<Known>,
    /// Attributes that the operation asked for.
    pub(super) asked: RefCell<HashSet<&'a str>>,
}

impl<'a> Call<'a> {
    /// Whether the input is given.
    pub(super) fn has(&self, index: usize) -> bool {
        !matches!(self.inputs.get(index), None | Some(Known::Nothing))
    }

    pub(super) fn known(&self, index: usize) -> Result<&Known, Trouble> {
        self.inputs.get(index).ok_or_else(|| format!("input {index} is lacking").into())
    }

    /// A floating-point input.
    pub(super) fn floats(&self, index: usize) -> Result<Floats, Trouble> {
        match self.inputs.get(index) {
            Some(Known::Floats(floats)) => Ok(floats.clone()),
            Some(Known::Ints(ints)) => Err(format!(
                "input {index} is of {}; it is computed of floating-point numbers here",
                ints.element
            )
            .into()),
            Some(Known::Quantised(quantised)) => Err(format!(
                "input {index} is of {}, quantised; it is computed of floating-point numbers here, which DequantizeLinear makes of it",
                quantised.element
            )
            .into()),
            Some(Known::Nothing) | None => Err(format!("input {index} is lacking").into()),
        }
    }

    /// An input of few bits an integer, as a value of the graph.
    pub(super) fn quantised(&mut self, index: usize) -> Result<Quantised, Trouble> {
        match self.inputs.get(index) {
            Some(Known::Quantised(quantised)) => Ok(quantised.clone()),
            Some(Known::Ints(ints)) if ints.element.small_integers().is_some() => {
                let Ints { axes, values, element } = ints.clone();
                let of = self.on.values(values.into_iter().map(|value| value as f32).collect(), axes);
                Ok(Quantised { of, element })
            }
            Some(Known::Ints(ints)) => {
                Err(format!("input {index} is of {}; uint8 and int8 are supported there", ints.element)
                    .into())
            }
            Some(Known::Floats(_)) => {
                Err(format!("input {index} holds floating-point numbers where integers belong").into())
            }
            Some(Known::Nothing) | None => Err(format!("input {index} is lacking").into()),
        }
    }

    /// An input of eight bits an integer.
    pub(super) fn eight_bits(&mut self, index: usize) -> Result<Quantised, Trouble> {
        let quantised = self.quantised(index)?;
        if quantised.element.is_eight_bits() {
            return Ok(quantised);
        }
        Err(format!("input {index} is of {}; uint8 and int8 are supported there", quantised.element).into())
    }

    /// An input of integers.
    pub(super) fn ints(&self, index: usize) -> Result<&Ints, Trouble> {
        match self.inputs.get(index) {
            Some(Known::Ints(ints)) => Ok(ints),
            Some(Known::Floats(_)) => {
                Err(format!("input {index} holds floating-point numbers where integers belong").into())
            }
            Some(Known::Quantised(_)) => {
                Err(format!("input {index} is computed from the image; only a constant is supported there")
                    .into())
            }
            Some(Known::Nothing) | None => Err(format!("input {index} is lacking").into()),
        }
    }

    /// The integers of an optional input.
    pub(super) fn ints_if_given(&self, index: usize) -> Result<Option<Vec<i64>>, Trouble> {
        if self.has(index) { Ok(Some(self.ints(index)?.values.clone())) } else { Ok(None) }
    }

    /// Floating-point numbers that no image changes.
    pub(super) fn numbers(&self, index: usize) -> Result<Vec<f32>, Trouble> {
        let floats = self.floats(index)?;
        let numbers = self.on.numbers(floats.value)?;
        numbers.ok_or_else(|| {
            format!("input {index} is computed from the image; only a constant is supported there").into()
        })
    }

    /// An input as a parameter of an operation, in the ONNX value's axes.
    pub(super) fn parameter(&self, index: usize, role: Role) -> Result<Parameter, Trouble> {
        let floats = self.floats(index)?;
        match self.on.constant(floats.value) {
            Some(parameter) => Ok(Parameter::new(parameter.key.clone(), role, floats.axes)),
            None => Err(format!(
                "input {index} is computed from the image; only weights that are constant are supported there"
            )
            .into()),
        }
    }

    fn attribute(&self, name: &'static str) -> Option<&'a AttributeValue> {
        self.asked.borrow_mut().insert(name);
        self.node.attributes.iter().find(|attribute| attribute.name == name).map(|found| &found.value)
    }

    pub(super) fn has_attribute(&self, name: &'static str) -> bool {
        self.attribute(name).is_some()
    }

    pub(super) fn int(&self, name: &'static str, default: i64) -> Result<i64, Trouble> {
        match self.attribute(name) {
            None => Ok(default),
            Some(&AttributeValue::Int(value)) => Ok(value),
            Some(_) => Err(format!("the attribute {name} is no integer").into()),
        }
    }

    pub(super) fn flag(&self, name: &'static str, default: bool) -> Result<bool, Trouble> {
        Ok(self.int(name, default.into())? != 0)
    }

    pub(super) fn float(&self, name: &'static str, default: f32) -> Result<f32, Trouble> {
        match self.attribute(name) {
            None => Ok(default),
            Some(&AttributeValue::Float(value)) => Ok(value),
            Some(_) => Err(format!("the attribute {name} is no floating-point number").into()),
        }
    }

    pub(super) fn text(&self, name: &'static str, default: &'static str) -> Result<&'a str, Trouble> {
        match self.attribute(name) {
            None => Ok(default),
            Some(AttributeValue::Text(text)) => Ok(text),
            Some(_) => Err(format!("the attribute {name} is no text").into()),
        }
    }

    pub(super) fn list(&self, name: &'static str) -> Result<Option<&'a [i64]>, Trouble> {
        match self.attribute(name) {
            None => Ok(None),
            Some(AttributeValue::Ints(values)) => Ok(Some(values)),
            Some(_) => Err(format!("the attribute {name} is no list of integers").into()),
        }
    }

    pub(super) fn float_list(&self, name: &'static str) -> Result<Option<&'a [f32]>, Trouble> {
        match self.attribute(name) {
            None => Ok(None),
            Some(AttributeValue::Floats(values)) => Ok(Some(values)),
            Some(_) => Err(format!("the attribute {name} is no list of floating-point numbers").into()),
        }
    }

    pub(super) fn tensor(&self, name: &'static str) -> Result<Option<&'a TensorProto>, Trouble> {
        match self.attribute(name) {
            None => Ok(None),
            Some(AttributeValue::Tensor(tensor)) => Ok(Some(tensor)),
            Some(_) => Err(format!("the attribute {name} is no tensor").into()),
        }
    }

    /// Attributes on which nothing depends here.
    pub(super) fn ignore(&self, names: &[&'static str]) {
        self.asked.borrow_mut().extend(names);
    }

    /// An attribute that the operation did not ask for.
    pub(super) fn unasked(&self) -> Option<&'a str> {
        let asked = self.asked.borrow();
        let names = self.node.attributes.iter().map(|attribute| attribute.name.as_str());
        names.into_iter().find(|name| !asked.contains(name))
    }

    /// The axis that is meant by a number of which negative ones count from the end.
    pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Trouble> {
        let counted = if axis < 0 { axis.saturating_add_unsigned(rank as u64) } else { axis };
        let found = usize::try_from(counted).ok().filter(|&axis| axis < rank.max(1));
        found.ok_or_else(|| format!("there is no axis {axis} of {rank}").into())
    }

    /// Adds an operation whose result is the ONNX value of `axes`.
    pub(super) fn push(
        &mut self,
        operation: impl Into<Operation>,
        inputs: &[Value],
        axes: impl Into<Vec<usize>>,
    ) -> Result<Floats, Trouble> {
        let value = self.on.push(operation, inputs)?;
        Ok(self.on.floats(value, axes))
    }

    /// The element type of an attribute such as Cast's `to`.
    pub(super) fn element(&self, name: &'static str, default: ElementType) -> Result<ElementType, Trouble> {
        let number = self.int(name, i64::from(default.0))?;
        Ok(ElementType(i32::try_from(number).unwrap_or(0)))
    }
}

impl From<Floats> for Known {
    fn from(floats: Floats) -> Self {
        Self::Floats(floats)
    }
}

impl From<Quantised> for Known {
    fn from(quantised: Quantised) -> Self {
        Self::Quantised(quantised)
    }
}

impl From<Ints> for Known {
    fn from(ints: Ints) -> Self {
        Self::Ints(ints)
    }
}

/// What an operation of one output puts out.
pub(super) fn one(known: impl Into<Known>) -> Outputs {
    Ok(vec![known.into()])
}
