use referee_scoring::predictions::{self, Expected};
use referee_scoring::record::Row;
use referee_scoring::{Class, ClassList, ImageList, npy};

/// The rows of a range as they are stored, with columns turned into classes; none if they are no rows of a record.
///
/// They come from a process that ran a stranger's model, so they are read as a stranger's upload is.
pub(super) fn checked(rows: &[Row], columns: &[Class], classes: &ClassList) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size_of_val(rows));
    for column in rows.as_flattened() {
        let class = match usize::try_from(*column) {
            Ok(column) => i32::from(columns.get(column)?.0),
            Err(_) if *column == -1 => -1,
            Err(_) => return None,
        };
        bytes.extend(class.to_le_bytes());
    }
    let images = ImageList::ordinals(rows.len());
    let expected = Expected {
        classes,
        images: &images,
        boxes: false,
        devkit: false,
    };
    let file = [npy::header("<i4", &[rows.len(), 6]), bytes.clone()].concat();
    predictions::read(std::io::Cursor::new(file), &expected).ok()?;
    Some(bytes)
}

/// The record of all images as an NPY file; none if the rows are not as many.
pub(super) fn npy(rows: &[u8], images: usize) -> Option<Vec<u8>> {
    let is_whole = rows.len() == images * size_of::<Row>();
    is_whole.then(|| [npy::header("<i4", &[images, 6]), rows.to_vec()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> ClassList {
        ClassList::numbered(3)
    }

    #[test]
    fn columns_become_classes() {
        let columns = [2, 0, 1].map(Class);
        let rows = [[0, 0, 1, 2, -1, -1], [-1, 1, 2, -1, -1, -1]];
        let bytes = checked(&rows, &columns, &classes()).expect("a record");
        let read: Vec<i32> = bytes
            .chunks_exact(4)
            .map(|bytes| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        assert_eq!(read, [2, 2, 0, 1, -1, -1, -1, 0, 1, -1, -1, -1]);
    }

    #[test]
    fn what_no_honest_process_answers_is_refused() {
        let columns = [0, 1, 2].map(Class);
        for row in [
            [3, 3, -1, -1, -1, -1],
            [-2, 0, -1, -1, -1, -1],
            [0, 0, 0, -1, -1, -1],
            [1, 0, -1, -1, -1, -1],
            [0, -1, 0, -1, -1, -1],
        ] {
            assert_eq!(checked(&[row], &columns, &classes()), None, "{row:?}");
        }
    }

    #[test]
    fn a_record_has_a_row_for_every_image() {
        assert_eq!(npy(&[0; 48], 3), None);
        assert_eq!(npy(&[], 2), None);
        assert!(npy(&[0; 48], 2).expect("a file").starts_with(npy::MAGIC));
    }
}
