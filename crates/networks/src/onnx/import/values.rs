//! What names in the file stand for, and how a tensor of the file enters the network.

use std::{cell::OnceCell, rc::Rc};

use super::{Importer, Stored};
use crate::{ParameterKind, ValueId};

/// A tensor up to this many numbers belongs to the graph, where no layer has it as its weights.
const SMALL: usize = 16;
/// The same for integers: shapes, indices.
const SMALL_INTEGERS: usize = 4096;

/// What a name in the file stands for.
#[derive(Clone)]
pub(in crate::onnx) enum Value {
    /// Computed, or the image.
    Flow(ValueId),
    Constant(Rc<Constant>),
    /// Several, which operators on sequences count off while the file is read.
    Sequence(Rc<[Value]>),
}

/// A tensor of the file's. It enters the network where it is first used.
pub(in crate::onnx) struct Constant {
    pub(super) stored: Stored,
    /// As one of the weights.
    parameter: OnceCell<ValueId>,
    /// As part of the graph.
    literal: OnceCell<ValueId>,
}

impl Value {
    pub(super) fn constant(stored: Stored) -> Self {
        Self::Constant(Rc::new(Constant {
            stored,
            parameter: OnceCell::new(),
            literal: OnceCell::new(),
        }))
    }

    /// The tensor, where the file holds it.
    pub(super) fn stored(&self) -> Option<&Stored> {
        match self {
            Self::Flow(_) | Self::Sequence(_) => None,
            Self::Constant(constant) => Some(&constant.stored),
        }
    }
}

impl Importer<'_> {
    /// The value in the network, as a constant of the graph or a buffer where the file holds it.
    pub(super) fn id(&mut self, value: &Value) -> ValueId {
        let constant = match value {
            Value::Flow(id) => return *id,
            Value::Constant(constant) => constant,
            Value::Sequence(_) => unreachable!("no operator on tensors is given a sequence"),
        };
        if let Some(id) = constant.parameter.get().or(constant.literal.get()) {
            return *id;
        }
        let most = if constant.stored.element.is_float() {
            SMALL
        } else {
            SMALL_INTEGERS
        };
        if constant.stored.len() > most {
            return self.parameter(constant, ParameterKind::Buffer);
        }
        let id = self
            .builder
            .constant(&constant.stored.name, constant.stored.literal());
        self.enter(id, constant);
        *constant.literal.get_or_init(|| id)
    }

    /// Notes what a tensor of the file is called in the network.
    fn enter(&mut self, id: ValueId, constant: &Rc<Constant>) {
        self.origins.insert(id, constant);
        self.types.set(id, constant.stored.element);
    }

    /// The value as a layer's weights: counted among the network's parameters where the file holds it, or what it is
    /// computed from.
    pub(super) fn weight(&mut self, value: &Value) -> ValueId {
        match value {
            Value::Constant(constant) if constant.stored.element.is_float() => {
                self.parameter(constant, ParameterKind::Trainable)
            }
            other => {
                let id = self.id(other);
                self.learn(id);
                id
            }
        }
    }

    /// The same of weights that the file may hold as integers.
    pub(super) fn weight_of_integers(&mut self, value: &Value) -> ValueId {
        match value {
            Value::Constant(weights) => self.parameter(weights, ParameterKind::Trainable),
            other => self.id(other),
        }
    }

    /// The value as a layer's running statistics.
    pub(super) fn buffer(&mut self, value: &Value) -> ValueId {
        match value {
            Value::Constant(constant) => self.parameter(constant, ParameterKind::Buffer),
            other => self.id(other),
        }
    }

    pub(super) fn parameter(&mut self, constant: &Rc<Constant>, kind: ParameterKind) -> ValueId {
        if let Some(id) = constant.parameter.get() {
            if kind == ParameterKind::Trainable {
                self.builder.set_trainable(*id);
            }
            return *id;
        }
        let name = self.name_parameter(constant);
        let id = self.builder.parameter(&name, &constant.stored.dims, kind);
        self.enter(id, constant);
        *constant.parameter.get_or_init(|| id)
    }

    /// Counts a tensor that is in the network already, as `value`, among the network's parameters. A single number that
    /// weights are multiplied by stays part of the graph.
    pub(super) fn count(&mut self, value: ValueId, constant: &Rc<Constant>) {
        if constant.parameter.get().is_some() {
            self.parameter(constant, ParameterKind::Trainable);
        } else if constant.stored.len() > 1 {
            let name = self.name_parameter(constant);
            let dims = &constant.stored.dims;
            self.builder
                .take_out(value, &name, dims, ParameterKind::Trainable);
            constant.parameter.get_or_init(|| value);
        }
    }

    /// The tensor's name among the weights, of which it becomes one.
    fn name_parameter(&mut self, constant: &Rc<Constant>) -> String {
        let mut name = constant.stored.name.clone();
        for number in 1.. {
            if !self.parameters.contains_key(&name) {
                break;
            }
            name = format!("{}_{number}", constant.stored.name);
        }
        self.parameters.insert(name.clone(), Rc::clone(constant));
        name
    }
}
