use std::collections::HashMap;

use super::{
    OnnxError,
    error::{Result, shown},
    import::Value,
    proto::{AttributeProto, GraphProto, TensorProto},
};

/// A node as the importer sees it: its operands found, its attributes resolved, its opset known.
pub(crate) struct Apply<'a> {
    /// The file's name for the node; of its first output, where it has none.
    pub name: String,
    pub operator: &'a str,
    pub opset: i64,
    pub inputs: Vec<Option<Value>>,
    /// Absent ones (an empty name in the file) are only left out at the end.
    pub outputs: Vec<&'a str>,
    pub attributes: Attributes<'a>,
}

/// The attributes of a node by name.
pub(crate) type Attributes<'a> = HashMap<&'a str, &'a AttributeProto>;

impl<'a> Apply<'a> {
    pub fn fault(&self, detail: impl Into<String>) -> OnnxError {
        OnnxError::Node {
            node: shown(&self.name),
            operator: shown(self.operator),
            detail: detail.into(),
        }
    }

    /// Input `index`, which the operator requires.
    pub fn input(&self, index: usize) -> Result<&Value> {
        self.optional(index)
            .ok_or_else(|| self.fault(format!("input {index} is missing")))
    }

    pub fn optional(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index)?.as_ref()
    }

    pub fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    /// # Errors
    /// A number where an attribute is a word, and so on, is no error: the attribute then counts as given with its default.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attributes
            .get(name)
            .and_then(|attribute| attribute.i)
            .unwrap_or(default)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.int(name, 0) != 0
    }

    pub fn float(&self, name: &str, default: f32) -> f64 {
        self.attributes
            .get(name)
            .and_then(|attribute| attribute.f)
            .unwrap_or(default)
            .into()
    }

    pub fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attributes
            .get(name)
            .map(|attribute| attribute.ints.as_slice())
    }

    pub fn floats(&self, name: &str) -> Option<&'a [f32]> {
        self.attributes
            .get(name)
            .map(|attribute| attribute.floats.as_slice())
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        let Some(attribute) = self.attributes.get(name) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(attribute.s())
            .map_err(|_| self.fault(format!("attribute {name} is not text")))?;
        Ok(Some(text))
    }

    pub fn texts(&self, name: &str) -> Result<Option<Vec<&'a str>>> {
        let Some(attribute) = self.attributes.get(name) else {
            return Ok(None);
        };
        let texts = attribute
            .strings
            .iter()
            .map(|text| std::str::from_utf8(text));
        let texts: Result<_, _> = texts.collect();
        texts
            .map(Some)
            .map_err(|_| self.fault(format!("attribute {name} is not text")))
    }

    pub fn tensor(&self, name: &str) -> Option<&'a TensorProto> {
        self.attributes.get(name)?.t.as_ref()
    }

    pub fn graph(&self, name: &str) -> Result<&'a GraphProto> {
        let graph = self
            .attributes
            .get(name)
            .and_then(|attribute| attribute.g.as_ref());
        graph.ok_or_else(|| self.fault(format!("attribute {name} is missing")))
    }

    /// A non-negative number.
    pub fn size(&self, name: &str, default: usize) -> Result<usize> {
        let Some(value) = self.attributes.get(name).and_then(|attribute| attribute.i) else {
            return Ok(default);
        };
        usize::try_from(value).map_err(|_| self.fault(format!("{name} is {value}")))
    }

    /// Non-negative numbers.
    pub fn sizes(&self, name: &str) -> Result<Option<Vec<usize>>> {
        let Some(values) = self.ints(name) else {
            return Ok(None);
        };
        let sizes: Result<_, _> = values.iter().map(|&value| usize::try_from(value)).collect();
        sizes.map(Some).map_err(|_| {
            self.fault(format!(
                "{name} is {values:?}; negative numbers are not supported"
            ))
        })
    }

    /// Positive numbers, as many as the window has dimensions.
    pub fn steps(&self, name: &str, rank: usize) -> Result<Vec<usize>> {
        let steps = self.sizes(name)?.unwrap_or_else(|| vec![1; rank]);
        if steps.len() != rank || steps.contains(&0) {
            return Err(self.fault(format!(
                "{name} is {steps:?}; expected {rank} positive numbers"
            )));
        }
        Ok(steps)
    }
}
