//! What people host in fact: pictures in folders, ILSVRC's files, class lists of other tools, names that count by themselves.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::person::Person;
use crate::server::shared;

const JPEG: &[u8] = include_bytes!("../../../networks/tests/images/baseline.jpg");
/// Forty labels of four classes in an order that says nothing, as the devkit writes them: from 1.
const GROUND_TRUTH: [usize; 40] = [
    2, 1, 4, 1, 4, 3, 1, 1, 2, 1, 1, 3, 4, 2, 4, 4, 4, 3, 2, 3, 2, 2, 2, 1, 4, 1, 1, 1, 4, 3, 4, 1,
    3, 2, 2, 1, 3, 4, 3, 1,
];
const WNIDS: [&str; 4] = ["n01440764", "n01443537", "n01484850", "n01491361"];
const SYNSETS: &str = "n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\nn01484850 great white shark\nn01491361 tiger shark\n";

/// A directory with a challenge in it, and somebody without a server.
struct Host {
    directory: TempDir,
    anyone: Person,
}

impl Host {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a directory"),
            anyone: Person::new("http://127.0.0.1:9", "anyone"),
        }
    }

    /// A challenge of the tar `val.tar` with these names, its class list and its labels.
    fn with(names: impl Iterator<Item = String>, classes: &str, labels: impl AsRef<[u8]>) -> Self {
        let host = Self::new();
        host.write("val.tar", tar(names));
        host.write("classes.txt", classes);
        host.write("labels.csv", labels);
        host.manifest("images = \"val.tar\"\nlabels = \"labels.csv\"\n");
        host
    }

    fn manifest(&self, test: &str) {
        self.write(
            "challenge.toml",
            format!(
                "slug = \"hosted\"\ntitle = \"Hosted\"\nclasses = \"classes.txt\"\n[test]\n{test}"
            ),
        );
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("make a directory");
        fs::write(file, content).expect("write a file");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).expect(name)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn argument(&self) -> &str {
        self.path().to_str().expect("UTF-8")
    }

    /// `challenge check`: what it prints where it is fine.
    fn is_fine(&self) -> (String, String) {
        let run = self.anyone.run(["challenge", "check", self.argument()]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let short = |text: &str| text.replace(self.argument(), "DIR");
        (short(&run.stdout), short(&run.stderr))
    }

    fn refused(&self) -> String {
        let run = self.anyone.run(["challenge", "check", self.argument()]);
        run.refused().replace(self.argument(), "DIR")
    }
}

fn tar(names: impl Iterator<Item = String>) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for name in names {
        let mut header = tar::Header::new_ustar();
        header.set_size(JPEG.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, JPEG).expect("write");
    }
    archive.into_inner().expect("write")
}

fn ilsvrc_name(image: usize) -> String {
    format!("ILSVRC2012_val_{:08}.JPEG", image + 1)
}

fn ilsvrc(labels: impl AsRef<[u8]>) -> Host {
    Host::with((0..40).map(ilsvrc_name), SYNSETS, labels)
}

fn csv(row: impl Fn(usize) -> String) -> String {
    (0..40).fold("image,label\n".to_owned(), |csv, image| {
        csv + &row(image) + "\n"
    })
}

const FINE: &str =
    "DIR/challenge.toml is fine: 40 images, 40 with labels, in 4 classes, ranked by top1 error.\n";

#[test]
fn names_whose_order_is_open_need_it_said() {
    let labels = csv(|image| format!("{image},{}", GROUND_TRUTH[image] - 1));
    let host = Host::with(
        (0..40).map(|image| format!("{image}.png")),
        "a\nb\nc\nd\n",
        &labels,
    );
    assert_eq!(
        host.refused(),
        "referee: challenge.toml: image 2 (from 0) is `10.png` in byte order of the names and `2.png` in natural order: \
         write order = \"natural\" or order = \"bytes\" under [test], or run `referee challenge shuffle DIR`\n"
    );
    // Shuffling does not tell places either.
    let shuffled = (host.anyone)
        .run(["challenge", "shuffle", host.argument()])
        .refused();
    assert!(
        shuffled.ends_with(
            "write order = \"natural\" or order = \"bytes\" under [test], or name the images in the labels\n"
        ),
        "{shuffled}"
    );
    host.manifest("images = \"val.tar\"\norder = \"natural\"\nlabels = \"labels.csv\"\n");
    assert_eq!(host.is_fine().0, FINE);
    host.manifest("images = \"val.tar\"\norder = \"bytes\"\nlabels = \"labels.csv\"\n");
    assert_eq!(
        host.refused(),
        "referee: DIR/labels.csv: line 4: image `2` has two readings: in place 2 (from 0) is `10.png`, and number 2 by its name is \
         `2.png`; write the name that you mean\n".to_owned()
            + &more_lines(&host)
    );
}

