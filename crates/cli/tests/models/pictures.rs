//! Pictures that cannot be decoded: the organizers are told which, and no competitor pays for them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Value, json};

use super::arena::{Arena, Rules, SIDE, eventually, pixels};
use super::files::{IN_ORDER, write_perceptron};

/// A gray PNG of `SIDE` × `SIDE` pixels, by its specification: a signature, then chunks of length, name, content and CRC-32.
fn png(pixels: &[u8]) -> Vec<u8> {
    let side = u32::try_from(SIDE).expect("small").to_be_bytes();
    let header = [&side[..], &side, &[8, 0, 0, 0, 0]].concat();
    // Each line begins with its filter: none.
    let lines: Vec<u8> = pixels
        .chunks_exact(SIDE)
        .flat_map(|line| [&[0], line].concat())
        .collect();
    let mut data = ZlibEncoder::new(Vec::new(), Compression::fast());
    data.write_all(&lines).expect("compress");
    let data = data.finish().expect("compress");
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, content) in [(b"IHDR", header), (b"IDAT", data), (b"IEND", Vec::new())] {
        let checked = [&name[..], &content].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&checked);
        file.extend(u32::try_from(content.len()).expect("small").to_be_bytes());
        file.extend(checked);
        file.extend(crc.sum().to_be_bytes());
    }
    file
}

/// The arena's images as a tar of pictures, of which one may be cut off in the middle.
fn tar(cut_off: Option<usize>) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (image, pixels) in pixels().chunks_exact(SIDE * SIDE).enumerate() {
        let mut picture = png(pixels);
        if cut_off == Some(image) {
            picture.truncate(picture.len() / 2);
        }
        let mut header = tar::Header::new_ustar();
        header.set_size(picture.len() as u64);
        header.set_mode(0o644);
        let name = format!("picture-{image:03}.png");
        archive
            .append_data(&mut header, name, picture.as_slice())
            .expect("write");
    }
    archive.into_inner().expect("write")
}

/// An arena whose images are called as the pictures are, as with labels that name them: a published challenge keeps its names.
async fn open(rules: Rules) -> Arena {
    let arena = Arena::open(rules).await;
    let named = "UPDATE challenges
        SET image_names = (
            SELECT array_agg('picture-' || to_char(image, 'FM000') || '.png' ORDER BY image)
            FROM generate_series(0, images - 1) AS image
        )";
    assert_eq!(arena.database.as_owner(named).await, 1);
    arena
}

/// What the queue tells the organizers of the challenge's images.
fn problems(arena: &Arena) -> Value {
    let (status, body) = arena.ask("ann", "GET", "challenges/arena/queue", b"");
    assert_eq!(status, 200, "{body}");
    let queue: Value = serde_json::from_str(&body).expect("JSON");
    queue["image_problems"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn organizers_are_told_which_picture_is_broken_and_competitors_lose_nothing() {
    let rules = Rules {
        public_images: false,
        ..Rules::default()
    };
    let arena = open(rules).await;
    // As a script would send it: the command line decodes pictures before it sends them.
    let (status, body) = arena.ask("ann", "PUT", "challenges/arena/images", &tar(Some(137)));
    assert_eq!(status, 200, "{body}");
    assert_eq!(problems(&arena), json!([]), "nobody has looked yet");
    let _worker = arena.worker(&[]);
    eventually("a worker has looked", async || {
        problems(&arena) != json!([])
    })
    .await;
    let found = problems(&arena);
    let found = found[0].as_str().expect("a sentence");
    assert!(
        found.starts_with(
            "test images: 1 of 240 pictures cannot be decoded: image 137 (`picture-137.png`) "
        ),
        "{found}"
    );

    write_perceptron(&arena.path("net.safetensors"), json!({}), IN_ORDER, 1.0);
    let submit = || arena.submit("net.safetensors", &["--architecture", "perceptron"]);
    let id = submit();
    let failed = arena.finished(&id).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    let detail = failed["problem"]["detail"].as_str().expect("a reason");
    assert!(
        detail.contains("did not count against your quota"),
        "{detail}"
    );
    let mut said = failed.clone();
    // The id, the digest and the times may hold the number by chance.
    for by_chance in ["id", "file", "created_at", "scored_at"] {
        said.as_object_mut().expect("an object").remove(by_chance);
    }
    assert!(!said.to_string().contains("137"), "{said}");

    let (status, body) = arena.ask("ann", "PUT", "challenges/arena/images", &tar(None));
    assert_eq!(status, 200, "{body}");
    assert_eq!(problems(&arena), json!([]));
    let scored = arena.finished(&submit()).await;
    assert_eq!(scored["status"], "scored", "{scored}");
    assert_eq!(scored["scores"]["public"]["top1_error"], 0.0);
}

/// Their challenge cannot be published before, and on a busy server there may be no moment without a model.
#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_wait_long_are_looked_at_before_the_next_model() {
    let arena = open(Rules::default()).await;
    let (status, body) = arena.ask("ann", "PUT", "challenges/arena/images", &tar(None));
    assert_eq!(status, 200, "{body}");
    let earlier = "UPDATE challenge_files SET uploaded_at = uploaded_at - interval '1 minute'";
    arena.database.as_owner(earlier).await;
    write_perceptron(&arena.path("net.safetensors"), json!({}), IN_ORDER, 1.0);
    let submit = || arena.submit("net.safetensors", &["--architecture", "perceptron"]);
    for _ in 1..20 {
        submit();
    }
    let last = submit();

    let _worker = arena.worker(&[]);
    let looked =
        "SELECT FROM challenge_files WHERE purpose = 'test-images' AND checked_at IS NOT NULL";
    eventually("a worker has looked", async || {
        arena.database.as_owner(looked).await == 1
    })
    .await;
    assert_eq!(arena.show(&last)["status"], "queued", "models still wait");
}
