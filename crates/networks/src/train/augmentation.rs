/// Random changes to training images that leave their class as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augmentation {
    /// Shift by up to this many pixels in each direction; what comes in from outside is 0.
    pub shift: usize,
    /// Mirror every second image, left to right.
    pub flip: bool,
}

impl Augmentation {
    /// One image of `dims` `[channels, height, width]`.
    pub(super) fn apply(
        self,
        image: Vec<u8>,
        dims: &[usize; 3],
        rng: &mut fastrand::Rng,
    ) -> Vec<u8> {
        let flip = self.flip && rng.bool();
        let reach = self.shift as isize;
        let mut offset = || {
            if reach == 0 {
                0
            } else {
                rng.isize(-reach..=reach)
            }
        };
        let (down, right) = (offset(), offset());
        if !flip && down == 0 && right == 0 {
            return image;
        }
        moved(&image, dims, down, right, flip)
    }
}

fn moved(
    image: &[u8],
    &[channels, height, width]: &[usize; 3],
    down: isize,
    right: isize,
    flip: bool,
) -> Vec<u8> {
    let inside = |at: isize, length: usize| usize::try_from(at).ok().filter(|at| *at < length);
    let mut result = Vec::with_capacity(image.len());
    for channel in 0..channels {
        for y in 0..height {
            for x in 0..width {
                let x = if flip { width - 1 - x } else { x };
                let source =
                    inside(y as isize - down, height).zip(inside(x as isize - right, width));
                result.push(source.map_or(0, |(y, x)| image[(channel * height + y) * width + x]));
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_and_flips() {
        let image = [1, 2, 3, 4, 5, 6];
        let dims = [1, 2, 3];
        assert_eq!(moved(&image, &dims, 0, 1, false), [0, 1, 2, 0, 4, 5]);
        assert_eq!(moved(&image, &dims, -1, 0, false), [4, 5, 6, 0, 0, 0]);
        assert_eq!(moved(&image, &dims, 0, 0, true), [3, 2, 1, 6, 5, 4]);
    }

    #[test]
    fn stays_within_its_reach() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut image = vec![0; 25];
        image[12] = 1;
        let mut seen = std::collections::HashSet::new();
        for _ in 0..200 {
            let moved = Augmentation {
                shift: 1,
                flip: false,
            }
            .apply(image.clone(), &[1, 5, 5], &mut rng);
            seen.insert(moved.iter().position(|pixel| *pixel == 1).unwrap());
        }
        let mut seen: Vec<_> = seen.into_iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, [6, 7, 8, 11, 12, 13, 16, 17, 18]);
    }
}
