//! What organizers have: lists of classes and files of labels as other tools write them, and numbers that read two ways.

use referee_scoring::image_order::fault_of_unsaid_order;
use referee_scoring::{
    Class, ClassList, FormatError, ImageList, ImageOrder, LabelFile, Labels, TestImages,
};

use crate::{gzip, npy, read_as};

fn classes(text: &str) -> Vec<(String, Option<String>)> {
    let list = ClassList::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let pair = |entry: &referee_scoring::ClassEntry| (entry.name.clone(), entry.id.clone());
    list.entries().iter().map(pair).collect()
}

fn entry(name: &str, id: Option<&str>) -> (String, Option<String>) {
    (name.to_owned(), id.map(str::to_owned))
}

fn names(names: &str) -> ImageList {
    ImageList::named(names.split(' ').map(str::to_owned).collect()).expect("names")
}

fn read(file: &str, classes: &str, images: TestImages<'_>) -> Result<LabelFile, FormatError> {
    let classes = ClassList::parse(classes).expect("classes");
    Labels::read(file.as_bytes(), &classes, images)
}

fn sets(file: &LabelFile) -> Vec<Vec<u16>> {
    file.labels
        .iter()
        .map(|set| set.iter().map(|class| class.0).collect())
        .collect()
}

const FISH: [(&str, &str); 3] = [
    ("tench, Tinca tinca", "n01440764"),
    ("goldfish", "n01443537"),
    ("great white shark", "n01484850"),
];
const FISH_LINES: &str =
    "tench, Tinca tinca\tn01440764\ngoldfish\tn01443537\ngreat white shark\tn01484850\n";

#[test]
fn class_lists_of_other_tools_are_read() {
    let with_ids = FISH.map(|(name, id)| entry(name, Some(id)));
    for text in [
        FISH_LINES,
        "n01440764 tench, Tinca tinca\nn01443537 goldfish\nn01484850 great white shark\n",
        "n01440764\ttench, Tinca tinca\r\nn01443537\tgoldfish\r\nn01484850\tgreat white shark",
        r#"{"0": ["n01440764", "tench, Tinca tinca"], "1": ["n01443537", "goldfish"], "2": ["n01484850", "great white shark"]}"#,
        "index,wnid,name\n1,n01443537,goldfish\n0,n01440764,\"tench, Tinca tinca\"\n2,n01484850,great white shark\n",
        "id;name;synset\n1;tench, Tinca tinca;n01440764\n2;goldfish;n01443537\n3;great white shark;n01484850\n",
        "name,id\n\"tench, Tinca tinca\",n01440764\ngoldfish,n01443537\ngreat white shark,n01484850\n",
        "n01440764,\"tench, Tinca tinca\"\nn01443537,goldfish\nn01484850,great white shark\n",
        "n01440764; tench, Tinca tinca\nn01443537; goldfish\nn01484850; great white shark\n",
        "tench, Tinca tinca,n01440764\ngoldfish,n01443537\ngreat white shark,n01484850\n",
    ] {
        assert_eq!(classes(text), with_ids, "{text}");
    }
    let alone = FISH.map(|(name, _)| entry(name, None));
    for text in [
        "{\n \"0\": \"tench, Tinca tinca\",\n \"1\": \"goldfish\",\n \"2\": \"great white shark\"\n}",
        r#"{"architectures": ["ViT"], "id2label": {"2": "great white shark", "0": "tench, Tinca tinca", "1": "goldfish"}, "label2id": {}}"#,
        r#"{"goldfish": 1, "great white shark": 2, "tench, Tinca tinca": 0}"#,
        "[\"tench, Tinca tinca\", \"goldfish\", \"great white shark\"]\n",
        "\"tench, Tinca tinca\"\n\"goldfish\"\n\"great white shark\"\n",
        "label_id,label\n0,\"tench, Tinca tinca\"\n1,goldfish\n2,great white shark\n",
        "label,class_name\n0,\"tench, Tinca tinca\"\n2,great white shark\n1,goldfish\n",
        "tench, Tinca tinca\ngoldfish\ngreat white shark\n\n\r\n",
    ] {
        assert_eq!(classes(text), alone, "{text}");
    }
    // Two of ImageNet's classes are called crane: the ids tell them apart.
    assert_eq!(
        classes("n02012849 crane\nn03126707 crane\n"),
        [
            entry("crane (n02012849)", Some("n02012849")),
            entry("crane (n03126707)", Some("n03126707"))
        ]
    );
    assert_eq!(
        classes("n00000001 rendition\tn00000001\n"),
        [entry("n00000001 rendition", Some("n00000001"))]
    );
    // Names that only look strange stay names.
    for text in [
        "[UNK]\ncat\ndog\n",
        "a, b\nc, d\n",
        "1 euro\n2 euro\n5 euro\n",
        "name\nother\n",
        "n01440764\nn01443537\n",
    ] {
        let lines: Vec<_> = text.lines().map(|line| entry(line, None)).collect();
        assert_eq!(classes(text), lines);
    }
}

