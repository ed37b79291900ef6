use std::path::Path;

use anyhow::Context as _;
use referee_networks::images::{DecodedOnDemand, Geometry, Pixels as _, TestSet};
use referee_networks::predict::Predictor;
use referee_scoring::doctor::{self, Doctor};
use referee_scoring::model_form::Preprocessing;
use referee_scoring::record::Row;
use referee_scoring::{Class, ClassList, Labels, WiderClasses};

use crate::{input, output, progress};

/// A model whose recipe is examined on labelled images, as the worker does it on validation images.
pub(super) struct Examined<'e> {
    pub predictor: &'e Predictor,
    pub set: &'e TestSet,
    pub batch: usize,
    /// The class of each column, where they are in another order.
    pub columns: Option<&'e [Class]>,
}

impl Examined<'_> {
    /// Prints which recipe in common use does better, or that none does.
    pub fn report(
        &self,
        labels: &Path,
        classes: Option<&ClassList>,
        wider: Option<&WiderClasses>,
    ) -> anyhow::Result<()> {
        let classes = classes.cloned().unwrap_or_else(ClassList::uncounted);
        let classes = &classes;
        let images = self.set.list()?;
        let (labels, _) = Labels::parse_csv(input::open(labels)?, classes, Some(&images))
            .map_err(output::WrongFile::from)
            .with_context(|| format!("{} cannot be used", labels.display()))?;
        let labels = match wider {
            Some(wider) => labels.within(wider),
            None => labels,
        };
        let drawn = doctor::drawn(&labels);
        let tried = drawn.len();
        let spinner = progress::spinner("trying recipes");
        let given = self.predictor.preprocessing();
        let hits = self.hits(given, &drawn, &labels)?;
        let mut doctor = Doctor::new(
            given,
            self.predictor.model().takes_pixels(),
            self.set.uniform().map(|(size, _)| size),
            drawn,
            hits,
        );
        while let Some(step) = doctor.next() {
            // With some recipes a score may be no number; those are then none for this model.
            let hits = self.hits(step.recipe, step.images, &labels).ok();
            let candidate = step.candidate;
            doctor.record(candidate, hits);
        }
        spinner.finish_and_clear();
        match doctor.finding() {
            Some(notice) => output::print_line(&notice.detail),
            None => output::print_line(&format!(
                "none of {} other recipes in common use does better on {tried} images",
                doctor.candidates()
            )),
        }
    }

    /// Which of the images the model gets right with a recipe.
    fn hits(
        &self,
        recipe: &Preprocessing,
        images: &[usize],
        labels: &Labels,
    ) -> anyhow::Result<Vec<bool>> {
        let pixels = DecodedOnDemand::new(self.set, Geometry::of(recipe))?;
        let mut hits = Vec::with_capacity(images.len());
        for images in images.chunks(self.batch.max(1)) {
            let mut batch = Vec::new();
            for &image in images {
                batch.extend_from_slice(&pixels.read(image..image + 1)?);
            }
            let rows = self.predictor.rows_by(recipe, &batch, images.len())?;
            hits.extend((images.iter().zip(&rows)).map(|(&image, row)| {
                self.guess(row)
                    .is_some_and(|guess| labels.get(image).contains(&guess))
            }));
        }
        Ok(hits)
    }

    fn guess(&self, row: &Row) -> Option<Class> {
        let column = u16::try_from(row[0]).ok()?;
        match self.columns {
            Some(columns) => columns.get(usize::from(column)).copied(),
            None => Some(Class(column)),
        }
    }
}
