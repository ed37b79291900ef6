//! The public validation images: every model is run on them first, uncounted, and a model that is wrong on nearly all of them is
//! tried in the other known class orders, one without a recipe of its own with other recipes ([`doctor`](super::doctor)).

use std::time::{Duration, Instant};

use referee_scoring::model_form::ClassOrder;
use referee_scoring::record::Row;
use referee_scoring::{Class, ClassList, ImageList, Labels, Notice};
use referee_storage::Wait;
use referee_storage::inference::{Challenge, ValidationSet};

use super::doctor::{self, Patient};
use super::run::{Columns, Loaded, Run, Sign, Stop, over};
use super::test_set::Uploaded;
use crate::digest::Checked;

/// A top-1 error above which something else than the network is likely to be wrong.
const SUSPICIOUS: f64 = 0.9;
const REPORT: Duration = Duration::from_millis(500);

/// Runs the model on the challenge's validation images, where it has any.
pub(super) async fn notices(
    run: &mut Run<'_>,
    loaded: &Loaded,
    challenge: &Challenge,
) -> Result<Vec<Notice>, Stop> {
    let Some(set) = &challenge.validation else {
        return Ok(Vec::new());
    };
    let uploaded = Uploaded::open(run.worker, &set.images).await?;
    let labels = labels(run, set, uploaded.list()?, &challenge.classes).await?;
    let labels = match &challenge.wider {
        Some(wider) => labels.within(wider),
        None => labels,
    };
    let images = run.prepare(&uploaded, loaded).await?;
    let sign = |done| Sign::Stage("validation", done, images.len());
    let mut rows = Vec::with_capacity(images.len());
    let (start, mut reported) = (Instant::now(), Instant::now());
    while rows.len() < images.len() {
        if reported.elapsed() >= REPORT || rows.is_empty() {
            reported = Instant::now();
            run.give(sign(rows.len())).await?;
        }
        let count = loaded.ready.batch.min(images.len() - rows.len());
        let pixels = images.pixels(rows.len()..rows.len() + count).await?;
        let batch = run
            .alive(sign(rows.len()), loaded.process.rows(&pixels, count))
            .await?;
        rows.extend(batch.map_err(|end| run.stop(end))?);
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 images")]
    let pace = images.len() as f64 / start.elapsed().as_secs_f64().max(1e-9);
    let given = loaded.ready.form.class_order.clone().unwrap_or_default();
    let columns = Columns {
        challenge,
        over: over(&loaded.ready, challenge),
    };
    let columns = |order: &ClassOrder| columns.of(order).ok();
    let mut notices: Vec<Notice> = suspicion(&rows, &given, columns, &labels)
        .into_iter()
        .collect();
    if loaded.ready.form.preprocess.is_none() && !run.is_examined {
        run.is_examined = true;
        let patient = Patient {
            run,
            loaded,
            images: &uploaded,
            labels: &labels,
            rows: &rows,
            time: doctor::time(run.worker.config.seconds, challenge.images, pace),
        };
        match patient.finding().await {
            Ok(found) => notices.extend(found),
            // What cannot be tried is not told of.
            Err(Stop::Ended(_) | Stop::Trouble { .. }) => {}
            Err(stop) => return Err(stop),
        }
    }
    Ok(notices)
}

async fn labels(
    run: &Run<'_>,
    set: &ValidationSet,
    list: ImageList,
    classes: &ClassList,
) -> Result<Labels, Stop> {
    let reader = run.worker.objects.reader(&set.labels_key).await;
    let reader = reader.map_err(|error| Stop::trouble(Wait::Storage, &error))?;
    let classes = classes.clone();
    let mut reader = Checked::new(reader, Some(set.labels_sha256.clone()));
    let parsing = tokio::task::spawn_blocking(move || {
        let parsed = Labels::parse_csv(&mut reader, &classes, Some(&list));
        reader.finish().map(|()| parsed)
    });
    let parsed = parsing
        .await
        .map_err(|panic| Stop::Broke(panic.to_string()))?;
    let parsed = parsed.map_err(|error| Stop::trouble(Wait::Storage, &error))?;
    Ok(parsed
        .map_err(|error| Stop::trouble(Wait::Images, &error))?
        .0)
}

/// What to say about a model that is wrong on nearly every image: the known order that fits, or that none does.
fn suspicion(
    rows: &[Row],
    given: &ClassOrder,
    columns: impl Fn(&ClassOrder) -> Option<Vec<Class>>,
    labels: &Labels,
) -> Option<Notice> {
    let error = |order: &ClassOrder| Some(top1_error(rows, &columns(order)?, labels));
    let found = error(given).filter(|error| *error > SUSPICIOUS)?;
    let images = labels.iter().filter(|labels| !labels.is_empty()).count();
    let better = [
        (ClassOrder::Challenge, "challenge"),
        (ClassOrder::Wnid, "wnid"),
    ]
    .into_iter()
    .filter(|(order, _)| order != given)
    .filter_map(|(order, name)| Some((name, error(&order)?)))
    .filter(|(_, error)| *error <= SUSPICIOUS)
    .min_by(|(_, one), (_, other)| one.total_cmp(other));
    let percent = |error: f64| format!("{:.1} %", 100.0 * error);
    let detail = match better {
        Some((name, fits)) => format!(
            "the model is wrong on {} of the {images} validation images, but on {} with class_order={name}: its columns are in another order than you said; submit it again with class_order={name}",
            percent(found),
            percent(fits)
        ),
        None => format!(
            "the model is wrong on {} of the {images} validation images, in every class order that is known here: look at its preprocessing and at the order of its columns (class_order)",
            percent(found)
        ),
    };
    Some(Notice {
        code: "class_order".into(),
        detail,
    })
}

/// The share of the labelled images whose first guess is no label of theirs.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of images are exact in an f64"
)]
fn top1_error(rows: &[Row], columns: &[Class], labels: &Labels) -> f64 {
    let labelled = || {
        rows.iter()
            .zip(labels.iter())
            .filter(|(_, labels)| !labels.is_empty())
    };
    let misses = labelled().filter(|(row, labels)| {
        let guess = usize::try_from(row[0])
            .ok()
            .and_then(|column| columns.get(column));
        !guess.is_some_and(|guess| labels.contains(guess))
    });
    misses.count() as f64 / (labelled().count() as f64).max(1.0)
}