#[test]
fn hashes_need_no_order_said_and_places_among_them_have_one_reading() {
    let hash = |image: usize| {
        let mixed = (image as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{mixed:016x}.png")
    };
    let labels = csv(|image| format!("{image},{}", GROUND_TRUTH[image] - 1));
    let host = Host::with((0..40).map(hash), "a\nb\nc\nd\n", &labels);
    assert_eq!(host.is_fine().0, FINE);
}

#[test]
fn files_that_are_not_there_are_named() {
    let host = ilsvrc("image,label\n");
    for name in ["labels.csv", "val.tar", "classes.txt"] {
        fs::remove_file(host.path().join(name)).expect("remove");
        assert_eq!(
            host.refused(),
            format!(
                "referee: DIR/{name}, which challenge.toml names, is not there: put it there, or write its path, as seen from challenge.toml\n"
            )
        );
    }
}

/// The lines after the first of a refusal, which name up to nine further places.
fn more_lines(host: &Host) -> String {
    host.refused().split_inclusive('\n').skip(1).collect()
}

#[test]
fn a_class_list_in_json_is_read() {
    let labels = csv(|image| format!("{image},{}", GROUND_TRUTH[image] - 1));
    let host = Host::new();
    host.write("classes.txt", "{\n \"0\": \"tench\",\n \"1\": \"goldfish\",\n \"2\": \"great white shark\",\n \"3\": \"tiger shark\"\n}");
    host.write("labels.csv", labels);
    host.manifest("labels = \"labels.csv\"\n");
    assert_eq!(host.is_fine().0, FINE);
}

#[test]
fn ilsvrcs_own_files_are_labels() {
    let lines = GROUND_TRUTH.map(|class| format!("{class}\n")).concat();
    let (fine, notice) = ilsvrc(lines).is_fine();
    assert_eq!(fine, FINE);
    assert!(
        notice.starts_with(
            "notice: labels.csv: the labels are numbers without a header: line i is read as image i"
        ),
        "{notice}"
    );

    let mut kaggle = "ImageId,PredictionString\n".to_owned();
    for image in (0..40).rev() {
        writeln!(
            kaggle,
            "ILSVRC2012_val_{:08},{} 85 1 499 272 ",
            image + 1,
            WNIDS[GROUND_TRUTH[image] - 1]
        )
        .expect("to a string");
    }
    assert_eq!(ilsvrc(kaggle).is_fine(), (FINE.to_owned(), String::new()));

    let plain = csv(|image| format!("{},{}", ilsvrc_name(image), GROUND_TRUTH[image] - 1));
    assert_eq!(ilsvrc(&plain).is_fine(), (FINE.to_owned(), String::new()));
    let utf16: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(plain.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(
        ilsvrc(utf16).refused(),
        "referee: DIR/labels.csv: this is UTF-16 text: save it as UTF-8 (in PowerShell: -Encoding utf8)\n"
    );
    let jpg = ilsvrc(plain.replace(".JPEG", ".jpg")).refused();
    assert!(
        jpg.starts_with(
            "referee: DIR/labels.csv: line 2: no image `ILSVRC2012_val_00000001.jpg`; there are 40 test images: expected an ordinal \
             from 0 to 39 or a name that only one image can have, such as `ILSVRC2012_val_00000001.JPEG`\n"
        ),
        "{jpg}"
    );
}

/// A folder of folders: each picture, made different by a byte after its end, below the WNID of its class.
fn imagefolder(host: &Host, folder: &str) {
    for (image, class) in GROUND_TRUTH.iter().enumerate() {
        let name = format!("{folder}/{}/{}", WNIDS[class - 1], ilsvrc_name(image));
        host.write(
            &name,
            [JPEG, &[u8::try_from(image).expect("small")]].concat(),
        );
    }
}

#[test]
fn a_directory_of_pictures_is_packed_and_shuffled_once() {
    let host = Host::new();
    imagefolder(&host, "val");
    host.write("val/.DS_Store", "x");
    host.write("classes.txt", SYNSETS);
    let label = |image: usize| WNIDS[GROUND_TRUTH[image] - 1];
    host.write(
        "labels.csv",
        csv(|image| format!("{}/{},{}", label(image), ilsvrc_name(image), label(image))),
    );
    host.manifest("images = \"val\"\nlabels = \"labels.csv\"\n");
    assert_eq!(host.is_fine(), (FINE.to_owned(), String::new()));
    let (packed, order) = (
        host.read("packed-images.tar"),
        host.read("packed-order.csv"),
    );
    assert_eq!(host.is_fine().0, FINE);
    assert!(
        packed == host.read("packed-images.tar"),
        "the same pictures, the same tar"
    );

    // What is sent names no folder, and each picture keeps its label.
    let sent = String::from_utf8(host.read("packed-labels.csv")).expect("UTF-8");
    let order = String::from_utf8(order).expect("UTF-8");
    for (sent, kept) in sent.lines().zip(order.lines()).skip(1) {
        let ((name, class), (same, path)) = (
            sent.split_once(',').expect("two"),
            kept.split_once(',').expect("two"),
        );
        assert_eq!(name, same);
        assert!(name.starts_with("image-0000"), "{name}");
        assert!(path.starts_with(class), "{sent} {kept}");
    }
    assert!(!String::from_utf8_lossy(&packed).contains("ILSVRC2012"));

    // Another picture makes another order; something else than a picture is named.
    host.write("val/notes.txt", "x");
    assert!(
        host.refused()
            .contains("val/notes.txt is neither JPEG nor PNG"),
        "{}",
        host.refused()
    );
}

#[test]
fn a_folder_above_the_folders_of_classes_is_no_class() {
    let host = Host::new();
    imagefolder(&host, "data/val");
    let data = host.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let run = (host.anyone).run(["challenge", "import", "imagefolder", data]);
    assert_eq!(
        run.refused().replace(host.argument(), "DIR"),
        "referee: all pictures are in the one folder val, which would be the only class; an ImageFolder holds a folder for each class: is it DIR/data/val?\n"
    );
}

#[test]
fn folders_become_a_challenge() {
    let host = Host::new();
    imagefolder(&host, "val");
    let out = host.path().join("made");
    let out = out.to_str().expect("UTF-8");
    let pictures = host.path().join("val");
    let import = [
        "challenge",
        "import",
        "imagefolder",
        pictures.to_str().expect("UTF-8"),
        "--out",
        out,
    ];
    let said = host.anyone.run(import).done();
    assert!(
        said.contains("is written: 40 images in 4 classes"),
        "{said}"
    );
    let said = host.anyone.run(["challenge", "check", out]).done();
    assert!(
        said.ends_with("is fine: 40 images, 40 with labels, in 4 classes, ranked by top1 error.\n"),
        "{said}"
    );
    assert_eq!(
        host.read("made/classes.txt"),
        WNIDS.map(|id| format!("{id}\n")).concat().as_bytes()
    );
    // Nothing is written over.
    let again = host.anyone.run(import).refused();
    assert!(again.contains("challenge.toml is there already"), "{again}");
}

#[test]
fn every_file_of_ilsvrc_becomes_the_same_challenge() {
    let host = Host::new();
    host.write("val.tar", tar((0..40).map(ilsvrc_name)));
    host.write("LOC_synset_mapping.txt", SYNSETS);
    host.write(
        "ground_truth.txt",
        GROUND_TRUTH.map(|class| format!("{class}\n")).concat(),
    );
    let mut kaggle = "ImageId,PredictionString\n".to_owned();
    let mut caffe = String::new();
    for (image, class) in GROUND_TRUTH.iter().enumerate() {
        writeln!(
            kaggle,
            "ILSVRC2012_val_{:08},{} 1 2 3 4 ",
            image + 1,
            WNIDS[class - 1]
        )
        .expect("to a string");
        writeln!(caffe, "{} {}", ilsvrc_name(image), class - 1).expect("to a string");
    }
    host.write("LOC_val_solution.csv", kaggle);
    host.write("val.txt", caffe);
    host.write(
        "real.json",
        format!("{:?}", GROUND_TRUTH.map(|class| vec![class - 1])),
    );
    let expected =
        csv(|image| format!("{},{}", ilsvrc_name(image), WNIDS[GROUND_TRUTH[image] - 1]));
    let path = |name: &str| host.path().join(name).to_str().expect("UTF-8").to_owned();
    let (images, synsets) = (path("val.tar"), path("LOC_synset_mapping.txt"));
    for file in [
        "ground_truth.txt",
        "LOC_val_solution.csv",
        "val.txt",
        "real.json",
    ] {
        let (labels, out) = (path(file), path(&format!("made-{file}")));
        let import = [
            "challenge",
            "import",
            "ilsvrc",
            "--images",
            &images,
            "--labels",
            &labels,
            "--synsets",
            &synsets,
            "--out",
            &out,
        ];
        let run = host.anyone.run(import);
        assert_eq!(run.code, 0, "{file}: {}", run.stderr);
        let made = host.read(&format!("made-{file}/labels.csv"));
        assert_eq!(String::from_utf8(made).expect("UTF-8"), expected, "{file}");
        host.anyone.run(["challenge", "check", &out]).done();
    }
}

/// `synsets.mat` is a table of six synsets as MATLAB writes it (level 5, compressed), ids not in the order of the WNIDs, one with
/// children; `crates/cli/tests/referee/synsets.py` made it.
#[test]
fn the_devkits_own_ids_follow_its_meta_mat() {
    let host = Host::new();
    host.write("meta.mat", include_bytes!("synsets.mat"));
    host.write("ground_truth.txt", "1\n2\n3\n4\n5\n");
    let path = |name: &str| host.path().join(name).to_str().expect("UTF-8").to_owned();
    let import = |out: &str, more: &[&str]| {
        let (labels, synsets, out) = (path("ground_truth.txt"), path("meta.mat"), path(out));
        let import = [
            "challenge",
            "import",
            "ilsvrc",
            "--labels",
            &labels,
            "--synsets",
            &synsets,
            "--out",
            &out,
        ];
        let run = host.anyone.run(import.iter().chain(more).copied());
        assert_eq!(run.code, 0, "{}", run.stderr);
    };
    import("made", &[]);
    let text = |name: &str| String::from_utf8(host.read(name)).expect("UTF-8");
    assert_eq!(
        text("made/labels.csv"),
        "image,label\n0,n02119789\n1,n02100735\n2,n01440764\n3,n02012849\n4,n03126707\n"
    );
    assert_eq!(
        text("made/classes.txt"),
        "tench, Tinca tinca\tn01440764\ncrane (n02012849)\tn02012849\nEnglish setter\tn02100735\nkit fox, Vulpes macrotis\tn02119789\ncrane (n03126707)\tn03126707\n"
    );
    import("own", &["--devkit-order"]);
    assert!(
        text("own/classes.txt")
            .starts_with("kit fox, Vulpes macrotis\tn02119789\nEnglish setter\t")
    );
    assert_eq!(text("own/labels.csv"), text("made/labels.csv"));
}

#[test]
fn a_table_becomes_a_challenge() {
    let host = Host::new();
    let table = csv(|image| {
        format!(
            "{},{}",
            ilsvrc_name(image),
            ["ant", "bee", "cat", "dog"][GROUND_TRUTH[image] - 1]
        )
    });
    host.write(
        "solution.csv",
        table.replace("image,label", "ImageId,Class"),
    );
    let path = |name: &str| host.path().join(name).to_str().expect("UTF-8").to_owned();
    let (labels, out) = (path("solution.csv"), path("made"));
    host.anyone
        .run(["challenge", "import", "csv", &labels, "--out", &out])
        .done();
    assert_eq!(host.read("made/classes.txt"), b"ant\nbee\ncat\ndog\n");
    host.anyone.run(["challenge", "check", &out]).done();
    host.write("solution.csv", "ImageId,Class\na,1\nb,2\nc,2\n");
    let refused = host
        .anyone
        .run([
            "challenge",
            "import",
            "csv",
            &labels,
            "--out",
            &path("other"),
        ])
        .refused();
    assert!(
        refused.contains(
            "do not count the classes from 0 (they run from 1 to 2, 2 of them): give the names"
        ),
        "{refused}"
    );
}

#[test]
fn what_cannot_be_a_file_is_told() {
    let host = ilsvrc(csv(|image| {
        format!("{},{}", ilsvrc_name(image), GROUND_TRUTH[image] - 1)
    }));
    fs::create_dir(host.path().join("folder")).expect("make");
    host.manifest("images = \"val.tar\"\nlabels = \"folder\"\n");
    let refused = host.refused();
    assert!(
        refused.contains(
            "DIR/folder, which challenge.toml names, is a directory; labels are one file"
        ),
        "{refused}"
    );
    host.manifest("images = \"folder\"\nlabels = \"labels.csv\"\n");
    let refused = host.refused();
    assert!(
        refused.contains("folder holds no pictures; give a directory of JPEG and PNG files"),
        "{refused}"
    );
}

#[test]
fn predictions_without_names_are_scored_in_an_order_that_is_said() {
    let anyone = Person::new("http://127.0.0.1:9", "anyone");
    // In natural order the classes are 1 to 12; in byte order 10.png, 11.png and 12.png come second, third and fourth.
    let labels: Vec<String> = (1..=12)
        .map(|image| format!("{image}.png,{}\n", image - 1))
        .collect();
    let labels = labels.concat();
    anyone.write("labels.csv", format!("image,label\n{labels}"));
    anyone.write(
        "natural.txt",
        (1..=12)
            .map(|class| format!("{class}\n"))
            .collect::<Vec<_>>()
            .concat(),
    );
    let score = |more: &[&'static str]| {
        let score = ["score", "--labels", "labels.csv", "natural.txt", "--json"];
        anyone.run(score.into_iter().chain(more.iter().copied()))
    };
    assert_eq!(
        score(&[]).refused(),
        "referee: natural.txt names no images, and image 1 (from 0) is `10.png` in byte order of the names and `2.png` in natural \
         order: give --order natural or --order bytes\n"
    );
    assert_eq!(score(&["--order", "natural"]).json()["top1_error"], 0.0);
    // Only `1.png` keeps its place.
    assert_eq!(
        score(&["--order", "bytes"]).json()["top1_error"],
        11.0 / 12.0
    );
}

/// `1.png … 40.png`: a file that counts them from 1 is refused with both readings; with names it is scored, and so is text in the
/// order that the server lists.
#[test]
fn a_server_scores_no_file_that_reads_two_ways() {
    let labels = csv(|image| format!("{}.png,{}", image + 1, GROUND_TRUTH[image] - 1));
    let host = Host::with(
        (1..=40).map(|image| format!("{image}.png")),
        "a\nb\nc\nd\n",
        labels,
    );
    let organizer = &shared().organizer;
    let create = ["challenge", "create", host.argument()];
    let open = organizer.run(create).refused();
    assert!(open.contains("write order = \"natural\""), "{open}");
    // The server says the same to those who come without the command's check.
    let manifest = "images = \"val.tar\"\norder = \"natural\"\nlabels = \"labels.csv\"\n";
    host.manifest(manifest);
    organizer.run(create).done();
    let show = organizer
        .run(["challenge", "show", "hosted", "--json"])
        .json();
    assert_eq!(show["test"]["order"], "natural");

    let ada = Person::register(&shared().address, "ada-hosted");
    let rows = |name: &str| {
        (0..40).fold("image,label1\n".to_owned(), |rows, image| {
            rows + &format!("{}{name},{}\n", image + 1, GROUND_TRUTH[image] - 1)
        })
    };
    ada.write("ids.csv", rows(""));
    ada.write("names.csv", rows(".png"));
    ada.write(
        "lines.txt",
        GROUND_TRUTH.map(|class| format!("{class}\n")).concat(),
    );
    let check = |file| ada.run(["check", file, "--challenge", "hosted"]);
    let refused = check("ids.csv").refused();
    assert!(
        refused.starts_with("referee: line 2: image `1` has two readings: in place 1 (from 0) is `2.png`, and number 1 by its name is `1.png`; write the name"),
        "{refused}"
    );
    assert_eq!(
        check("lines.txt").done(),
        "lines.txt is fine: predictions for 40 images.\nIt names no images, so its lines or rows must be in their order: `1.png`, `2.png`, `3.png`, …\n"
    );
    for file in ["names.csv", "lines.txt"] {
        let scored = ada.submit(file, "hosted");
        assert_eq!(
            scored["scores"]["public"]["top1_error"], 0.0,
            "{file}: {scored}"
        );
    }
    ada.run(["challenge", "download", "hosted"]).done();
    let names: Vec<String> = (1..=40).map(|image| format!("{image}.png\n")).collect();
    let names = names.concat();
    assert_eq!(ada.read("hosted/image-names.txt"), names.as_bytes());
}
