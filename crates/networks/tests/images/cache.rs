//! The cache of prepared images: shared, bounded, and safe when several build at once.

use std::path::Path;
use std::sync::Barrier;

use image::ExtendedColorType as C;
use referee_networks::images::{Building, Color, ImageCache, ImageError, Pixels as _, TestSet};
use referee_scoring::model_form::Resize;

use crate::{geometry, pattern, png, save_npy, save_tar};

const IMAGES: usize = 200;

fn test_set(directory: &Path) -> TestSet {
    let path = directory.join("images.tar");
    let picture = png(&pattern(9, 12, 3).pixels, 9, 12, C::Rgb8);
    let files: Vec<(String, Vec<u8>)> = (0..IMAGES)
        .map(|image| (format!("{image:04}.png"), picture.clone()))
        .collect();
    let files: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    save_tar(&path, &files);
    TestSet::open(&path).expect("a test set")
}

/// The bytes of one prepared test set of 6×6 pixels: a header of 128 bytes, then pixels.
const ENTRY: u64 = 128 + (IMAGES * 6 * 6 * 3) as u64;

#[test]
fn images_are_prepared_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let set = test_set(directory.path());
    let cache = ImageCache::new(directory.path().join("cache"), 10 * ENTRY).expect("a cache");
    let geometry = geometry(Color::Rgb, Some(Resize::ShortSide(6)), Some(6));
    let mut reports = Vec::new();
    let first = cache
        .prepare(&set, "abc", geometry, &mut |building| {
            reports.push(building);
        })
        .expect("prepared");
    assert_eq!(
        reports.first(),
        Some(&Building::Here {
            done: 0,
            total: IMAGES
        })
    );
    assert_eq!(
        reports.last(),
        Some(&Building::Here {
            done: IMAGES,
            total: IMAGES
        })
    );
    assert_eq!(first.images.shape(), [IMAGES, 6, 6, 3]);
    let expected = geometry.apply(pattern(9, 12, 3)).expect("a picture").pixels;
    assert_eq!(
        first.images.read(199..200).expect("pixels").as_ref(),
        expected
    );
    let again = cache
        .prepare(&set, "abc", geometry, &mut |_| panic!("nothing to build"))
        .expect("prepared");
    assert_eq!(again.images.path(), first.images.path());
}

#[test]
fn an_array_of_the_right_size_is_read_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("images.npy");
    save_npy(&path, &[3, 6, 6], &[5; 108]);
    let set = TestSet::open(&path).expect("a test set");
    let cache = ImageCache::new(directory.path().join("cache"), 0).expect("a cache");
    let geometry = geometry(Color::Rgb, Some(Resize::ShortSide(6)), Some(6));
    let prepared = cache
        .prepare(&set, "abc", geometry, &mut |_| panic!("nothing to build"))
        .expect("prepared");
    assert_eq!(prepared.images.path(), path);
    assert_eq!(prepared.images.shape(), [3, 6, 6, 1]);
}

#[test]
fn the_least_recently_used_gives_way_and_nothing_in_use() {
    let directory = tempfile::tempdir().expect("a directory");
    let set = test_set(directory.path());
    let cache = ImageCache::new(directory.path().join("cache"), 2 * ENTRY).expect("a cache");
    let geometry = geometry(Color::Rgb, Some(Resize::ShortSide(6)), Some(6));
    let prepare = |name: &str| cache.prepare(&set, name, geometry, &mut |_| {});
    let is_there = |name: &str| {
        directory
            .path()
            .join(format!("cache/{name}-{geometry}.npy"))
            .exists()
    };

    drop(prepare("first").expect("prepared"));
    drop(prepare("second").expect("prepared"));
    drop(prepare("first").expect("still there"));
    drop(prepare("third").expect("prepared"));
    assert!(is_there("first") && !is_there("second") && is_there("third"));

    let first = prepare("first").expect("still there");
    let third = prepare("third").expect("still there");
    let error = prepare("fourth").err().expect("no room");
    assert!(matches!(error, ImageError::CacheInUse { .. }), "{error}");
    assert_eq!(first.images.read(0..1).expect("pixels").len(), 108);
    drop(third);
    drop(prepare("fourth").expect("room again"));
    assert!(is_there("first") && !is_there("third"));

    let tiny = ImageCache::new(directory.path().join("tiny"), ENTRY - 1).expect("a cache");
    let error = tiny
        .prepare(&set, "first", geometry, &mut |_| {})
        .err()
        .expect("no room");
    assert!(
        matches!(error, ImageError::LargerThanCache { .. }),
        "{error}"
    );
}

/// Locks belong to open files, so that threads stand for processes here.
#[test]
fn several_builders_build_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let set = test_set(directory.path());
    let cache = ImageCache::new(directory.path().join("cache"), 2 * ENTRY).expect("a cache");
    let geometry = geometry(Color::Rgb, Some(Resize::ShortSide(6)), Some(6));
    let start = Barrier::new(4);
    let build = || {
        start.wait();
        let mut built = 0;
        let prepared = cache
            .prepare(&set, "abc", geometry, &mut |building| {
                built += usize::from(building != Building::Elsewhere);
            })
            .expect("prepared");
        assert_eq!(prepared.images.shape(), [IMAGES, 6, 6, 3]);
        built
    };
    let by_thread: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(build)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(
        by_thread.iter().filter(|reports| **reports > 0).count(),
        1,
        "{by_thread:?}"
    );
}

#[test]
fn what_a_killed_builder_left_is_built_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let set = test_set(directory.path());
    let cache = ImageCache::new(directory.path().join("cache"), ENTRY).expect("a cache");
    let geometry = geometry(Color::Rgb, Some(Resize::ShortSide(6)), Some(6));
    for name in ["abc", "other"] {
        let part = directory
            .path()
            .join(format!("cache/{name}-{geometry}.part"));
        std::fs::write(part, vec![1; 20_000]).expect("a leftover");
    }
    let prepared = cache
        .prepare(&set, "abc", geometry, &mut |_| {})
        .expect("prepared");
    let expected = geometry.apply(pattern(9, 12, 3)).expect("a picture").pixels;
    assert_eq!(
        prepared.images.read(0..1).expect("pixels").as_ref(),
        expected
    );
    let left: Vec<_> = std::fs::read_dir(directory.path().join("cache"))
        .expect("a directory")
        .map(|file| file.expect("a file").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "part")
        })
        .collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_picture_that_cannot_be_decoded_leaves_nothing_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("images.tar");
    let mut cut = png(&pattern(9, 12, 3).pixels, 9, 12, C::Rgb8);
    save_tar(
        &path,
        &[
            ("a.png", cut.clone()),
            ("b.png", {
                cut.truncate(70);
                cut
            }),
        ],
    );
    let set = TestSet::open(&path).expect("a test set");
    let cache = ImageCache::new(directory.path().join("cache"), 10 * ENTRY).expect("a cache");
    let geometry = geometry(Color::Rgb, Some(Resize::ShortSide(6)), Some(6));
    let error = cache
        .prepare(&set, "abc", geometry, &mut |_| {})
        .err()
        .expect("cut off")
        .to_string();
    assert!(
        error.starts_with("image 1 (`b.png`) is no PNG that can be decoded: "),
        "{error}"
    );
    let pixels = std::fs::read_dir(directory.path().join("cache"))
        .expect("a directory")
        .filter(|file| {
            file.as_ref().is_ok_and(|file| {
                file.path()
                    .extension()
                    .is_some_and(|extension| extension != "lock")
            })
        });
    assert_eq!(pixels.count(), 0);
}
