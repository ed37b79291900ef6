//! What opset 23 made single operators of transformers' parts, written out in the operators that it was before.

use super::{Apply, Importer, Result, Value, flow, flows};
use crate::{
    Activation, Binary, Comparison, ElementType, Literal, Op, Reduce, Reduction, Unary, ValueId,
};

/// The dimensions of `[batch, heads, length, size]`.
const BATCH_LENGTH_HEADS_SIZE: [usize; 4] = [0, 2, 1, 3];
const TRANSPOSED: [usize; 4] = [0, 1, 3, 2];

impl Importer<'_> {
    pub(super) fn transformer(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        match apply.operator {
            "Attention" => self.attention(apply),
            "RMSNormalization" => self.rms_norm(apply),
            "RotaryEmbedding" => self.rotary(apply),
            _ => Ok(None),
        }
    }

    /// softmax(scale·Q·Kᵀ + mask)·V for each head; Y, then the keys and values that it used, then what became of Q·Kᵀ by then.
    fn attention(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        if apply.optional(6).is_some() {
            return Err(apply.fault("nonpad_kv_seqlen is not supported"));
        }
        let query = self.heads(apply, 0, "q_num_heads")?;
        let mut keys = self.heads(apply, 1, "kv_num_heads")?;
        let mut values = self.heads(apply, 2, "kv_num_heads")?;
        let past = self.optional(apply, 4);
        if let (Some(past_keys), Some(past_values)) = (past, self.optional(apply, 5)) {
            keys = self.emit(apply, Op::Concat { axis: 2 }, &[past_keys, keys]);
            values = self.emit(apply, Op::Concat { axis: 2 }, &[past_values, values]);
        }
        let present = [keys, values];

        // Grouped queries: several of their heads share one of the keys' and values'.
        let (own, shared) = (self.length(apply, query, 1)?, self.length(apply, keys, 1)?);
        if shared < 1 || own % shared != 0 {
            return Err(apply.fault(format!(
                "{own} heads of queries cannot share {shared} of keys"
            )));
        }
        if own != shared {
            let heads: Vec<i64> = (0..own).map(|head| head / (own / shared)).collect();
            let heads = self.integers(apply, "heads", &heads);
            keys = self.emit(apply, Op::Gather { axis: 1 }, &[keys, heads]);
            values = self.emit(apply, Op::Gather { axis: 1 }, &[values, heads]);
        }

        #[expect(clippy::cast_precision_loss, reason = "a head's size is small")]
        let scale = if apply.has("scale") {
            apply.float("scale", 1.0)
        } else {
            1.0 / (self.length(apply, query, 3)? as f64).sqrt()
        };
        let scale = self.float(apply, "scale", scale);
        let scaled = self.emit(apply, Op::Binary(Binary::Mul), &[query, scale]);
        let permutation = TRANSPOSED.to_vec();
        let transposed = self.emit(apply, Op::Transpose { permutation }, &[keys]);
        let mut scores = self.emit(apply, Op::MatMul, &[scaled, transposed]);
        let products = scores;
        let softcap = apply.float("softcap", 0.0);
        if softcap != 0.0 {
            scores = self.capped(apply, scores, softcap);
        }
        let capped = scores;
        if let Some(mask) = self.optional(apply, 3) {
            scores = self.masked(apply, scores, mask);
        }
        if apply.flag("is_causal") {
            scores = self.causal(apply, scores, query, past);
        }
        let weights = self.emit(apply, Op::Softmax { axis: -1 }, &[scores]);
        let mut output = self.emit(apply, Op::MatMul, &[weights, values]);
        if apply.has("q_num_heads") {
            let permutation = BATCH_LENGTH_HEADS_SIZE.to_vec();
            output = self.emit(apply, Op::Transpose { permutation }, &[output]);
            let shape = self.integers(apply, "joined", &[0, 0, -1]);
            output = self.emit(apply, Op::Reshape { allow_zero: false }, &[output, shape]);
        }
        let stages = [products, capped, scores, weights];
        let mode = apply.size("qk_matmul_output_mode", 0)?;
        let stage = stages.get(mode).ok_or_else(|| {
            apply.fault(format!("qk_matmul_output_mode is {mode}; expected 0 to 3"))
        })?;
        flows([&[output], present.as_slice(), &[*stage]].concat())
    }

    /// Input `index` as `[batch, heads, length, size]`: it is that, or `[batch, length, heads·size]` with `count` heads.
    fn heads(&mut self, apply: &Apply<'_>, index: usize, count: &str) -> Result<ValueId> {
        let x = self.weight(apply.input(index)?);
        if !apply.has(count) {
            return Ok(x);
        }
        let shape = self.integers(apply, count, &[0, 0, apply.int(count, 1), -1]);
        let split = self.emit(apply, Op::Reshape { allow_zero: false }, &[x, shape]);
        let permutation = BATCH_LENGTH_HEADS_SIZE.to_vec();
        Ok(self.emit(apply, Op::Transpose { permutation }, &[split]))
    }

    /// The length of a dimension that is the same for every batch.
    pub(super) fn length(&mut self, apply: &Apply<'_>, x: ValueId, dimension: i64) -> Result<i64> {
        let length = self.dimension(apply, x, dimension);
        self.condition(&Value::Flow(length))
            .ok_or_else(|| apply.fault("its heads depend on the image"))
    }

    pub(super) fn dimension(&mut self, apply: &Apply<'_>, x: ValueId, dimension: i64) -> ValueId {
        let end = Some(dimension + 1).filter(|end| *end != 0);
        self.emit(
            apply,
            Op::Shape {
                start: dimension,
                end,
            },
            &[x],
        )
    }

    fn capped(&mut self, apply: &Apply<'_>, scores: ValueId, softcap: f64) -> ValueId {
        let cap = self.float(apply, "softcap", softcap);
        let scores = self.emit(apply, Op::Binary(Binary::Div), &[scores, cap]);
        let scores = self.emit(apply, Op::Activation(Activation::Tanh), &[scores]);
        self.emit(apply, Op::Binary(Binary::Mul), &[scores, cap])
    }

    /// A mask of numbers is added; of booleans, it says what counts.
    fn masked(&mut self, apply: &Apply<'_>, scores: ValueId, mask: ValueId) -> ValueId {
        if self.element_of(mask) == Some(ElementType::Bool) {
            let never = self.float(apply, "never", f64::NEG_INFINITY);
            self.emit(apply, Op::Where, &[mask, scores, never])
        } else {
            self.emit(apply, Op::Binary(Binary::Add), &[scores, mask])
        }
    }

    /// Each query sees the keys up to its own place, and all that came before this call.
    fn causal(
        &mut self,
        apply: &Apply<'_>,
        scores: ValueId,
        query: ValueId,
        past: Option<ValueId>,
    ) -> ValueId {
        let scalar = |this: &mut Self, name: &str, value| {
            let name = format!("{}/{name}", apply.name);
            this.builder.constant(&name, Literal::integer(value))
        };
        let (zero, one) = (scalar(self, "zero", 0), scalar(self, "one", 1));
        let places = |this: &mut Self, of: ValueId, dimension| {
            let length = this.dimension(apply, of, dimension);
            let length = this.emit(apply, Op::Squeeze, &[length]);
            this.emit(apply, Op::Range, &[zero, length, one])
        };
        let mut queries = places(self, query, 2);
        let keys = places(self, scores, 3);
        if let Some(past) = past {
            let before = self.dimension(apply, past, 2);
            queries = self.emit(apply, Op::Binary(Binary::Add), &[queries, before]);
        }
        let last = self.integers(apply, "last", &[-1]);
        let queries = self.emit(apply, Op::Unsqueeze, &[queries, last]);
        let seen = self.emit(
            apply,
            Op::Compare(Comparison::LessOrEqual),
            &[keys, queries],
        );
        let never = self.float(apply, "never", f64::NEG_INFINITY);
        self.emit(apply, Op::Where, &[seen, scores, never])
    }

    /// x / √(mean of x² + ε)·scale over the dimensions from `axis` on.
    fn rms_norm(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let x = self.first(apply)?;
        let mut first = apply.int("axis", -1);
        if first >= 0 {
            let shape = self.shape_of(apply, x);
            let rank = self.emit(apply, Op::Size, &[shape]);
            let rank = self.condition(&Value::Flow(rank));
            first -= rank.ok_or_else(|| apply.fault("its rank depends on the image"))?;
        }
        let axes = self.integers(apply, "axes", &(first..0).collect::<Vec<_>>());
        let mean_of = Op::Reduce(Reduce {
            kind: Reduction::Mean,
            keep_dims: true,
            noop_without_axes: false,
        });
        let squares = self.emit(apply, Op::Binary(Binary::Mul), &[x, x]);
        let mean = self.emit(apply, mean_of, &[squares, axes]);
        let epsilon = self.float(apply, "epsilon", apply.float("epsilon", 1e-5));
        let mean = self.emit(apply, Op::Binary(Binary::Add), &[mean, epsilon]);
        let root = self.emit(apply, Op::Unary(Unary::Sqrt), &[mean]);
        let normal = self.emit(apply, Op::Binary(Binary::Div), &[x, root]);
        let scale = self.weight(apply.input(1)?);
        flow(self.emit(apply, Op::Binary(Binary::Mul), &[normal, scale]))
    }
}
