//! How numpy takes an array apart, and what the calls in a pickle would put together.

use std::io::{BufRead, Seek};

use super::Pickle;
use super::object::{Array, Global, Id, Object, Result, Span, malformed, refused};

/// Items of an argument list or state; a dtype's state has eight.
const MAX_ARGUMENTS: usize = 10;

impl<R: BufRead + Seek> Pickle<R> {
    pub(super) fn global(&mut self, module: &str, name: &str) -> Result<()> {
        let global = match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Global::Reconstruct,
            ("numpy", "ndarray") => Global::NdArray,
            ("numpy", "dtype") => Global::Dtype,
            ("_codecs", "encode") => Global::Encode,
            ("builtins" | "__builtin__", "tuple") => Global::Tuple,
            _ => return refused(format!("it names {module}.{name}, which no array needs")),
        };
        self.push(Object::Global(global))
    }

    /// The items of a tuple that is an argument list or a state; those of arrays are short, and a long one
    /// would cost time at every call.
    fn short_tuple(&self, id: Id) -> Option<Vec<Id>> {
        match self.object(id) {
            Object::Tuple(items) if items.len() <= MAX_ARGUMENTS => Some(items.clone()),
            _ => None,
        }
    }

    /// What a call of one of the known globals would give.
    pub(super) fn reduce(&mut self) -> Result<()> {
        let parts = self.pop_many(2)?;
        let (&Object::Global(global), Some(arguments)) = (self.object(parts[0]), self.short_tuple(parts[1]))
        else {
            return refused("it calls something that is no numpy function".to_owned());
        };
        let object = match (global, &arguments[..]) {
            (Global::Reconstruct, [class, ..]) if *self.object(*class) == Object::Global(Global::NdArray) => {
                Object::Array(Box::default())
            }
            (Global::Dtype, [name, ..]) => match self.name(*name)? {
                Some(name) => Object::Dtype { name, big_endian: false },
                None => return malformed("a dtype has no name"),
            },
            (Global::Encode, [text, encoding]) => {
                let encoding = self.name(*encoding)?;
                match (self.object(*text), encoding.as_deref()) {
                    (&Object::Text(span), Some("latin1" | "latin-1")) => {
                        Object::Bytes(Span { latin1: true, ..span })
                    }
                    _ => return refused("it encodes something else than bytes written as text".to_owned()),
                }
            }
            (Global::Tuple, [items]) => match self.short_tuple(*items) {
                Some(items) => Object::Tuple(items),
                None => return malformed("it makes a tuple of what is none"),
            },
            _ => return refused("it calls a numpy function in a way that no array needs".to_owned()),
        };
        self.push(object)
    }

    /// Gives an array or a dtype its state.
    pub(super) fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let id = self.top()?;
        let object = match (self.object(id), self.short_tuple(state).as_deref()) {
            (Object::Dtype { name, .. }, Some(&[_, order, ..])) => {
                let name = name.clone();
                Object::Dtype { name, big_endian: self.name(order)?.as_deref() == Some(">") }
            }
            (Object::Array(_), Some(&[_version, shape, dtype, fortran, data])) => {
                Object::Array(Box::new(self.array_of(shape, dtype, fortran, data)?))
            }
            _ => return refused("it gives an object a state that no array has".to_owned()),
        };
        self.objects[id as usize] = object;
        Ok(())
    }

    fn array_of(&self, shape: Id, dtype: Id, fortran: Id, data: Id) -> Result<Array> {
        let (Object::Tuple(sides), Object::Dtype { name, big_endian }, &Object::Bool(fortran_order)) =
            (self.object(shape), self.object(dtype), self.object(fortran))
        else {
            return malformed("an array has no shape, type or order");
        };
        let (Object::Bytes(span) | Object::String(span)) = *self.object(data) else {
            return malformed("an array has no data");
        };
        if sides.len() > MAX_ARGUMENTS {
            return malformed("an array has more axes than any weight");
        }
        let side = |id: &Id| match *self.object(*id) {
            Object::Int(side) => usize::try_from(side).or_else(|_| malformed("an array has a negative side")),
            _ => malformed("an array's shape is not made of integers"),
        };
        Ok(Array {
            shape: sides.iter().map(side).collect::<Result<_>>()?,
            dtype: name.clone(),
            big_endian: *big_endian,
            fortran_order,
            data: Some(span),
        })
    }
}
