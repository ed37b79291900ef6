use std::f64::consts::PI;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};

use super::is_trainable;
use crate::error::Result;
use crate::graph::{Network, Weights};

/// Stochastic gradient descent with momentum, as `torch.optim.SGD`: g ← g + decay·w, v ← momentum·v + g, w ← w − rate·v.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    pub learning_rate: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    pub schedule: Schedule,
}

/// How the learning rate changes over the steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    Constant,
    /// Multiplied by `factor` after each of `times` equal parts.
    Steps {
        times: usize,
        factor: f64,
    },
    /// Half a cosine, down to 0 (Loshchilov and Hutter 2017, without restarts).
    Cosine,
}

impl Sgd {
    pub(super) fn start(self, variables: Vec<(String, Var)>, steps: usize) -> Descent {
        let velocities = vec![None; variables.len()];
        Descent {
            sgd: self,
            variables,
            velocities,
            step: 0,
            steps,
        }
    }

    /// The learning rate at a step, from 0, of `steps`.
    pub fn rate(&self, step: usize, steps: usize) -> f64 {
        let progress = step as f64 / steps.max(1) as f64;
        self.learning_rate
            * match self.schedule {
                Schedule::Constant => 1.,
                Schedule::Steps { times, factor } => {
                    factor.powf((progress * (times + 1) as f64).floor())
                }
                Schedule::Cosine => f64::midpoint(1., (PI * progress).cos()),
            }
    }
}

/// A network's tensors as variables; trainable parameters and running statistics alike, by name. The weights share
/// their memory, so that a network that runs on them is trained in place.
pub(super) fn variables(
    network: &Network,
    weights: &Weights,
    device: &Device,
) -> Result<(Vec<(String, Var)>, Weights)> {
    weights.check(network)?;
    let mut variables = Vec::new();
    let mut shared = Weights::default();
    for parameter in network.parameters() {
        let tensor = weights
            .get(&parameter.name)
            .expect("Weights::check found it");
        let variable = Var::from_tensor(&tensor.to_device(device)?)?;
        let trainable = is_trainable(network, &parameter.name);
        let tensor = if trainable {
            variable.as_tensor().clone()
        } else {
            variable.as_detached_tensor()
        };
        shared.insert(parameter.name.clone(), tensor);
        variables.push((parameter.name.clone(), variable));
    }
    Ok((variables, shared))
}

/// Gradient descent under way.
pub(super) struct Descent {
    sgd: Sgd,
    variables: Vec<(String, Var)>,
    velocities: Vec<Option<Tensor>>,
    step: usize,
    steps: usize,
}

impl Descent {
    /// Moves every variable that has a gradient, and sets running statistics to their new values.
    pub fn step(&mut self, gradients: &GradStore, statistics: Vec<(String, Tensor)>) -> Result<()> {
        let rate = self.sgd.rate(self.step, self.steps);
        self.step += 1;
        for ((_, variable), velocity) in self.variables.iter().zip(&mut self.velocities) {
            let Some(gradient) = gradients.get(variable) else {
                continue;
            };
            let weight = variable.as_detached_tensor();
            let gradient = match self.sgd.weight_decay {
                0. => gradient.clone(),
                decay => (gradient + (&weight * decay)?)?,
            };
            let moved = match velocity.take() {
                Some(velocity) if self.sgd.momentum != 0. => {
                    ((velocity * self.sgd.momentum)? + gradient)?
                }
                _ => gradient,
            };
            variable.set(&(weight - (&moved * rate)?)?)?;
            *velocity = Some(moved);
        }
        for (name, statistic) in statistics {
            if let Some((_, variable)) = self.variables.iter().find(|(known, _)| *known == name) {
                variable.set(&statistic)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "no rounding happens here")]
mod tests {
    use super::*;

    #[test]
    fn schedules() {
        let sgd = |schedule| Sgd {
            learning_rate: 0.1,
            momentum: 0.,
            weight_decay: 0.,
            schedule,
        };
        let rates = |schedule| [0, 49, 50, 99].map(|step| sgd(schedule).rate(step, 100));
        assert_eq!(rates(Schedule::Constant), [0.1; 4]);
        let steps = rates(Schedule::Steps {
            times: 1,
            factor: 0.5,
        });
        assert_eq!(steps, [0.1, 0.1, 0.05, 0.05]);
        let cosine = rates(Schedule::Cosine);
        assert!(cosine[0] == 0.1 && (cosine[2] - 0.05).abs() < 1e-12 && cosine[3] < 1e-4);
    }

    /// Two steps by hand: `torch.optim.SGD(lr=0.1, momentum=0.9, weight_decay=0.5)` on w = 1 with gradient 2 twice.
    /// v = 2.5, w = 0.75; v = 0.9·2.5 + 2.375 = 4.625, w = 0.2875.
    #[test]
    fn momentum_and_decay() {
        let device = Device::Cpu;
        let variable = Var::new(&[1_f32], &device).unwrap();
        let sgd = Sgd {
            learning_rate: 0.1,
            momentum: 0.9,
            weight_decay: 0.5,
            schedule: Schedule::Constant,
        };
        let mut descent = sgd.start(vec![("w".into(), variable.clone())], 2);
        for expected in [0.75, 0.2875] {
            let loss = (variable.as_tensor() * 2.).unwrap().sum_all().unwrap();
            descent.step(&loss.backward().unwrap(), Vec::new()).unwrap();
            let w = variable.as_tensor().to_vec1::<f32>().unwrap()[0];
            assert!((w - expected).abs() < 1e-6, "{w} is not {expected}");
        }
    }
}
