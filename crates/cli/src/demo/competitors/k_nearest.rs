//! k nearest neighbours (Cover and Hart 1967): no training at all, and every training image looked at for each answer.

use ndarray::{Array1, Array2, ArrayRef2, Axis, s};

use super::{CLASSES, Competitor, Format, Rule, Training};

pub const COMPETITOR: Competitor = Competitor {
    handle: "k-nearest",
    method: "5 nearest neighbours",
    description: "The five nearest of all training images vote, each with the inverse of its distance; classes without \
                  a vote follow by the distance of their nearest image. Euclidean distance between images of 14 × 14, \
                  each pixel the mean of 2 × 2.",
    format: Format::GzippedText,
    train,
};

const NEIGHBOURS: usize = 5;

/// The side of an image, in pixels.
const SIDE: usize = 28;

/// As many images by as many training images are compared at a time: their distances stay in the cache.
const TILE: usize = 512;

fn train(training: &Training) -> Rule {
    let memories: Vec<Memories> = (0..CLASSES)
        .map(|class| {
            let of_class: Vec<usize> = (0..training.labels.len())
                .filter(|&i| training.labels[i] == class)
                .collect();
            let images = halved(&training.images.select(Axis(0), &of_class));
            let squared_lengths = squared_lengths(&images);
            Memories {
                images,
                squared_lengths,
            }
        })
        .collect();
    Box::new(move |images| {
        let images = halved(images);
        let nearest: Vec<Vec<Nearest>> = memories
            .iter()
            .map(|of_class| of_class.nearest(&images))
            .collect();
        let mut scores = Array2::zeros((images.nrows(), CLASSES));
        for (i, mut row) in scores.outer_iter_mut().enumerate() {
            let mut overall = [f32::INFINITY; NEIGHBOURS];
            for distance in nearest.iter().flat_map(|of_class| of_class[i]) {
                insert(&mut overall, distance);
            }
            for (class, of_class) in nearest.iter().enumerate() {
                let close = of_class[i]
                    .iter()
                    .filter(|&&distance| distance <= overall[NEIGHBOURS - 1]);
                let votes: f32 = close
                    .map(|distance| 1.0 / (distance.sqrt() + f32::EPSILON))
                    .sum();
                row[class] = if votes > 0.0 {
                    votes
                } else {
                    -of_class[i][0].sqrt()
                };
            }
        }
        scores
    })
}

/// The squared distances to an image's nearest training images of one class, ascending.
type Nearest = [f32; NEIGHBOURS];

/// The training images of one class, halved, and |y|² of each.
struct Memories {
    images: Array2<f32>,
    squared_lengths: Array1<f32>,
}

impl Memories {
    /// The nearest of these to each row of `images`.
    fn nearest(&self, images: &Array2<f32>) -> Vec<Nearest> {
        let squared_lengths_x = squared_lengths(images);
        let mut nearest = vec![[f32::INFINITY; NEIGHBOURS]; images.nrows()];
        for (tile, x) in images.axis_chunks_iter(Axis(0), TILE).enumerate() {
            for (y, squared_y) in self
                .images
                .axis_chunks_iter(Axis(0), TILE)
                .zip(self.squared_lengths.axis_chunks_iter(Axis(0), TILE))
            {
                let products = x.dot(&y.t());
                for (i, products) in products.outer_iter().enumerate() {
                    let i = tile * TILE + i;
                    // |x - y|² = |x|² + |y|² - 2xy, which rounding may take below 0.
                    for (product, squared_y) in products.iter().zip(&squared_y) {
                        insert(
                            &mut nearest[i],
                            (squared_lengths_x[i] + squared_y - 2.0 * product).max(0.0),
                        );
                    }
                }
            }
        }
        nearest
    }
}

/// Put `distance` in its place among the smallest, if it is one of them.
fn insert(smallest: &mut Nearest, distance: f32) {
    if distance < smallest[NEIGHBOURS - 1] {
        let place = smallest.partition_point(|&d| d <= distance);
        smallest[place..].rotate_right(1);
        smallest[place] = distance;
    }
}

fn squared_lengths(images: &ArrayRef2<f32>) -> Array1<f32> {
    images.map_axis(Axis(1), |image| image.dot(&image))
}

/// Images at half their side: each pixel the mean of 2 × 2, `[N, 784]` to `[N, 196]`.
fn halved(images: &ArrayRef2<f32>) -> Array2<f32> {
    let n = images.nrows();
    let square = images
        .to_shape((n, SIDE, SIDE))
        .expect("images are 28 × 28");
    let quarter = |y, x| square.slice(s![.., y..;2, x..;2]);
    let sum = &quarter(0, 0) + &quarter(0, 1) + quarter(1, 0) + quarter(1, 1);
    (sum / 4.0)
        .into_shape_with_order((n, SIDE * SIDE / 4))
        .expect("a new array is in C order")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insert_keeps_the_smallest_in_order() {
        let mut smallest = [f32::INFINITY; NEIGHBOURS];
        for distance in [5.0, 1.0, 9.0, 1.0, 7.0, 3.0, 8.0] {
            insert(&mut smallest, distance);
        }
        assert_eq!(format!("{smallest:?}"), "[1.0, 1.0, 3.0, 5.0, 7.0]");
    }

    #[test]
    fn halving_averages_blocks_of_four_pixels() {
        let pixels = (0_u16..784).map(f32::from).collect();
        let image = Array2::from_shape_vec((1, 784), pixels).unwrap();
        let small = halved(&image);
        // Block (0, 0) holds 0, 1, 28, 29; block (13, 13) holds 754, 755, 782, 783.
        assert_eq!(
            format!("{} {}", small[[0, 0]], small[[0, 195]]),
            "14.5 768.5"
        );
    }
}
