use referee_scoring::ImageOrder;
use referee_scoring::classes::{ClassEntry, ClassList, WiderClasses};
use sqlx::types::Json;
use uuid::Uuid;

use crate::challenges::class_lists;
use crate::challenges::files::Purpose;
use crate::challenges::image_order::StoredOrder;
use crate::{InferenceDb, StorageError};

/// What is public about a challenge, and where its images are.
#[derive(Clone, Debug)]
pub struct Challenge {
    pub classes: ClassList,
    /// A longer list, which models and records are over.
    pub wider: Option<WiderClasses>,
    pub images: usize,
    /// Whether competitors may see the test images: what is said about a model is narrower where they may not.
    pub public_images: bool,
    pub test: Option<StoredImages>,
    /// In which order the names of the test images are counted.
    pub image_order: ImageOrder,
    pub validation: Option<ValidationSet>,
}

impl Challenge {
    /// The classes that a record is over.
    pub fn listed(&self) -> &ClassList {
        self.wider
            .as_ref()
            .map_or(&self.classes, WiderClasses::list)
    }
}

/// Images in the object store: NPY uint8, or a tar of pictures.
#[derive(Clone, Debug)]
pub struct StoredImages {
    pub object_key: String,
    pub filename: String,
    /// Names the content: a set is prepared once per recipe.
    pub sha256: Vec<u8>,
}

/// Public images with public labels.
#[derive(Clone, Debug)]
pub struct ValidationSet {
    pub images: StoredImages,
    /// Object key of a CSV `image,label`.
    pub labels_key: String,
    pub labels_sha256: Vec<u8>,
}

/// The challenge as an inference worker may know it.
pub async fn challenge(db: &InferenceDb, challenge: Uuid) -> Result<Challenge, StorageError> {
    let row = sqlx::query!(
        r#"SELECT classes AS "classes: Json<Vec<ClassEntry>>",
                  wider_classes AS "wider_classes: Json<Vec<ClassEntry>>", images, public_images,
                  image_order AS "image_order: StoredOrder"
           FROM challenges
           WHERE id = $1"#,
        challenge
    )
    .fetch_one(db.pool())
    .await?;
    let mut files = sqlx::query!(
        r#"SELECT purpose AS "purpose: Purpose", object_key, filename, sha256
           FROM challenge_files
           WHERE challenge = $1 AND purpose <> 'download'"#,
        challenge
    )
    .fetch_all(db.pool())
    .await?;
    let mut stored = |purpose| {
        let at = files.iter().position(|file| file.purpose == purpose)?;
        let file = files.swap_remove(at);
        Some(StoredImages {
            object_key: file.object_key,
            filename: file.filename,
            sha256: file.sha256,
        })
    };
    let test = stored(Purpose::TestImages);
    let validation = stored(Purpose::ValidationImages)
        .zip(stored(Purpose::ValidationLabels))
        .map(|(images, labels)| ValidationSet {
            images,
            labels_key: labels.object_key,
            labels_sha256: labels.sha256,
        });
    let (classes, wider) = class_lists(row.classes.0, row.wider_classes.map(|wider| wider.0))?;
    Ok(Challenge {
        classes,
        wider,
        images: row
            .images
            .map_or(0, |images| images.unsigned_abs() as usize),
        public_images: row.public_images,
        test,
        image_order: row.image_order.map(Into::into).unwrap_or_default(),
        validation,
    })
}