#[cfg(test)]
mod tests {
    use referee_scoring::ClassEntry;

    use super::*;

    /// Class 0 has the last id, so that the order of the ids is 2, 1, 0.
    fn classes() -> ClassList {
        let entries = [("a", "n3"), ("b", "n2"), ("c", "n1")].map(|(name, id)| ClassEntry {
            name: name.into(),
            id: Some(id.into()),
        });
        ClassList::new(entries.into()).expect("classes")
    }

    fn notice(columns: [i32; 3], given: &ClassOrder) -> Option<String> {
        let rows = columns.map(|column| [column, column, -1, -1, -1, -1]);
        let labels = Labels::from_sets([0, 1, 2].map(|class| vec![Class(class)]).into_iter());
        let columns = |order: &ClassOrder| order.columns(&classes()).ok();
        suspicion(&rows, given, columns, &labels).map(|notice| notice.detail)
    }

    #[test]
    fn a_model_in_the_order_of_the_ids_is_told_so() {
        // Its columns are by id: what is class 0 is its column 2. Class 1 is column 1 either way, so it is wrong there too.
        let detail = notice([2, 0, 0], &ClassOrder::Challenge).expect("suspicious");
        assert!(detail.contains("class_order=wnid"), "{detail}");
        assert!(detail.contains("100.0 %"), "{detail}");
        assert_eq!(notice([2, 0, 0], &ClassOrder::Wnid), None);
    }

    #[test]
    fn where_no_order_fits_that_is_said() {
        let detail = notice([-1, -1, -1], &ClassOrder::Challenge).expect("suspicious");
        assert!(detail.contains("in every class order"), "{detail}");
        assert_eq!(notice([0, 1, 2], &ClassOrder::Challenge), None);
    }
}