#[test]
fn class_lists_that_are_something_else_are_named() {
    for (text, part) in [
        (
            "{\"0\": \"tench\",\n \"1\": }",
            "this looks like JSON, but it is none",
        ),
        (
            "{\"0\": \"tench\", \"2\": \"goldfish\"}",
            "this is JSON of a form that is not known",
        ),
        (
            "{0: 'tench', 1: 'goldfish'}",
            "this is a Python dictionary: write it as JSON",
        ),
        (
            "class_name\ntench\ngoldfish\n",
            "line 1, `class_name`, looks like a header",
        ),
        (
            "0 tench\n1 goldfish\n2 shark\n",
            "every line begins with its number",
        ),
        (
            "1: tench\n2: goldfish\n3: shark\n",
            "every line begins with its number",
        ),
        (
            "item {\n  id: 1\n  name: 'tench'\n}\n",
            "this is a TensorFlow label map",
        ),
        ("names:\n  0: tench\n", "this is YAML"),
        ("- tench\n- goldfish\n", "every line begins with `- `"),
        (
            "# my classes\ntench\ngoldfish\n",
            "line 1, `# my classes`, looks like a comment",
        ),
        ("tench,goldfish,shark\n", "all classes stand on one line"),
        (
            "nr,fish\n0,tench\n1,goldfish\n",
            "line 1, `nr,fish`, looks like a header, which would be class 0, and its columns are not known",
        ),
        ("tench\n\ngoldfish\n", "class 1 has an empty name or id"),
        ("<!DOCTYPE html>\n<html></html>\n", "this is HTML or XML"),
        (
            "index,name\n0,tench, Tinca\n1,goldfish\n",
            "line 2 does not have the 2 columns of the header `index,name`",
        ),
        (
            "index,name\n0,tench\n2,goldfish\n",
            "should count the classes from 0 or from 1, without a gap",
        ),
    ] {
        let error = ClassList::parse(text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    for (bytes, part) in [
        (
            b"\xff\xfet\0e\0n\0".as_slice(),
            "this is UTF-16 text: save it as UTF-8",
        ),
        (
            b"PK\x03\x04[Content_Types].xml",
            "this is a spreadsheet: save a class list as text in UTF-8",
        ),
        (b"\x80\x04\x95", "this is a pickle"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "this is only a pointer to a file kept by Git LFS",
        ),
        (b"\xe9t\xe9\n", "this is not UTF-8"),
    ] {
        let error = ClassList::read(bytes).expect_err(part).to_string();
        assert!(error.starts_with(part), "{error}");
    }
}

/// `0.png … 39.png` in byte order: place 2 is `10.png`.
#[test]
fn a_bare_number_that_names_contradict_is_refused_with_both_readings() {
    let mut sorted: Vec<String> = (0..40).map(|number| format!("{number}.png")).collect();
    sorted.sort_unstable();
    let fault = fault_of_unsaid_order(&sorted).expect("a fault");
    assert!(fault.starts_with("image 2 (from 0) is `10.png` in byte order of the names and `2.png` in natural order: write order"), "{fault}");
    let list = ImageList::named(sorted.clone()).expect("names");
    let csv: Vec<String> = (0..40)
        .map(|image| format!("{image},{}\n", image % 2))
        .collect();
    let csv = csv.concat();
    let error = read(
        &format!("image,label\n{csv}"),
        "cat\ndog\n",
        TestImages::Listed(&list),
    )
    .expect_err("two readings");
    assert_eq!(
        error.detail,
        "line 4: image `2` has two readings: in place 2 (from 0) is `10.png`, and number 2 by its name is `2.png`; write the name that you mean"
    );
    let predictions = read_as(
        format!("image,label1\n{csv}").as_bytes(),
        &list,
        &ClassList::numbered(2),
    );
    assert!(
        predictions
            .expect_err("two readings")
            .detail
            .contains("two readings")
    );

    // In natural order place and name agree, and everything is read.
    sorted.sort_by(|a, b| ImageOrder::Natural.compare(a, b));
    let list = ImageList::named(sorted).expect("names");
    let file = read(
        &format!("image,label\n{csv}"),
        "cat\ndog\n",
        TestImages::Listed(&list),
    )
    .expect("one reading");
    assert!(
        sets(&file)
            .iter()
            .enumerate()
            .all(|(image, set)| set == &[u16::from(image % 2 == 1)])
    );
}

#[test]
fn names_that_count_from_elsewhere_refuse_only_numbers_with_two_readings() {
    for (list, number, place, named) in [
        ("1.png 2.png 3.png", "1", "2.png", "1.png"),
        (
            "ILSVRC2012_val_00000001.JPEG ILSVRC2012_val_00000002.JPEG ILSVRC2012_val_00000003.JPEG",
            "2",
            "ILSVRC2012_val_00000003.JPEG",
            "ILSVRC2012_val_00000002.JPEG",
        ),
        ("001 002 003", "1", "002", "001"),
        (
            "a/cam1_7.png a/cam1_8.png a/cam1_0.png",
            "0",
            "a/cam1_7.png",
            "a/cam1_0.png",
        ),
    ] {
        let list = names(list);
        assert_eq!(list.resolve(number), None, "{number}");
        let text = format!("image,label\n{number},0\n");
        let error = read(&text, "cat\ndog\n", TestImages::Listed(&list))
            .expect_err("refused")
            .detail;
        assert!(
            error.contains(&format!("`{place}`")) && error.contains(&format!("`{named}`")),
            "{error}"
        );
        for (ordinal, name) in list.names().expect("names").iter().enumerate() {
            assert_eq!(list.resolve(name), u32::try_from(ordinal).ok());
        }
    }
    // Out of reach as a place, a number is the name it is; and names without a count contradict nothing.
    assert_eq!(names("1.png 2.png 3.png").resolve("3"), Some(2));
    assert_eq!(names("1.png 2.png 3.png").resolve("0"), Some(0));
    assert_eq!(
        names("image-000000.jpg image-000001.jpg image-000002.jpg").resolve("2"),
        Some(2)
    );
    assert_eq!(names("cat.png dog.png").resolve("1"), Some(1));
    // Nor do hashes count, nor the two names of many that happen to end in a number.
    assert_eq!(
        names("1024c8d9.png 6b1d25fa.png 8e2048dc.png 947dbe2d.png").resolve("2"),
        Some(2)
    );
    assert_eq!(
        names("abc1.png def.png ghi.png jkl22.png mno.png").resolve("1"),
        Some(1)
    );
}

#[test]
fn classes_that_a_spreadsheet_makes_numbers_of_are_not_guessed() {
    let classes = ClassList::parse("001\n002\n003\n").expect("valid");
    assert_eq!(classes.resolve("001"), Some(Class(0)));
    assert_eq!(classes.resolve("0"), Some(Class(0)));
    for number in ["1", "2", "3"] {
        assert_eq!(classes.resolve(number), None, "{number}");
    }
    let error = read(
        "image,label\n0,1\n",
        "001\n002\n003\n",
        TestImages::Defined(ImageOrder::Bytes),
    )
    .expect_err("two readings");
    assert_eq!(
        error.detail,
        "line 2: class `1` has two readings: index 1 (from 0) is `002`, and a spreadsheet makes it of `001`; write the name, with its zeros"
    );
    // `00` is index 0 both ways, and ids are names too.
    assert_eq!(
        ClassList::parse("00\n01\n02\n")
            .expect("valid")
            .resolve("1"),
        Some(Class(1))
    );
    assert_eq!(
        ClassList::parse("cat\t0001\ndog\t0002\n")
            .expect("valid")
            .resolve("1"),
        None
    );
}

#[test]
fn files_of_labels_of_other_tools_are_read() {
    let list = names("val_1.JPEG val_2.JPEG val_3.JPEG");
    let expected = [vec![1], vec![0], vec![2]];
    for file in [
        "image,label\nval_1.JPEG,goldfish\nval_2.JPEG,n01440764\nval_3.JPEG,2\n",
        // The devkit's ground truth, from 1.
        "2\n1\n3\n",
        "2\r\n1\r\n3",
        // The same from 0.
        "1\n0\n2\n",
        // Caffe's.
        "val_2.JPEG 0\nval_1.JPEG 1\nval_3.JPEG 2\n",
        // Kaggle's, with boxes; two of the same class are one label.
        "ImageId,PredictionString\nval_1,n01443537 85 1 499 272 \nval_2,n01440764 1 2 3 4 n01440764 5 6 7 8\nval_3,n01484850 0 0 9 9\n",
        "ImageId,Class\nval_3.JPEG,2\nval_1.JPEG,1\nval_2.JPEG,0\n",
        "Label,Filename\ngoldfish,val_1.JPEG\n\"tench, Tinca tinca\",val_2.JPEG\ngreat white shark,val_3.JPEG\n",
        "[[1], [0], [2]]",
        "[1, 0, 2]\n",
        "{\"val_1.JPEG\": 1, \"val_2.JPEG\": [0], \"val_3.JPEG\": \"great white shark\"}",
        "\u{feff}image,label\nval_1.JPEG,1\nval_2.JPEG,0\nval_3.JPEG,2\n",
    ] {
        let read = read(file, FISH_LINES, TestImages::Listed(&list))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(sets(&read), expected, "{file}");
    }
    // ReaL: none, one, or several are right.
    let real = read("[[], [2, 0], [1]]", FISH_LINES, TestImages::Listed(&list)).expect("read");
    assert_eq!(sets(&real), [vec![], vec![2, 0], vec![1]]);
    let numbered = read("2\n1\n3\n", FISH_LINES, TestImages::Listed(&list)).expect("read");
    assert_eq!(
        numbered.notices[0].detail,
        "the labels are numbers without a header: line i is read as image i and its number as a class counted from 1 in the order of the class list"
    );
    let compressed = Labels::read(
        gzip(b"2\n1\n3\n").as_slice(),
        &ClassList::parse(FISH_LINES).expect("valid"),
        TestImages::Listed(&list),
    );
    assert_eq!(sets(&compressed.expect("read")), expected);
}

#[test]
fn files_of_labels_that_are_something_else_are_named() {
    let list = names("val_1.JPEG val_2.JPEG val_3.JPEG");
    for (file, part) in [
        (
            "image;label\nval_1.JPEG;1\n",
            "separate the columns by commas",
        ),
        (
            "image\tlabel\nval_1.JPEG\t1\n",
            "separate the columns by commas, not by tabs",
        ),
        (
            "image,tench,goldfish,shark\n0,0.1,0.2,0.7\n",
            "a table of scores, a column for each class",
        ),
        (
            "image,0,1,2\n0,0.1,0.2,0.7\n",
            "a table of scores, a column for each class",
        ),
        (
            "id,width,label\n0,3,1\n",
            "keep the two columns `id` and `label`, and no other",
        ),
        (
            "image,label\nval_1.JPEG,tench, Tinca tinca\n",
            "line 2: the class name `tench, Tinca tinca` holds a comma: put it in quotes, \"tench, Tinca tinca\"",
        ),
        (
            "image,label\nval_1.jpg,1\n",
            "no image `val_1.jpg`; there are 3 test images: expected an ordinal from 0 to 2 or a name that only one image can have, such as `val_1.JPEG`",
        ),
        ("image,label\nval_1.JPEG,1.0\n", "`1.0` is not an integer"),
        (
            "{\"val_1.JPEG\": {\"class\": 1}}",
            "this looks like JSON, but not like labels",
        ),
        (
            "<html>\n",
            "this looks like HTML or XML, perhaps an error page",
        ),
        (
            "3\n2\n4\n",
            "line 3: class 4, but the 3 classes are numbered from 1 to 3",
        ),
        (
            "3\n2\n1\n1\n",
            "line 4: after the last; there are 3 test images",
        ),
        (
            "3\n2\n",
            "the file ends and image 2 (`val_3.JPEG`) is missing",
        ),
        (
            "3\n2\nn01440764\n",
            "line 3: `n01440764` is no class number",
        ),
    ] {
        let error = read(file, FISH_LINES, TestImages::Listed(&list))
            .expect_err(file)
            .detail;
        assert!(error.contains(part), "{file}: {error}");
    }
    let read = |bytes: &[u8]| {
        Labels::read(bytes, &ClassList::numbered(3), TestImages::Listed(&list))
            .expect_err("refused")
            .detail
    };
    assert_eq!(
        read(b"\xff\xfei\0m\0"),
        "this is UTF-16 text: save it as UTF-8 (in PowerShell: -Encoding utf8)"
    );
    assert_eq!(
        read(&npy("<i8", "(3,)", &[0; 24])),
        "this is an NPY array: save labels as CSV in UTF-8 with the header image,label"
    );
    assert_eq!(
        read(b"PK\x03\x04xl/workbook.xml"),
        "this is a spreadsheet: save labels as CSV in UTF-8 with the header image,label"
    );
    // ILSVRC's own ids follow the devkit, not the WNIDs.
    let thousand: Vec<String> = (0..1000)
        .map(|class| format!("c{class}\tn{:08}\n", 1_440_764 + class))
        .collect();
    let thousand = thousand.concat();
    let error = Labels::read(
        b"490\n361\n171\n".as_slice(),
        &ClassList::parse(&thousand).expect("valid"),
        TestImages::Listed(&list),
    );
    assert!(
        error
            .expect_err("refused")
            .detail
            .contains("referee challenge import ilsvrc")
    );
}

#[test]
fn labels_that_lack_little_are_refused_with_the_mend() {
    let list = names("val_1.JPEG val_2.JPEG val_3.JPEG");
    for (file, part) in [
        (
            "val_1.JPEG,1\nval_2.JPEG,0\nval_3.JPEG,2\n",
            "the first line is a row already: put the header above it, `sed '1i image,label' OLD >NEW`",
        ),
        ("val_1.JPEG,goldfish\n", "the first line is a row already"),
        (
            "val_1.JPEG n01443537\n",
            "separate the columns by commas and put the header above them, `sed -E -e '1i image,label' -e 's/[[:blank:]]+([^[:blank:]]+)$/,\\1/' OLD >NEW`",
        ),
        (
            "goldfish\n",
            "this looks like one class a line: number the lines, `awk",
        ),
        (
            "image,label\nval_1.JPEG,Great_White_Shark\n",
            "no class is called `Great_White_Shark`; expected a class index from 0 to 2, a name or an id, such as `great white shark`",
        ),
        (
            "image,label\nval_1.JPEG,-1\n",
            "leave the label empty, and it is skipped",
        ),
        ("image,label\nval\\val_2.JPEG,1\n", "such as `val_2.JPEG`"),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "this is only a pointer to a file kept by Git LFS",
        ),
    ] {
        let error = read(file, FISH_LINES, TestImages::Listed(&list))
            .expect_err(file)
            .detail;
        assert!(error.contains(part), "{file}: {error}");
    }
}

/// Numbers alone, of which neither 0 nor the last from 1 occurs; and those that leave no doubt are not said to count from 1 twice.
#[test]
fn numbers_alone_that_count_from_0_or_from_1_are_not_guessed() {
    let file = |numbers: &str| {
        let images = ImageList::ordinals(numbers.split(' ').count());
        let lines = numbers.replace(' ', "\n");
        read(&lines, "ant\nbee\ncat\ndog\n", TestImages::Listed(&images))
    };
    assert_eq!(
        file("1 2 3 1 2 3 1 2 3").expect_err("either").detail,
        "the labels run from 1 to 3, and the 4 classes may be counted from 0 or from 1: write the names of the classes, or CSV with the header `image,label` and indices from 0"
    );
    let counted = file("1 2 3 1 2 3 1 2 4").expect("from 1");
    assert_eq!(sets(&counted)[8], [3]);
    // Too few to tell: the form's own count.
    assert_eq!(sets(&file("2 1 3").expect("from 1"))[0], [1]);
    let beyond = file("2 3 4 5 2 3 4 5").expect_err("beyond").detail;
    assert_eq!(
        beyond.lines().next(),
        Some("line 4: class 5, but the 4 classes are numbered from 1 to 4")
    );
}

/// 12 images of 4 classes numbered from 1, none of the last: every class that occurs would be off by one.
#[test]
fn labels_counted_from_1_are_told() {
    let images = ImageList::ordinals(12);
    let file = |classes: &str| {
        let rows: Vec<String> = classes
            .split(' ')
            .enumerate()
            .map(|(image, class)| format!("{image},{class}\n"))
            .collect();
        let rows = rows.concat();
        read(
            &format!("image,label\n{rows}"),
            "ant\nbee\ncat\ndog\n",
            TestImages::Listed(&images),
        )
    };
    assert_eq!(
        file("1 2 3 1 2 3 1 2 3 1 2 3").expect_err("from 1").detail,
        "the labels run from 1 to 3 and class 0 (`ant`) never occurs: they look numbered from 1, and class indices count from 0; \
         subtract 1, or, if they are right, write the names of the classes"
    );
    let beyond = file("1 2 3 4 2 3 1 2 3 1 2 4").expect_err("from 1").detail;
    assert_eq!(
        beyond,
        "line 5: class 4, but class indices run from 0 to 3. These labels look numbered from 1: subtract 1, or write the names of the classes"
    );
    // The names of the same classes leave no doubt, and one 0 does not either.
    assert_eq!(
        file("bee cat dog bee cat dog bee cat dog bee cat dog")
            .expect("names")
            .notices[0]
            .detail,
        "class 0 (`ant`) never occurs among the labels"
    );
    assert_eq!(file("0 2 3 1 2 3 1 2 3 1 2 3").expect("from 0").notices, []);
    assert_eq!(
        file("0 0 0 0 0 0 0 0 0 0 0 1").expect("from 0").notices[0].detail,
        "2 of 4 classes never occur among the labels, the first of them class 2 (`cat`)"
    );
    // What is written of such labels is read back: by names.
    let bees = file("bee cat dog bee cat dog bee cat dog bee cat dog").expect("names");
    let classes = ClassList::parse("ant\nbee\ncat\ndog\n").expect("classes");
    let mut written = Vec::new();
    (bees.labels.write_csv(&mut written, &images, &classes)).expect("to memory");
    let again = Labels::read(written.as_slice(), &classes, TestImages::Listed(&images));
    assert_eq!(again.expect("read back").labels, bees.labels);
    // Classes that are called by their indices are named by them.
    let rows: Vec<String> = (0..12)
        .map(|image| format!("{image},{}\n", 1 + image % 3))
        .collect();
    let rows = format!("image,label\n{}", rows.concat());
    assert!(read(&rows, "0\n1\n2\n3\n", TestImages::Listed(&images)).is_ok());
}

/// Memory of 40 bytes a row would be seen in `referee score`; here only that the fast path and the slow one agree.
#[test]
fn plain_rows_are_read_as_others_are() {
    let images = ImageList::ordinals(1000);
    let row = |image: usize| (image * 7919 % 1000, image % 3);
    let plain: Vec<String> = (0..1000)
        .map(row)
        .map(|(image, class)| format!("{image},{class}\n"))
        .collect();
    let plain = plain.concat();
    let spaced: Vec<String> = (0..1000)
        .map(row)
        .map(|(image, class)| format!(" {image} , {class}\n"))
        .collect();
    let spaced = spaced.concat();
    for listed in [
        TestImages::Listed(&images),
        TestImages::Defined(ImageOrder::Bytes),
    ] {
        let plain = read(&format!("image,label\n{plain}"), "a\nb\nc\n", listed).expect("plain");
        let spaced = read(&format!("image,label\n{spaced}"), "a\nb\nc\n", listed).expect("spaced");
        assert_eq!(plain.labels, spaced.labels);
        assert_eq!(plain.labels.get(7919 % 1000), [Class(1)]);
    }
    let twice = read(
        "image,label\n0,1\n0,1\n",
        "a\nb\n",
        TestImages::Listed(&ImageList::ordinals(2)),
    );
    assert_eq!(
        twice.expect_err("twice").detail,
        "line 3: image 0 has a line already"
    );
    let beyond = read(
        "image,label\n0,1\n4000000000,1\n",
        "a\nb\n",
        TestImages::Defined(ImageOrder::Bytes),
    );
    assert!(
        beyond
            .expect_err("beyond")
            .detail
            .starts_with("line 3: no image `4000000000`")
    );
}
