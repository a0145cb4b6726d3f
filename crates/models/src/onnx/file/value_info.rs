//! Inputs and outputs as a file declares them.

use super::element::ElementType;
use super::wire::{Fault, Source, Span};

#[derive(Debug, Default)]
pub(crate) struct ValueInfoProto {
    pub(crate) name: String,
    /// None of what is no tensor.
    pub(crate) element: Option<ElementType>,
    /// None where the file does not say.
    pub(crate) dims: Option<Vec<Dimension>>,
}

/// An axis of an input or output as the file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// So many elements.
    Known(i64),
    /// Any number, by this name.
    Free(String),
}

impl Source<'_> {
    pub(super) fn value_info(&self, span: Span) -> Result<ValueInfoProto, Fault> {
        let mut value = ValueInfoProto::default();
        let mut fields = self.message(span);
        while let Some((number, held)) = fields.next()? {
            match number {
                1 => value.name = self.text(held.span(&fields)?)?,
                2 => self.value_type(held.span(&fields)?, &mut value)?,
                _ => {}
            }
        }
        Ok(value)
    }

    fn value_type(&self, span: Span, value: &mut ValueInfoProto) -> Result<(), Fault> {
        let mut kinds = self.message(span);
        while let Some((number, held)) = kinds.next()? {
            // A tensor; sequences and maps have other numbers.
            if number != 1 {
                continue;
            }
            let mut fields = self.message(held.span(&kinds)?);
            while let Some((number, held)) = fields.next()? {
                match number {
                    1 => value.element = Some(ElementType(i32::try_from(held.int(&fields)?).unwrap_or(0))),
                    2 => value.dims = Some(self.dims(held.span(&fields)?)?),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn dims(&self, span: Span) -> Result<Vec<Dimension>, Fault> {
        let mut dims = Vec::new();
        let mut axes = self.message(span);
        while let Some((number, held)) = axes.next()? {
            if number != 1 {
                continue;
            }
            self.count(&axes)?;
            let mut dim = Dimension::Free(String::new());
            let mut fields = self.message(held.span(&axes)?);
            while let Some((number, held)) = fields.next()? {
                match number {
                    1 => dim = Dimension::Known(held.int(&fields)?),
                    2 => dim = Dimension::Free(self.text(held.span(&fields)?)?),
                    _ => {}
                }
            }
            dims.push(dim);
        }
        Ok(dims)
    }
}
